"""Everything that the publisher knows of one camera, and how one entry changes it."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from operators.frames import Ticket
from operators.results import Analysis, Subject
from operators.rules.episodes import MIN_GAP_NS
from operators.rules.jumps import Trails
from operators.rules.measures import Reading
from operators.scene.corrected import corrected
from pipeline.errors import PublishError
from pipeline.frame_path.publisher.actions import CameraActions
from pipeline.frame_path.publisher.alerts import AlertWriter, Scene
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.draft import Draft, Letterhead
from pipeline.frame_path.publisher.head_versions import HeadVersions
from pipeline.frame_path.publisher.judging import (
    UNSEEN,
    Judge,
    Judged,
    is_engaged,
    period_of,
)
from pipeline.frame_path.publisher.notices import NoticeWriter
from pipeline.frame_path.publisher.published import ActiveAlert, PublishedCamera, RuleValue, SceneNow
from pipeline.frame_path.publisher.result_body import ResultWriter, look_at
from pipeline.frame_path.publisher.rule_changes import RuleChanges
from pipeline.frame_path.publisher.scene_memory import SceneMemory, load_learner
from pipeline.frame_path.publisher.sequence import Novelty, Repetitions, note_position
from pipeline.frame_path.publisher.settling import Settling
from pipeline.frame_path.publisher.stored_camera import Look, StoredCamera
from pipeline.frame_path.publisher.view_book import ViewBook
from pipeline.frame_path.publisher.view_condition import Condition
from pipeline.frame_path.publisher.wire import encode_event
from pipeline.frame_path.publisher.wire_result import ResultBody, WireRule
from pipeline.messages import Analysed, Gone, Reused, Status, Tick

NUM_INTERVALS = 8


class CameraBook:
    """One camera. Entries are entered in order and only within a transaction; on a rollback the book is thrown away
    and read again. Not thread-safe.
    """

    def __init__(
        self,
        published: PublishedCamera,
        stored: StoredCamera,
        learner: bytes | None,
        letterhead: Letterhead,
        artefacts: ArtefactStore,
    ) -> None:
        """`learner`: stored state of the view learner, if there is one."""
        spec, made_by = published.spec, letterhead.model.fingerprint
        self.published = published
        self.stored = stored
        self.settling = Settling(stored.settled)
        self.retries = 0
        self._repetitions = Repetitions()
        self._artefacts = artefacts
        self._letterhead = letterhead
        self._judge = Judge(spec, letterhead.timezone)
        self._alerts = AlertWriter(spec, letterhead, self._judge, stored.actions)
        self._changes = RuleChanges(stored, self._judge, self._alerts)
        self.actions = CameraActions(published, stored, letterhead)
        self._results = ResultWriter(spec, letterhead.model)
        self._notices = NoticeWriter(spec, letterhead)
        self._scene = SceneMemory(
            spec, stored.tracks, load_learner(spec, made_by, learner, artefacts, stored.learner_taken)
        )
        self._trails = Trails.from_list(stored.trails)
        self._rules: dict[str, WireRule] = {}
        self._view = ViewBook(published, stored, self._scene, self._notices, artefacts=artefacts, made_by=made_by)
        self.views = self._view.versions
        self.heads = HeadVersions(spec.heads, stored, artefacts)

    @property
    def camera(self) -> str:
        return self.published.spec.camera

    # --- what the owner asks -----------------------------------------------------------------------------------------

    def attach(self, lease: int) -> None:
        """From here on lower leases are fenced."""
        if lease > self.stored.lease:
            self.stored.lease = lease
            self.stored.delivered = {}
            self._repetitions = Repetitions()

    @property
    def is_armed(self) -> bool:
        """Every frame is wanted: a rule is under way, or a distance jumped and the next frame decides."""
        return is_engaged(self.stored.rules) or self._trails.is_in_doubt

    @property
    def wants_sample(self) -> bool:
        return self._view.wants_sample(is_armed=self.is_armed)

    def artefacts_now(self) -> tuple[str, ...]:
        """Versions valid for the frame after the last settled one (replayable) or for any new one (live)."""
        view = self.views.valid_after(self.settling.newest)
        return ((view,) if view else ()) + self.heads.names

    @property
    def view_lights(self) -> int:
        """Of the view that the newest analysed frame met."""
        return self._view.lights

    @property
    def scene_now(self) -> SceneNow | None:
        """The condition of the empty view; None: nobody needs one."""
        return self._view.now

    def teach_view(self, seconds: float, draft: Draft, *, is_anew: bool) -> None:
        """The next `seconds` show the empty place.

        Raises:
            PublishError: no rule of the camera needs the empty view (code `usage`).
        """
        spec = self.published.spec
        if not spec.needs_subjects:
            msg = f"{self.camera} has no empty view: expected a rule that needs subjects, such as count_in, got none"
            raise PublishError(msg, code="usage")
        self._view.ask(seconds, draft, is_anew=is_anew)

    def active_alerts(self) -> list[ActiveAlert]:
        """Episodes that have started and not ended."""
        opened = [memory.opened for memory in self.stored.rules.values() if memory.opened is not None]
        return [
            ActiveAlert(each.camera, each.rule, each.episode, each.severity, each.text, each.began_ns)
            for each in opened
        ]

    def rule_values(self) -> dict[str, RuleValue]:
        """As of the newest frame."""
        return {
            name: RuleValue(each.measure, each.unit, each.value, each.is_known, each.phase, each.reason)
            for name, each in self._rules.items()
        }

    # --- entries -----------------------------------------------------------------------------------------------------

    def analysed(self, entry: Analysed, draft: Draft) -> None:
        """A frame that went through the model."""
        novelty = self._admit(entry.ticket, draft)
        if novelty == "repeated" and self.stored.look is not None:
            self.stored.look.frame = entry.ticket.id  # a new owner's gated frames refer to what it analysed again
        if novelty != "new":
            return
        self.heads.used(entry.analysis.artefacts, entry.ticket.position)
        condition = self._view.seen(entry.analysis, draft)
        seen = replace(entry.analysis, subjects=()) if condition.fault else entry.analysis
        analysis, held = self._scene.follow(corrected(seen, self.published.spec.metres))
        held = () if condition.fault else held
        self._trails, subjects = self._trails.step(analysis.subjects, analysis.times.rule_time_ns)
        analysis = replace(analysis, subjects=subjects)
        readings = self._read(analysis, held, condition.fault)
        judged = self._judge_frame(readings, analysis.times.rule_time_ns, draft)
        look = look_at(self.published.spec, analysis, held, readings, condition.word)
        body = self._results.analysed(entry, look, judged.rules, published_ns=draft.published_ns)
        self._emit_result(body, entry.ticket, judged, draft)
        self.stored.look = look
        scene = Scene(entry.ticket, analysis.times.capture_ns, look, analysis, held)
        self._alerts.write(judged.transitions, self.stored.rules, judged.rules, scene, draft)
        self._view.learn(analysis, held, draft, is_armed=self.is_armed)

    def reused(self, entry: Reused, draft: Draft) -> None:
        """A frame that shows what an earlier one showed."""
        before_ns = self.stored.frame_time_ns
        if self._admit(entry.ticket, draft) != "new":
            return
        look = self.stored.look if self.stored.look and self.stored.look.frame == entry.of.id else None
        self._scene.linger(before_ns, entry.times.rule_time_ns)
        condition = self._view.seen_again(look, entry, draft)
        judged = self._judge_frame(self._look_again(look, condition), entry.times.rule_time_ns, draft)
        body = self._results.reused(entry, look, judged.rules, published_ns=draft.published_ns)
        self._emit_result(body, entry.ticket, judged, draft)
        scene = Scene(entry.ticket, entry.times.capture_ns, look)
        self._alerts.write(judged.transitions, self.stored.rules, judged.rules, scene, draft)

    def gone(self, entry: Gone, draft: Draft) -> None:
        """A frame without a result; of a replayable source it is a dead letter."""
        if self._admit(entry.ticket, draft, has_result=False) == "new" and self.published.is_replayable:
            draft.messages.append(self._notices.dead_letter(entry, draft.published_ns))

    def tick(self, entry: Tick, draft: Draft) -> None:
        """Time went on, or the camera is not seen; published only if it changes what a rule remembers."""
        self.stored.state = entry.state
        readings = self._judge.unknown(f"camera {entry.state}") if entry.state in UNSEEN else None
        judged = self._judge_at(readings, entry.rule_time_ns, draft)
        if readings is not None or judged.has_changed:
            self._rules = judged.rules
        if judged.has_changed:
            position = self.stored.last_position or (0, 0)
            body = self._results.tick(entry, position, judged.rules, published_ns=draft.published_ns)
            self._emit_result(body, None, judged, draft)
        self._alerts.write(judged.transitions, self.stored.rules, judged.rules, Scene(), draft)

    def status(self, entry: Status, draft: Draft) -> None:
        """The camera changed its state."""
        self.stored.num_status += 1
        self.stored.state = entry.state
        draft.messages.append(self._notices.status(entry, self.stored.num_status, draft.published_ns))

    def take_up(self, draft: Draft) -> None:
        """The camera is configured, perhaps otherwise than when its state was stored."""
        self.stored.is_gone = False
        self._changes.take_up(draft)

    def leave(self, draft: Draft) -> None:
        """The camera is no longer configured: its episodes end, and it says that it is gone."""
        self._changes.leave(draft)
        why = "no longer in the configuration"
        self.status(Status(self.camera, self.stored.lease, "ended", draft.published_ns, "removed", why), draft)
        self.stored.is_gone = True

    def snapshot_state(self) -> bytes:
        """For the database."""
        self.stored.tracks = self._scene.tracks_to_dict()
        self.stored.trails = self._trails.to_list()
        self.stored.settled = dict(self.settling.upto)
        return self.stored.encode()

    # --- steps -------------------------------------------------------------------------------------------------------

    def _admit(self, ticket: Ticket, draft: Draft, *, has_result: bool = True) -> Novelty:
        """Only new frames go on; what a new owner repeats is counted, and not published again."""
        novelty = note_position(self.stored, ticket, is_replayable=self.published.is_replayable)
        if novelty == "new":
            draft.accepted.append(ticket)
        elif novelty == "retry":
            self.retries += 1
        elif has_result:
            draft.counted.repeated[self.camera] += 1
            self._repetitions.note(ticket, self.stored)
        return novelty

    @property
    def _is_frozen(self) -> bool:
        return self.stored.state == "frozen"

    def _read(self, analysis: Analysis, held: tuple[Subject, ...], fault: str) -> dict[str, Reading]:
        if self._is_frozen:
            return self._judge.unknown("camera frozen")
        return self._judge.unknown(fault) if fault else self._judge.read(analysis, held, self._scene.lost)

    def _look_again(self, look: Look | None, condition: Condition | None) -> dict[str, Reading]:
        if self._is_frozen:
            return self._judge.unknown("camera frozen")
        if look is None:
            return self._judge.unknown("the frame that this one repeats is not known")
        if condition is not None and condition.fault:
            return self._judge.unknown(condition.fault)
        return {name: look.reading(name) for name in self.published.spec.rules}

    def _judge_frame(self, readings: dict[str, Reading], time_ns: int, draft: Draft) -> Judged:
        stored = self.stored
        if stored.frame_time_ns < time_ns and stored.frame_time_ns:
            stored.intervals_ns = [*stored.intervals_ns, time_ns - stored.frame_time_ns][-NUM_INTERVALS:]
        stored.frame_time_ns = time_ns
        judged = self._judge_at(readings, time_ns, draft)
        self._rules = judged.rules
        return judged

    def _judge_at(self, readings: dict[str, Reading] | None, time_ns: int, draft: Draft) -> Judged:
        stored = self.stored
        if not self.published.is_replayable and 0 < stored.rule_time_ns - time_ns <= MIN_GAP_NS:
            time_ns = stored.rule_time_ns  # a tick came before a frame that was read before it
        self.actions.expire(time_ns, draft)
        judged = self._judge.judge(stored.rules, readings, time_ns, period_of(stored.intervals_ns), stored.actions)
        stored.rules = judged.memories
        stored.rule_time_ns = time_ns if self.published.is_replayable else max(stored.rule_time_ns, time_ns)
        return judged

    def _emit_result(self, body: ResultBody, ticket: Ticket | None, judged: Judged, draft: Draft) -> None:
        self.stored.num_results += 1
        body = msgspec.structs.replace(
            body,
            times=msgspec.structs.replace(body.times, rule_time_ns=judged.time_ns),
            number=self.stored.num_results,
            period_ns=period_of(self.stored.intervals_ns),
        )
        draft.messages.append(
            encode_event(
                body,
                event_id=body.id,
                kind="result",
                event="result",
                camera=self.camera,
                site=self._letterhead.site,
                time_ns=draft.published_ns,
                ticket=ticket,
            )
        )
        if ticket is not None:
            draft.counted.offered[self.camera] += 1
