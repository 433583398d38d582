"""Drafts as the page sends and gets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, cast

from operators.scene.config import Line
from operators.scene.floor_markings import Marking, Parallels, Rectangle, Segment
from operators.zones import XY
from pipeline.cli.commission.draft import Draft


class DraftError(ValueError):
    """What was sent is no draft."""


def draft_to_json(draft: Draft) -> dict[str, Any]:
    """Plain maps and lists."""
    return {
        "markings": [_marking_to_json(each) for each in draft.markings],
        "typed": dict(draft.typed),
        "yaw": draft.yaw_degrees,
        "zones": {name: [list(corner) for corner in corners] for name, corners in draft.zones.items()},
        "lines": {name: [list(end) for end in ends] for name, ends in draft.lines.items()},
        "kept_lines": {name: _line_to_json(line) for name, line in draft.kept_lines.items()},
        "privacy": [[list(corner) for corner in corners] for corners in draft.privacy],
    }


def draft_from_json(value: object) -> Draft:
    """What `draft_to_json` wrote, from whoever sent it.

    Raises:
        DraftError: it is something else; the message says where.
    """
    found = _map(value, "draft")
    return Draft(
        markings=tuple(_marking(each, number) for number, each in enumerate(_list(found, "markings"), start=1)),
        typed=_typed(_map(found.get("typed", {}), "typed")),
        yaw_degrees=_number(found.get("yaw", 0.0), "yaw"),
        zones={name: _points(each, f"zone {name}") for name, each in _map(found.get("zones", {}), "zones").items()},
        lines={name: _pair(each, f"line {name}") for name, each in _map(found.get("lines", {}), "lines").items()},
        kept_lines={
            name: _floor_line(each, f"line {name}")
            for name, each in _map(found.get("kept_lines", {}), "kept_lines").items()
        },
        privacy=tuple(_points(each, f"privacy {n}") for n, each in enumerate(_list(found, "privacy"), start=1)),
    )


def _line_to_json(line: Line) -> str | list[list[float]]:
    return "here" if isinstance(line, str) else [list(point) for point in line]


def _marking_to_json(marking: Marking) -> dict[str, Any]:
    points = [list(point) for point in marking.points]
    match marking:
        case Rectangle():
            return {"kind": "rectangle", "points": points, "sizes": list(marking.sizes)}
        case Segment():
            return {"kind": "length", "points": points, "sizes": list(marking.sizes)}
        case Parallels():
            return {"kind": "parallels", "points": points, "sizes": list(marking.sizes)}


_COUNTS = {"rectangle": (4, 2), "length": (2, 1), "parallels": (4, 1)}


def marking_of(kind: str, points: Sequence[XY], sizes: Sequence[float], where: str = "marking") -> Marking:
    """A marking by its kind's name.

    Raises:
        DraftError: no such kind, or not as many points and sizes as it has.
    """
    if kind not in _COUNTS:
        raise DraftError(f"{where}: expected one of {', '.join(_COUNTS)}, got {kind!r}")
    num_points, num_sizes = _COUNTS[kind]
    if len(points) != num_points or len(sizes) != num_sizes:
        raise DraftError(
            f"{where}: a {kind} has {num_sizes} size{'s' * (num_sizes > 1)} and {num_points} points, "
            f"got {len(sizes)} and {len(points)}"
        )
    if kind == "rectangle":
        a, b, c, d = points
        return Rectangle((a, b, c, d), sizes[0], sizes[1])
    if kind == "length":
        return Segment((points[0], points[1]), sizes[0])
    a, b, c, d = points
    return Parallels((a, b), (c, d), sizes[0])


def _marking(value: object, number: int) -> Marking:
    where = f"marking {number}"
    found = _map(value, where)
    sizes = [_number(each, f"{where}, size") for each in _list(found, "sizes")]
    return marking_of(str(found.get("kind")), _points(found.get("points"), where), sizes, where)


def _typed(found: Mapping[str, object]) -> dict[Any, float]:
    limits = {"height": (0.2, 100.0), "pitch": (1.0, 89.0), "hfov": (15.0, 150.0)}
    typed: dict[Any, float] = {}
    for name, value in found.items():
        if name not in limits:
            raise DraftError(f"typed: expected one of {', '.join(limits)}, got {name!r}")
        number, (least, most) = _number(value, name), limits[name]
        if not least <= number <= most:
            raise DraftError(f"{name}: expected {least:g} to {most:g}, got {number:g}")
        typed[name] = number
    return typed


def _map(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DraftError(f"{where}: expected a map, got {type(value).__name__}")
    return {str(name): each for name, each in cast("dict[Any, Any]", value).items()}


def _list(found: Mapping[str, object], name: str) -> list[Any]:
    value = found.get(name, [])
    if not isinstance(value, list):
        raise DraftError(f"{name}: expected a list, got {type(value).__name__}")
    return cast("list[Any]", value)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise DraftError(f"{where}: expected a number, got {value!r}")
    return float(value)


def _points(value: object, where: str) -> tuple[XY, ...]:
    if not isinstance(value, list):
        raise DraftError(f"{where}: expected a list of points, got {type(value).__name__}")
    return tuple(_point(each, where) for each in cast("list[Any]", value))


def _point(value: object, where: str, *, is_share: bool = True) -> XY:
    if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
        raise DraftError(f"{where}: expected points of two numbers, got {value!r}")
    x, y = (_number(each, where) for each in cast("list[Any]", value))
    if is_share and not (0 <= x <= 1 and 0 <= y <= 1):
        raise DraftError(f"{where}: expected points in 0..1 of the picture, got ({x:g}, {y:g})")
    return x, y


def _pair(value: object, where: str) -> tuple[XY, XY]:
    points = _points(value, where)
    if len(points) != 2:
        raise DraftError(f"{where}: expected two ends, got {len(points)}")
    return points[0], points[1]


def _floor_line(value: object, where: str) -> Line:
    if value == "here":
        return "here"
    if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
        raise DraftError(f"{where}: expected `here` or two floor points, got {value!r}")
    a, b = (_point(each, where, is_share=False) for each in cast("list[Any]", value))
    return a, b
