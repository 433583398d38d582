"""Reads a measure of one frame: the number that a rule watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from operators.camera import CameraSpec
from operators.results import Analysis, LineDistance, Subject
from operators.rules.config import RuleConfig
from operators.rules.counted import counted_by, label_of, polygon_of
from operators.rules.measure_table import MEASURES, MeasureKind, MeasureSpec, Needs, parse_measure
from operators.zones import zone_mask

__all__ = ["MEASURES", "MeasureKind", "MeasureSpec", "Needs", "Reading", "parse_measure", "read_measure"]

MAX_INVALID_SHARE = 0.2
"""With more of a subject without valid depth than this, its distance is not believed. Source: our own choice."""
MIN_VALID_SHARE = 0.8
"""With less valid depth than this in the picture (or in the zone), a distance is unknown. Source: our own choice."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a measure at one frame."""

    value: float | None
    """None although known: no subject, which counts as beyond `exit`."""
    sigma: float | None
    """One standard deviation, in the unit of the value, where the measure knows it."""
    is_known: bool
    reason: str = ""
    """Why it is not known, or why there is nobody any more; for people."""

    @staticmethod
    def of(value: float, sigma: float | None = None) -> Reading:
        """A number."""
        return Reading(value, sigma, is_known=True)

    @staticmethod
    def nothing() -> Reading:
        """Known, and nobody there."""
        return Reading(None, None, is_known=True)

    @staticmethod
    def unknown(reason: str) -> Reading:
        """It cannot be told; the rule's `on_unknown` decides."""
        return Reading(None, None, is_known=False, reason=reason)


def read_measure(
    spec: MeasureSpec,
    rule: RuleConfig,
    camera: CameraSpec,
    analysis: Analysis,
    held: Sequence[Subject] = (),
    *,
    lost: Sequence[Subject] = (),
) -> Reading:
    """The number of `spec` at one frame.

    Args:
        spec: Of `rule.measure`.
        rule: `in` keeps subjects that touch the zone, `of` those with one of the labels.
        camera: Zones.
        analysis: Of the frame.
        held: Subjects that vanished at the bottom of the picture and that the tracker still carries; they count like
            those in view.
        lost: Those that it carried until this frame: where one would have counted, the reading says so.

    Returns:
        Unknown where the empty view, the depth or a head is missing; known and None where no subject counts.

    Raises:
        ValueError: the measure is not built yet, or the camera lacks the zone; configuration checks come first.
    """
    reader = _READERS.get(spec.name)
    if reader is None:
        msg = f"measure {spec.name} is not built yet: use one of {', '.join(_READERS)}"
        raise ValueError(msg)
    if spec.needs.subjects and analysis.view is None:
        return Reading.unknown("the empty view is not learnt yet")
    if spec.needs.subjects and analysis.view_lights == 1 and "one_light" not in rule.accept:
        return Reading.unknown("the empty view has seen one light of two")
    if spec.needs.depth and (fault := _depth_fault(rule, analysis)):
        return Reading.unknown(fault)
    reading = reader(spec, rule, camera, analysis, held)
    if not (lost and reading.is_known and spec.needs.subjects):
        return reading
    counted = counted_by(rule, camera, lost, zone=spec.args[0] if spec.name == "count_in" else None)
    if isinstance(counted, str) or not counted:
        return reading
    return replace(reading, reason=f"below the picture for {camera.scene.hold_below:.0f} s, not seen again")


def _depth_fault(rule: RuleConfig, analysis: Analysis) -> str:
    depth = analysis.depth
    if depth is None:
        return "the depth head is missing"
    if not depth.is_calibrated and "uncalibrated" not in rule.accept:
        return (
            "the depth is not calibrated: the field of view of the camera, or the one of its depth head, is not known"
        )
    return ""


def _distance_to(
    spec: MeasureSpec, rule: RuleConfig, camera: CameraSpec, analysis: Analysis, held: Sequence[Subject]
) -> Reading:
    if fault := _hidden(rule, camera, analysis):
        return Reading.unknown(fault)
    seen, gone = counted_by(rule, camera, analysis.subjects), counted_by(rule, camera, held)
    if isinstance(seen, str):
        return Reading.unknown(seen)
    if isinstance(gone, str):
        return Reading.unknown(gone)
    believed: list[LineDistance] = []
    doubted: list[tuple[float, str]] = []
    for subject, is_seen in [*((each, True) for each in seen), *((each, False) for each in gone)]:
        for distance in subject.distances:
            if distance.line != spec.args[0] or not np.isfinite(distance.metres):
                continue
            doubt = _doubt(subject, distance) if is_seen else None
            if doubt is None:
                believed.append(distance)
            else:
                doubted.append(doubt)
    if (seen or gone) and not believed and not doubted:
        return Reading.unknown(f"no subject has a distance to {spec.args[0]}")
    return _nearest(believed, doubted)


