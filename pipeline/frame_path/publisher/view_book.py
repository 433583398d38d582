"""The empty view of one camera at the publisher: its versions, its condition, and how it is learnt."""

from __future__ import annotations

from collections.abc import Sequence

from operators.frames import Ticket
from operators.results import Analysis, Subject
from operators.scene.empty_view import EmptyView
from operators.scene.view_check import Verdict
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.draft import Draft
from pipeline.frame_path.publisher.notices import NoticeWriter, SeenView
from pipeline.frame_path.publisher.published import PublishedCamera, SceneNow
from pipeline.frame_path.publisher.scene_memory import SceneMemory, load_view
from pipeline.frame_path.publisher.stored_camera import Look, StoredCamera
from pipeline.frame_path.publisher.view_condition import Condition, ViewCondition
from pipeline.frame_path.publisher.view_versions import ViewVersions
from pipeline.messages import Reused


class ViewBook:
    """Not thread-safe; changes `stored` within a transaction, like the camera's book that it is part of."""

    def __init__(
        self,
        published: PublishedCamera,
        stored: StoredCamera,
        memory: SceneMemory,
        notices: NoticeWriter,
        *,
        artefacts: ArtefactStore,
        made_by: str,
    ) -> None:
        """`made_by`: fingerprint of the backbone; views of others are not used."""
        self._camera = published.spec.camera
        self._stored = stored
        self._memory = memory
        self._notices = notices
        self._artefacts = artefacts
        self._made_by = made_by
        self._left = artefacts.latest(f"learner/{self._camera}")
        self._condition = ViewCondition(published.spec, stored.condition)
        self.versions = ViewVersions(stored, is_replayable=published.is_replayable)
        self.versions.adopt(load_view(published.spec, made_by, artefacts))

    @property
    def lights(self) -> int:
        """Of the view that the newest analysed frame met."""
        return self._stored.look.view_lights if self._stored.look else 0

    @property
    def now(self) -> SceneNow | None:
        """The condition; None: nobody needs a view, and none is learnt."""
        stored = self._stored.condition
        return SceneNow(stored.word, stored.since_ns, self._condition.text(self.lights)) if stored.word else None

    def wants_sample(self, *, is_armed: bool) -> bool:
        """A view that the camera does not show is not learnt, unless a person asks."""
        return self._memory.wants_sample(self._stored.rule_time_ns, is_armed=self._is_barred(is_armed=is_armed))

    def ask(self, seconds: float, draft: Draft, *, is_anew: bool) -> None:
        """A person says that the place is empty, and that the next `seconds` show it."""
        draft.learners[self._camera] = self._memory.ask(seconds, self._made_by, is_anew=is_anew)
        self._stored.learner_taken = self._left

    def _is_barred(self, *, is_armed: bool) -> bool:
        return not self._memory.is_asked and (is_armed or not self._condition.is_well)

    def seen(self, analysis: Analysis, draft: Draft) -> Condition:
        """What a new frame says of the view."""
        seen = SeenView(analysis.view, analysis.view_lights, analysis.ticket.position)
        return self._step(seen, analysis.view_check, analysis.times.rule_time_ns, draft)

    def seen_again(self, look: Look | None, entry: Reused, draft: Draft) -> Condition | None:
        """A picture that does not change goes on showing what it showed."""
        if look is None:
            return None
        seen = SeenView(look.view, look.view_lights, entry.ticket.position)
        found = self._step(seen, look.view_check, entry.times.rule_time_ns, draft)
        look.scene = found.word
        return found

    def learn(self, analysis: Analysis, held: Sequence[Subject], draft: Draft, *, is_armed: bool) -> None:
        """Takes the frame's view sample, where it brings one that may be learnt."""
        absorptions = self._memory.absorptions
        is_barred = self._is_barred(is_armed=is_armed)
        was_taken, view = self._memory.learn(analysis, held, is_armed=is_barred)
        if was_taken:
            self._stored.learner_taken = self._left
            draft.learners[self._camera] = self._memory.learner_to_bytes()
        if view is not None:
            self._learnt(view, analysis.ticket, draft, has_absorbed=self._memory.absorptions > absorptions)

    def _step(self, seen: SeenView, verdict: Verdict, time_ns: int, draft: Draft) -> Condition:
        found = self._condition.see(verdict, seen.lights, time_ns)
        if found.number is not None:
            draft.messages.append(self._notices.condition(found, seen, draft.published_ns))
        return found

    def _learnt(self, view: EmptyView, ticket: Ticket, draft: Draft, *, has_absorbed: bool) -> None:
        """A new version becomes valid where no frame in flight can have been analysed without it."""
        name = self._artefacts.put(f"view/{self._camera}", view.to_bytes())
        stored = self.versions.learnt(name, ticket.position)
        notices = [self._notices.view_learnt, *([self._notices.absorbed] if has_absorbed else [])]
        draft.messages.extend(
            notice(stored.name, stored.valid_from, view.num_lights, draft.published_ns) for notice in notices
        )
