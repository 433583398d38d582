"""One frame's result as it goes on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from operators.camera import CameraSpec
from operators.frames import Ticket, Times
from operators.results import Analysis, ModelInfo, Subject
from operators.rules.measures import Reading
from operators.zones import touches, zone_depth
from pipeline.frame_path.publisher.stored_camera import Look
from pipeline.frame_path.publisher.view_condition import SceneWord
from pipeline.frame_path.publisher.wire import (
    encode_array,
    finite,
    wire_depth,
    wire_inverse_depth,
    wire_labels,
    wire_mask,
    wire_model,
    wire_placement,
    wire_segments,
    wire_subject,
    wire_times,
    wire_vector,
    wire_words,
)
from pipeline.frame_path.publisher.wire_result import ResultBody, WireRule, WireZone
from pipeline.messages import Analysed, Reused, Tick


def look_at(
    spec: CameraSpec,
    analysis: Analysis,
    held: Sequence[Subject],
    readings: Mapping[str, Reading],
    scene: SceneWord = "",
) -> Look:
    """What stays of an analysis for the gated frames that follow."""
    subjects = [wire_subject(each) for each in analysis.subjects]
    subjects.extend(wire_subject(each, is_held=True) for each in held)
    return Look(
        frame=analysis.ticket.id,
        readings={
            name: (finite(each.value), finite(each.sigma), each.is_known, each.reason)
            for name, each in readings.items()
        },
        frame_label=wire_labels(analysis.labels),
        subjects=subjects,
        zones=_zones(spec, analysis),
        artefacts=list(analysis.artefacts),
        view=analysis.view,
        view_lights=analysis.view_lights,
        view_check=analysis.view_check,
        scene=scene,
        space=analysis.space,
        segments={each.head: wire_segments(each, spec.zones) for each in analysis.segments},
    )


@dataclass(frozen=True, slots=True)
class ResultWriter:
    """Builds the results of one camera."""

    spec: CameraSpec
    model: ModelInfo

    def analysed(self, entry: Analysed, look: Look, rules: Mapping[str, WireRule], *, published_ns: int) -> ResultBody:
        """Of a frame that went through the model."""
        analysis = entry.analysis
        return msgspec.structs.replace(
            self._base(entry.ticket, look, rules, entry.drops),
            times=wire_times(analysis.times, analysis.analysed_ns, published_ns, analysis.computed_seconds),
            placement=wire_placement(analysis.placement),
            embedding=encode_array(analysis.embedding) if analysis.embedding is not None else None,
            depth=wire_depth(analysis.depth) if analysis.depth is not None else None,
            inverse_depth=None if analysis.inverse_depth is None else wire_inverse_depth(analysis.inverse_depth),
            model=wire_model(self.model, analysis.space, analysis.subject_space or None),
            subjects=[*map(wire_vector, look.subjects, analysis.subjects), *look.subjects[len(analysis.subjects) :]],
            segments={
                each.head: msgspec.structs.replace(look.segments[each.head], mask=wire_mask(each))
                if each.is_mask_wanted
                else look.segments[each.head]
                for each in analysis.segments
            },
            words=wire_words(analysis.labels),
        )

    def reused(
        self, entry: Reused, look: Look | None, rules: Mapping[str, WireRule], *, published_ns: int
    ) -> ResultBody:
        """Of a frame whose picture did not change; `look` None: the analysis that it refers to is not known."""
        return msgspec.structs.replace(
            self._base(entry.ticket, look, rules, entry.drops),
            times=wire_times(entry.times, 0, published_ns),
            reused_of=entry.of.id,
        )

    def tick(
        self, entry: Tick, position: tuple[int, int], rules: Mapping[str, WireRule], *, published_ns: int
    ) -> ResultBody:
        """Of no frame: rules changed since time went on. `position` is that of the last frame before it."""
        times = Times(entry.rule_time_ns, published_ns, entry.rule_time_ns, "arrival", 0)
        ticket = Ticket(entry.camera, entry.lease, *position)
        return msgspec.structs.replace(
            self._base(ticket, None, rules, {}),
            id=f"{entry.camera}/tick/{entry.rule_time_ns}/result",
            times=wire_times(times, 0, published_ns),
            tick=True,
        )

    def _base(
        self, ticket: Ticket, look: Look | None, rules: Mapping[str, WireRule], drops: Mapping[str, int]
    ) -> ResultBody:
        seen = look or Look("", {}, {}, [], {}, [], None, 0, "")
        return ResultBody(
            id=f"{ticket.id}/result",
            camera=ticket.camera,
            epoch=ticket.epoch,
            seq=ticket.seq,
            lease=ticket.lease,
            labels=self.spec.labels,
            times=_NO_TIMES,
            model=wire_model(self.model, seen.space or None),
            artefacts=seen.artefacts,
            view=seen.view,
            view_lights=seen.view_lights,
            scene=seen.scene,
            frame_label=seen.frame_label,
            subjects=seen.subjects,
            zones=seen.zones,
            segments=seen.segments,
            rules=dict(rules),
            drops=dict(drops),
        )


_NO_TIMES = wire_times(Times(0, 0, 0, "arrival", 0), 0, 0)


def _zones(spec: CameraSpec, analysis: Analysis) -> dict[str, WireZone]:
    """Depth and subjects over each zone; without depth, subjects alone."""
    found: dict[str, WireZone] = {}
    for name, polygon in spec.zones.items():
        num_subjects = sum(touches(each.mask, polygon) for each in analysis.subjects)
        if analysis.depth is None:
            found[name] = WireZone(None, None, 0.0, num_subjects)
            continue
        depth = zone_depth(analysis.depth.metres, polygon)
        found[name] = WireZone(finite(depth.p05), finite(depth.median), depth.valid_share, num_subjects)
    return found
