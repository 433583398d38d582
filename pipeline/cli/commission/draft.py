"""What somebody has drawn and typed for a camera so far, and the part of its file that follows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from operators.geometry import FloorCamera
from operators.scene.config import Line, ViewConfig
from operators.scene.floor_markings import Marking
from operators.scene.pose_from_floor import FloorPose, Known, PoseError, solve_pose
from operators.zones import XY, crossing_edges
from pipeline.config.schema import NAME

_TYPED: tuple[Known, ...] = ("height", "pitch", "hfov")
_LEAST_SHARE = 1e-4
"""Of the picture: a smaller polygon is a slip of the hand."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything drawn and typed; points are (x, y) in 0..1 of the picture."""

    markings: tuple[Marking, ...] = ()
    typed: Mapping[Known, float] = field(default_factory=dict[Known, float])
    """`height` in metres, `pitch` and `hfov` in degrees."""
    yaw_degrees: float = 0.0
    zones: Mapping[str, tuple[XY, ...]] = field(default_factory=dict[str, tuple[XY, ...]])
    lines: Mapping[str, tuple[XY, XY]] = field(default_factory=dict[str, tuple[XY, XY]])
    """Drawn on the floor."""
    kept_lines: Mapping[str, Line] = field(default_factory=dict[str, Line])
    """`here`, and lines of the file that the picture does not show."""
    privacy: tuple[tuple[XY, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Posed:
    """How the camera hangs by a draft."""

    view: ViewConfig | None
    """Rounded as it is written; None: not known yet."""
    pose: FloorPose | None
    """None: typed, as it stands in the file, or not known."""
    problem: str
    """Why markings give nothing; empty: all is well."""


def posed(draft: Draft, size: tuple[int, int], written: ViewConfig | None) -> Posed:
    """The view that a draft gives; the one of the file while nothing is marked or typed.

    Args:
        draft: What was drawn and typed.
        size: (H, W) of the picture.
        written: The view that the file has.
    """
    if not draft.markings:
        return _typed(draft, written)
    try:
        found = solve_pose(draft.markings, size, draft.typed)
    except PoseError as error:
        return Posed(None, None, str(error))
    if not 0 < found.pitch_degrees < 90:
        problem = f"the markings give a pitch of {found.pitch_degrees:.0f} degrees: check their sizes and the corners"
        return Posed(None, found, problem)
    values: dict[Known, float] = {
        "height": found.height_metres,
        "pitch": found.pitch_degrees,
        "hfov": found.hfov_degrees,
    }
    return Posed(_view(values, draft.yaw_degrees), found, "")


def _typed(draft: Draft, written: ViewConfig | None) -> Posed:
    """Without markings: what was typed, and the rest as the file has it."""
    known: dict[Known, float] = {}
    if written is not None:
        known = {"height": written.height, "pitch": written.pitch, "hfov": written.hfov}
    known |= draft.typed
    if missing := [name for name in _TYPED if name not in known]:
        said = f"type {' and '.join(missing)} too, or mark something of known size on the floor"
        return Posed(None, None, said if draft.typed else "")
    return Posed(_view(known, draft.yaw_degrees), None, "")


def _view(values: Mapping[Known, float], yaw_degrees: float) -> ViewConfig:
    return ViewConfig(
        hfov=round(values["hfov"], 1), height=round(values["height"], 2), pitch=round(values["pitch"], 1),
        yaw=round(yaw_degrees, 1),
    )  # fmt: skip


def mistakes(draft: Draft, view: ViewConfig | None, size: tuple[int, int]) -> list[str]:
    """What keeps a draft from being written, one sentence each."""
    said: list[str] = []
    for kind, names in (("zone", draft.zones), ("line", {**draft.lines, **draft.kept_lines})):
        said += [f"{kind} {name!r}: a name begins with a letter" for name in names if not re.fullmatch(NAME, name)]
    polygons = {f"zone {name}": corners for name, corners in draft.zones.items()}
    polygons |= {f"privacy {number}": corners for number, corners in enumerate(draft.privacy, start=1)}
    for name, corners in polygons.items():
        if len(corners) < 3:
            said.append(f"{name}: expected three corners or more, got {len(corners)}")
        elif (crossed := crossing_edges(corners)) is not None:
            said.append(f"{name} crosses itself at edges {crossed[0] + 1} and {crossed[1] + 1}: move a corner")
        elif _area(corners) < _LEAST_SHARE:
            said.append(f"{name}: so small that no patch lies in it")
    if draft.lines and view is None:
        said.append(f"line {next(iter(draft.lines))}: metres need a pose: mark the floor, or type it")
    elif view is not None:
        said += [f"line {name}: {why}" for name, ends in draft.lines.items() if (why := _off_floor(ends, view, size))]
    return said


def _area(corners: Sequence[XY]) -> float:
    nexts = [*corners[1:], corners[0]]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, nexts, strict=True))) / 2


def _off_floor(ends: tuple[XY, XY], view: ViewConfig, size: tuple[int, int]) -> str:
    found = floor_line(ends, view, size)
    if found is None:
        return "an end lies at or above the horizon, where no floor is"
    return "both ends are one point" if found[0] == found[1] else ""


def floor_line(
    ends: tuple[XY, XY], view: ViewConfig, size: tuple[int, int]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Floor points in metres, to the centimetre, of a line drawn in the picture; None: an end is not on the floor."""
    camera, found = FloorCamera(view, size), list[tuple[float, float]]()
    for x, y in ends:
        right, ahead, down = (float(each) for each in camera.rays(np.array(y * size[0]), np.array(x * size[1])))
        if down <= 1e-3:
            return None
        depth = view.height / down
        found.append((round(right * depth, 2), round(ahead * depth, 2)))
    return found[0], found[1]


def drawn_line(line: Line, view: ViewConfig | None, size: tuple[int, int]) -> tuple[XY, XY] | None:
    """Where a line of the file is seen, in 0..1 of the picture; None: `here`, or an end is out of it."""
    if line == "here" or view is None:
        return None
    camera, ends = FloorCamera(view, size), list[XY]()
    for right, ahead in line:
        y, x = (float(each) for each in camera.pixel_of(np.array(right), np.array(ahead)))
        if not (0 <= x <= size[1] and 0 <= y <= size[0]):
            return None
        ends.append((x / size[1], y / size[0]))
    return ends[0], ends[1]


def camera_values(draft: Draft, view: ViewConfig | None, size: tuple[int, int]) -> dict[str, Any]:
    """`view`, `lines`, `zones`, `privacy` as the structs of the configuration hold them; no mistakes may be left."""
    lines: dict[str, Line] = dict(draft.kept_lines)
    if view is not None:
        lines |= {name: found for name, ends in draft.lines.items() if (found := floor_line(ends, view, size))}
    return {
        "view": view,
        "lines": lines,
        "zones": {name: _rounded(corners) for name, corners in draft.zones.items()},
        "privacy": tuple(_rounded(corners) for corners in draft.privacy),
    }


def _rounded(corners: Sequence[XY]) -> tuple[XY, ...]:
    return tuple((_share(x), _share(y)) for x, y in corners)


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)
