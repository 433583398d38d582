"""A measure and its thresholds over time, in characters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 64, 11
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Point:
    """One reading."""

    seconds: float
    """Rule time since the start of the alert."""
    value: float | None
    """None: not known, or nobody there."""
    is_on: bool = False
    """Between start and end."""


def level_of(threshold: str) -> float | None:
    """The number in `< 3.0 m`; None where there is none yet."""
    found = _NUMBER.search(threshold)
    return float(found[0]) if found else None


def draw(points: Sequence[Point], enter: str, leave: str, unit: str) -> list[str]:
    """Lines: values `*`, `enter` as dashes, `exit` as dots, and below when the alert was on. Empty without values."""
    values = [each.value for each in points if each.value is not None]
    if not values:
        return []
    levels = {
        name: level for name, text in (("enter", enter), ("exit", leave)) if (level := level_of(text)) is not None
    }
    shown = [*values, *levels.values()]
    low, high = min(shown), max(shown)
    margin = (high - low) * 0.05 or 0.5
    low, high = low - margin, high + margin
    first, last = points[0].seconds, max(points[-1].seconds, points[0].seconds + 1e-3)

    def column(seconds: float) -> int:
        return round((seconds - first) / (last - first) * (WIDTH - 1))

    def row(value: float) -> int:
        return round((high - value) / (high - low) * (HEIGHT - 1))

    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    labels = [""] * HEIGHT
    for name, mark in (("exit", "."), ("enter", "-")):
        if name in levels:
            grid[row(levels[name])] = [mark] * WIDTH
            labels[row(levels[name])] = f" {name} {enter if name == 'enter' else leave}"
    below = [" "] * WIDTH
    for each, after in zip(points, [*points[1:], points[-1]], strict=True):
        if each.value is not None:
            grid[row(each.value)][column(each.seconds)] = "*"
        if each.is_on:
            begin, end = column(each.seconds), column(after.seconds)
            below[begin : max(begin + 1, end)] = "=" * max(1, end - begin)
    axis = [f"{high - (high - low) * index / (HEIGHT - 1):8.2f}" for index in range(HEIGHT)]
    lines = [f"{axis[index]} |{''.join(grid[index])}{labels[index]}".rstrip() for index in range(HEIGHT)]
    lines.append(f"{'alert on':>8} |{''.join(below)}".rstrip())
    left, right = f"{first:+.1f} s", f"{last:+.1f} s"
    return [f"{unit:>8}", *lines, f"{'':9} {left}{right:>{WIDTH - len(left)}}"]
