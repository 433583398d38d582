"""A camera's drive-ins, where its depth head and view read them, and rules that they show to be too tight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil

from operators.camera import CameraSpec
from operators.rules.margins import takes_margin
from operators.rules.measure_table import parse_measure
from operators.scene.residuals import MeasuredMetres, metres_fingerprint
from operators.units import Threshold
from pipeline.config.problems import Place
from pipeline.frame_path.publisher.artefacts import ArtefactStore

JITTERS_APART = 4.0
"""Enter and exit closer than this many standard deviations of one reading: noise alone would end an episode."""


@dataclass(frozen=True, slots=True)
class DriveIns:
    """What is known of one camera's metres."""

    metres: MeasuredMetres | None
    note: str = ""
    """Why stored drive-ins are not used, or not all of them."""


def drive_ins(spec: CameraSpec, head: bytes | None, store: ArtefactStore) -> DriveIns:
    """The newest drive-ins of a camera, if what read them is what it has now.

    Args:
        spec: Of the camera.
        head: The file of its depth head; None: it has none, or it is not here to be compared.
        store: Where `drive-in` left them.
    """
    version = store.latest(f"metres/{spec.camera}")
    if version is None:
        return DriveIns(None)
    try:
        metres = MeasuredMetres.from_bytes(store.get(version), version)
    except ValueError as error:
        return DriveIns(None, f"{error}: not used. Measure again with `drive-in`")
    if not metres.stops:
        return DriveIns(None)  # somebody took them all out
    days = sorted({stop.measured_at[:10] for stop in metres.stops})
    named = f"{version} ({len(metres.stops)} stops, {' and '.join((days[0], days[-1]) if len(days) > 1 else days)})"
    if head is None or spec.view is None:
        return DriveIns(None, f"{named} is not compared: the camera's depth head is not here yet")
    if metres.fingerprint != metres_fingerprint(head, spec.view):
        return DriveIns(
            None, f"{named} was read by another depth head or another `view`: not used. Measure again with `drive-in`"
        )
    kept = tuple(stop for stop in metres.stops if spec.lines.get(stop.line) == stop.floor)
    if len(kept) == len(metres.stops):
        return DriveIns(metres)
    moved = ", ".join(sorted({stop.line for stop in metres.stops} - {stop.line for stop in kept}))
    note = f"{named}: line {moved} lies elsewhere now, and its stops are not used. Measure again with `drive-in`"
    if not kept:
        return DriveIns(None, note)
    lines = {stop.line for stop in kept}
    offsets = {line: offset for line, offset in metres.offsets_metres.items() if line in lines}
    return DriveIns(replace(metres, stops=kept, offsets_metres=offsets), note)


def too_tight(place: Place, spec: CameraSpec, metres: MeasuredMetres) -> Iterator[tuple[Place, str]]:
    """Rules whose enter and exit lie closer together than single readings scatter.

    Args:
        place: Of the camera.
        spec: Of the camera.
        metres: Its drive-ins.
    """
    least = JITTERS_APART * metres.jitter_metres
    for name, rule in spec.rules.items():
        enter, leave = rule.enter, rule.exit
        if not takes_margin(rule) or not isinstance(enter, Threshold) or leave is None:
            continue
        line = parse_measure(rule.measure).args[0]
        if metres.of_line(line) and leave.value - enter.value < least:
            yield (
                (*place, "rules", name, "exit"),
                (
                    f"{leave} lies {leave.value - enter.value:.2f} m beyond enter ({enter}), and single readings of "
                    f"this camera scatter by {metres.jitter_metres:.2f} m ({metres.version}): expected at least "
                    f'{JITTERS_APART:g} times that, such as "> {ceil(100 * (enter.value + least)) / 100:.2f} m"'
                ),
            )


def is_fitted_at_view(spec: CameraSpec, heads: Mapping[str, bytes]) -> bool:
    """Whether a camera's depth head was fitted at its own view."""
    return any(f"{name}@{spec.camera}" in heads for name in spec.heads)


def head_of(spec: CameraSpec, heads: Mapping[str, bytes]) -> bytes | None:
    """The file of a camera's depth head, by `head@camera` or by head; None: it has none of them."""
    found = (heads.get(f"{name}@{spec.camera}") or heads.get(name) for name in spec.heads)
    return next((each for each in found if each is not None), None)