def _hidden(rule: RuleConfig, camera: CameraSpec, analysis: Analysis) -> str:
    """Too little valid depth where the rule looks: in its zone, else in the whole picture."""
    depth = analysis.depth
    if depth is None:
        return ""
    if rule.in_ is None:
        return f"only {depth.valid_share:.0%} of the depth is valid" if depth.valid_share < MIN_VALID_SHARE else ""
    grid = (depth.metres.shape[0], depth.metres.shape[1])
    inside = np.isfinite(depth.metres[zone_mask(polygon_of(camera, rule.in_), grid)])
    if inside.sum() >= MIN_VALID_SHARE * inside.size:
        return ""
    return f"only {inside.sum()} of {inside.size} patches of zone {rule.in_} have valid depth"


def _doubt(subject: Subject, distance: LineDistance) -> tuple[float, str] | None:
    """How near a subject may be whose distance is not believed, and why it is not; None: it is."""
    if subject.invalid_share > MAX_INVALID_SHARE:
        return distance.metres, f"{subject.invalid_share:.0%} of a subject has no valid depth"
    before = distance.before_metres
    if before is None:
        return None
    return min(before, distance.metres), f"jumped from {before:.1f} m to {distance.metres:.1f} m in one sample"


def _nearest(believed: Sequence[LineDistance], doubted: Sequence[tuple[float, str]]) -> Reading:
    """The nearest that is believed, unless one that is not may be nearer."""
    nearest = min(believed, key=lambda each: each.metres, default=None)
    for metres, why in doubted:
        if nearest is None or metres < nearest.metres:
            return Reading.unknown(why)
    return Reading.nothing() if nearest is None else Reading.of(nearest.metres, nearest.sigma_metres)


def _count_in(
    spec: MeasureSpec, rule: RuleConfig, camera: CameraSpec, analysis: Analysis, held: Sequence[Subject]
) -> Reading:
    counted = counted_by(rule, camera, (*analysis.subjects, *held), zone=spec.args[0])
    return Reading.unknown(counted) if isinstance(counted, str) else Reading.of(float(len(counted)))


def _camera_depth(
    spec: MeasureSpec, rule: RuleConfig, camera: CameraSpec, analysis: Analysis, held: Sequence[Subject]
) -> Reading:
    del rule, held
    assert analysis.depth is not None
    metres = analysis.depth.metres
    grid = (metres.shape[0], metres.shape[1])
    inside = metres[zone_mask(polygon_of(camera, spec.args[0]), grid)].astype(np.float32)
    valid = inside[np.isfinite(inside)]
    if valid.size == 0 or valid.size < MIN_VALID_SHARE * inside.size:
        return Reading.unknown(f"only {valid.size} of {inside.size} patches of zone {spec.args[0]} have valid depth")
    return Reading.of(float(np.percentile(valid, spec.percentile or 0.0)))


def _score(
    spec: MeasureSpec, rule: RuleConfig, camera: CameraSpec, analysis: Analysis, held: Sequence[Subject]
) -> Reading:
    del rule, camera, held
    head, wanted = spec.args
    label = label_of(analysis.labels, head)
    if label is None:
        return Reading.unknown(f"head {head} is missing")
    if label.is_empty or label.is_unknown:
        return Reading.of(0.0)
    return Reading.of(dict(label.top).get(wanted, 0.0))


def _share_of(
    spec: MeasureSpec, rule: RuleConfig, camera: CameraSpec, analysis: Analysis, held: Sequence[Subject]
) -> Reading:
    del rule, held
    head, wanted, zone = spec.args
    found = next((each for each in analysis.segments if each.head == head), None)
    if found is None:
        return Reading.unknown(f"head {head} is missing")
    if wanted not in found.classes:
        msg = f"unknown class {wanted!r}: head {head} knows {', '.join(found.classes[:5])}, ... ({camera.camera})"
        raise ValueError(msg)
    grid = (found.indices.shape[0], found.indices.shape[1])
    inside = found.indices[zone_mask(polygon_of(camera, zone), grid)]
    if not inside.size:
        return Reading.unknown(f"zone {zone} covers no whole patch")
    return Reading.of(float((inside == found.classes.index(wanted)).mean()))


def _similarity(
    spec: MeasureSpec, rule: RuleConfig, camera: CameraSpec, analysis: Analysis, held: Sequence[Subject]
) -> Reading:
    del rule, camera, held
    label = label_of(analysis.labels, spec.args[0])
    if label is None or not label.top:
        return Reading.unknown(f"head {spec.args[0]} is missing")
    return Reading.of(label.top[0][1])


_Reader = Callable[[MeasureSpec, RuleConfig, CameraSpec, Analysis, Sequence[Subject]], Reading]
_READERS: dict[str, _Reader] = {
    "distance_to": _distance_to,
    "count_in": _count_in,
    "camera_depth": _camera_depth,
    "score": _score,
    "share_of": _share_of,
    "similarity": _similarity,
}
