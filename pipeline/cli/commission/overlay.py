"""The floor in metres, laid over the picture, and what to say of a pose: whoever looks sees whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from operators.geometry import FloorCamera
from operators.scene.pose_from_floor import FloorPose
from operators.zones import XY
from pipeline.cli.commission.draft import floor_line
from pipeline.cli.commission.session import Session

_SIDE_METRES, _AHEAD_METRES, _STRONG_METRES = 15, 30, 5
_SAMPLES = 25
_LEAST_ROLL, _ROLL_SIGMAS = 1.5, 2.0
_TELLS = {"hfov": ("field of view", "degrees"), "pitch": ("pitch", "degrees"), "height": ("height", "m")}


@dataclass(frozen=True, slots=True)
class GridLine:
    """One line of the floor's grid."""

    points: tuple[XY, ...]
    """In 0..1 of the picture, and beyond its edges."""
    is_strong: bool
    label: str
    """Such as `5 m`, at the first point that is in the picture; empty for most."""


def floor_grid(floor: FloorCamera) -> list[GridLine]:
    """Lines a metre apart, ahead of the camera's foot and to both sides."""
    ahead = np.linspace(0.0, _AHEAD_METRES, _SAMPLES * 4)
    aside = np.linspace(-_SIDE_METRES, _SIDE_METRES, _SAMPLES)
    lines: list[GridLine] = []
    for metres in range(1, _AHEAD_METRES + 1):
        strong = metres % _STRONG_METRES == 0
        label = f"{metres} m" if strong or metres < _STRONG_METRES else ""
        lines += _line(floor, aside, np.full_like(aside, metres), is_strong=strong, label=label)
    for metres in range(-_SIDE_METRES, _SIDE_METRES + 1):
        lines += _line(floor, np.full_like(ahead, metres), ahead, is_strong=metres % _STRONG_METRES == 0, label="")
    return lines


def _line(floor: FloorCamera, x: np.ndarray, y: np.ndarray, *, is_strong: bool, label: str) -> list[GridLine]:
    rows, columns = floor.pixel_of(x, y)
    height, width = floor.size
    points = [
        (round(float(column) / width, 4), round(float(row) / height, 4))
        for row, column in zip(rows, columns, strict=True)
        if np.isfinite(row) and -3 * height < row < 4 * height and -3 * width < column < 4 * width
    ]
    is_seen = any(0 <= column <= 1 and 0 <= row <= 1 for column, row in points)
    return [GridLine(tuple(points), is_strong, label)] if is_seen and len(points) > 1 else []


def advice(pose: FloorPose | None) -> list[str]:
    """What somebody should do about a pose; empty: nothing."""
    if pose is None:
        return []
    said: list[str] = []
    if pose.is_contradictory:
        said.append(
            f"the markings disagree: points lie {pose.residual_px:.1f} pixels off, and careful marking leaves "
            f"{pose.expected_px:.1f}. Check the sizes, and which side is which; typed values count too"
        )
    for name in pose.weak:
        what, unit = _TELLS[name]
        said.append(
            f"these markings hardly tell the {what} (give or take {pose.sigma[name]:.1f} {unit}): mark something "
            "larger or one more thing, or type what you know"
        )
    if abs(pose.roll_degrees) > max(_LEAST_ROLL, _ROLL_SIGMAS * pose.sigma["roll"]):
        said.append(
            f"the camera hangs {abs(pose.roll_degrees):.1f} degrees off level, which the configuration cannot say: "
            "turn it straight, else distances to the sides are off"
        )
    return said


def pose_shown(session: Session) -> list[str]:
    """The pose in words, with how sure each value is."""
    view, pose = session.posed.view, session.posed.pose
    if view is None:
        return []
    sigma: Mapping[str, float] = pose.sigma if pose else {}
    rows = (("height", view.height, "m"), ("pitch", view.pitch, "deg"), ("hfov", view.hfov, "deg"))
    shown = [f"{name} {value:g} {unit}{_give_or_take(name, sigma)}" for name, value, unit in rows]
    if pose is not None:
        shown.append(f"points off by {pose.residual_px:.1f} px")
    return shown


def _give_or_take(name: str, sigma: Mapping[str, float]) -> str:
    return "" if not sigma.get(name) else f" ± {sigma[name]:.2g}"


def lines_shown(session: Session) -> dict[str, str]:
    """Each drawn line in metres on the floor."""
    view, shown = session.posed.view, dict[str, str]()
    for name, ends in session.draft.lines.items():
        found = None if view is None else floor_line(ends, view, session.size)
        if found is not None:
            (ax, ay), (bx, by) = found
            shown[name] = f"{np.hypot(bx - ax, by - ay):.2f} m long, {(ay + by) / 2:.2f} m ahead"
    for name, line in session.draft.kept_lines.items():
        shown[name] = "through the camera's foot" if line == "here" else f"{line[0]} to {line[1]}, out of the picture"
    return shown
