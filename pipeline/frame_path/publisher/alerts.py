"""Start and end of an episode as events: alert, what is active now, and the picture that is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from operators.camera import CameraSpec
from operators.frames import Ticket
from operators.results import Analysis, Subject
from operators.rules.config import EvidenceWish
from operators.rules.episodes import Transition
from operators.rules.margins import margin_metres, with_margin
from pipeline.frame_path.drawing import Sight
from pipeline.frame_path.publisher.alert_drawing import alert_drawing, drawn_preview
from pipeline.frame_path.publisher.draft import CLIP_SUFFIX, Draft, Letterhead, Wanted
from pipeline.frame_path.publisher.evidence import clip_path, evidence_path
from pipeline.frame_path.publisher.judging import Judge
from pipeline.frame_path.publisher.sentences import end_sentence, nearest_subject, start_sentence
from pipeline.frame_path.publisher.stored_actions import StoredActions
from pipeline.frame_path.publisher.stored_camera import Look, RuleMemory
from pipeline.frame_path.publisher.wire import encode_event, finite, wire_model, wire_subject
from pipeline.frame_path.publisher.wire_result import WireRule
from pipeline.frame_path.publisher.wire_schema import AlertBody
from pipeline.messages import ClipSpan, Drawing, Message


@dataclass(frozen=True, slots=True)
class Scene:
    """What was seen when rules changed their phase; all None or empty for a tick."""

    ticket: Ticket | None = None
    capture_ns: int | None = None
    look: Look | None = None
    analysis: Analysis | None = None
    held: tuple[Subject, ...] = ()

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return (*self.analysis.subjects, *self.held) if self.analysis is not None else ()


def active_message(body: AlertBody, change: str, site: str, time_ns: int) -> Message:
    """What is active now of one rule, or its tombstone at an end. `change` names what made it so, once an episode."""
    return encode_event(
        body if body.transition == "start" else None,
        event_id=f"{body.camera}/{body.rule}/{body.episode}/state/{change}",
        kind="state",
        event="alert.state",
        camera=body.camera,
        site=site,
        time_ns=time_ns,
        key=f"{body.camera}/{body.rule}",
    )


class AlertWriter:
    """Turns the transitions of one camera's rules into messages."""

    def __init__(self, spec: CameraSpec, letterhead: Letterhead, judge: Judge, actions: StoredActions) -> None:
        self._spec = spec
        self._letterhead = letterhead
        self._judge = judge
        self._actions = actions

    def write(
        self,
        transitions: Sequence[Transition],
        memories: dict[str, RuleMemory],
        rules: Mapping[str, WireRule],
        scene: Scene,
        draft: Draft,
    ) -> None:
        """Adds the events to the draft, and notes in `memories` which episodes are open."""
        for transition in transitions:
            memory = memories[transition.rule]
            if transition.kind == "start":
                body = self._start(transition, memory, rules[transition.rule], scene, draft)
                memory.opened = body
            else:
                body = self._end(transition, memory, rules.get(transition.rule), scene, draft)
                memory.opened = None
            if body is not None:
                self._emit(body, scene, draft)

    def _start(
        self, transition: Transition, memory: RuleMemory, wire: WireRule, scene: Scene, draft: Draft
    ) -> AlertBody:
        rule = self._spec.rules[transition.rule]
        measure = self._judge.measure(transition.rule)
        subject = nearest_subject(scene.subjects, measure, transition.value)
        return AlertBody(
            id=f"{self._spec.camera}/{transition.rule}/{transition.episode}/start",
            camera=self._spec.camera,
            labels=self._spec.labels,
            rule=transition.rule,
            episode=transition.episode,
            transition="start",
            text=start_sentence(
                self._spec.camera, rule, measure, transition, subject, margin=margin_metres(rule, self._spec.metres)
            ),
            severity=rule.severity,
            notify=transition.notify,
            muted=self._actions.is_muted(transition.rule),
            measure=rule.measure,
            unit=wire.unit,
            value=finite(transition.value),
            sigma=wire.sigma,
            enter=wire.enter,
            exit=wire.exit,
            asked_enter=wire.asked_enter,
            asked_exit=wire.asked_exit,
            hold_seconds=rule.hold,
            reason=transition.reason,
            frame=scene.ticket.id if scene.ticket else None,
            began_ns=transition.began_ns,
            rule_time_ns=transition.rule_time_ns,
            published_ns=draft.published_ns,
            capture_ns=scene.capture_ns,
            subject=wire_subject(subject) if subject is not None else None,
            history=memory.history,
            evidence=self._picture_path(transition, scene),
            clip=self._clip_path(transition, scene),
            model=wire_model(self._letterhead.model, scene.look.space if scene.look else None),
            artefacts=scene.look.artefacts if scene.look else [],
            view=scene.look.view if scene.look else None,
        )

    def _end(
        self, transition: Transition, memory: RuleMemory, wire: WireRule | None, scene: Scene, draft: Draft
    ) -> AlertBody | None:
        """The start's body with what the end changes, so that both always agree. None: no start is known."""
        opened = memory.opened
        if opened is None:
            return None
        duration = max(0.0, (transition.rule_time_ns - transition.began_ns) / 1e9)
        text = end_sentence(opened, duration_seconds=duration, extreme=memory.extreme, reason=transition.reason)
        return msgspec.structs.replace(
            opened,
            id=f"{self._spec.camera}/{transition.rule}/{transition.episode}/end",
            transition="end",
            text=text,
            notify=transition.notify and not opened.muted,
            value=finite(transition.value),
            sigma=wire.sigma if wire else None,
            reason=transition.reason,
            frame=scene.ticket.id if scene.ticket else None,
            rule_time_ns=transition.rule_time_ns,
            published_ns=draft.published_ns,
            capture_ns=scene.capture_ns,
            duration_seconds=duration,
            extreme=memory.extreme,
            subject=None,
            history=memory.history,
            evidence=self._picture_path(transition, scene),
            clip=None,
            artefacts=scene.look.artefacts if scene.look else [],
            view=scene.look.view if scene.look else None,
        )

    def _emit(self, body: AlertBody, scene: Scene, draft: Draft) -> None:
        camera, site = self._spec.camera, self._letterhead.site
        is_pictured = self._wish(body.rule) is not None and scene.ticket is not None
        drawing = self._drawing(body, scene) if is_pictured else None
        preview = self._preview(drawing, scene.analysis) if drawing is not None and scene.analysis is not None else None
        alert = encode_event(
            msgspec.structs.replace(body, preview=preview),
            event_id=body.id,
            kind="alert",
            event=f"alert.{body.transition}",
            camera=camera,
            site=site,
            time_ns=draft.published_ns,
        )
        draft.messages.extend((alert, active_message(body, body.transition, site, draft.published_ns)))
        if body.evidence is not None and scene.ticket is not None and drawing is not None:
            plain = scene.analysis.preview if scene.analysis is not None else None
            path = evidence_path(camera, body.rule, body.episode, body.transition)
            draft.wanted.append(Wanted(body.id, scene.ticket, drawing, path, plain))
        if body.clip is not None and scene.ticket is not None:
            draft.wanted.append(self._clip_wanted(body, scene.ticket))

    def _wish(self, rule: str) -> EvidenceWish | None:
        config = self._spec.rules.get(rule)
        return config.evidence if config is not None else None

    def _picture_path(self, transition: Transition, scene: Scene) -> str | None:
        wish = self._wish(transition.rule)
        if wish is None or not wish.snapshot or scene.ticket is None:
            return None
        path = evidence_path(self._spec.camera, transition.rule, transition.episode, transition.kind)
        return f"{self._letterhead.evidence_store}/{path}"

    def _clip_path(self, transition: Transition, scene: Scene) -> str | None:
        wish = self._wish(transition.rule)
        if wish is None or wish.clip is None or scene.ticket is None:
            return None
        path = evidence_path(self._spec.camera, transition.rule, transition.episode, transition.kind)
        return f"{self._letterhead.evidence_store}/{clip_path(path)}"

    def _clip_wanted(self, body: AlertBody, ticket: Ticket) -> Wanted:
        wish = self._wish(body.rule)
        assert wish is not None
        assert wish.clip is not None
        span = ClipSpan(
            from_ns=body.began_ns - round(wish.clip.before * 1e9),
            to_ns=body.rule_time_ns + round(wish.clip.after * 1e9),
            max_bytes=wish.clip.max_bytes,
        )
        path = clip_path(evidence_path(body.camera, body.rule, body.episode, body.transition))
        return Wanted(f"{body.id}{CLIP_SUFFIX}", ticket, Drawing(""), path, None, span)

    def _drawing(self, body: AlertBody, scene: Scene) -> Drawing:
        rule = with_margin(self._spec.rules[body.rule], self._spec.metres)
        subjects = scene.look.subjects if scene.look else []
        measure = self._judge.measure(body.rule)
        return alert_drawing(body, rule, measure, self._spec, subjects=subjects, seen=scene.subjects)

    def _preview(self, drawing: Drawing, analysis: Analysis) -> bytes | None:
        """The model's picture with the drawing on it; None: the frame brought none."""
        if analysis.preview is None:
            return None
        sight = Sight(analysis.placement, self._spec.view, is_source=False)
        return drawn_preview(analysis.preview, drawing, sight)
