"""What a rule saw over time, in as much detail as a picture shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from operators.rules.config import RuleConfig
from operators.units import Threshold
from pipeline.frame_path.publisher.wire_result import WireRule

MAX_POINTS = 4000
"""Beyond this, neighbours are joined two by two; the lowest and the highest of each pair stay."""


@dataclass(frozen=True, slots=True)
class Point:
    """A stretch of results; of one of them `low` equals `high`."""

    time_ns: int
    low: float | None
    high: float | None
    """None: not known, or nobody there."""
    is_known: bool
    enter: float | None
    exit: float | None
    other_enter: float | None = None
    """What if."""
    other_exit: float | None = None


@dataclass(slots=True)
class Curve:
    """Of one rule."""

    measure: str
    unit: str
    points: list[Point] = field(default_factory=list[Point])
    _stride: int = 1
    _waiting: list[Point] = field(default_factory=list[Point])

    def add(self, time_ns: int, wire: WireRule, rule: RuleConfig, other: RuleConfig | None) -> None:
        """One result."""
        other_levels = (None, None) if other is None else (_level(other.enter), _level(other.exit))
        is_tick = wire.reason == "tick"
        value = wire.value
        levels = (_level(rule.enter), _level(rule.exit))
        if not is_tick:
            self._take(Point(time_ns, value, value, wire.is_known, *levels, *other_levels))

    def _take(self, point: Point) -> None:
        self._waiting.append(point)
        if len(self._waiting) >= self._stride:
            self.points.append(_joined(self._waiting))
            self._waiting = []
        if len(self.points) >= MAX_POINTS:
            pairs = (self.points[index : index + 2] for index in range(0, len(self.points), 2))
            self.points = [_joined(pair) for pair in pairs]
            self._stride *= 2


def _joined(points: list[Point]) -> Point:
    if len(points) == 1:
        return points[0]
    lows = [each.low for each in points if each.low is not None]
    highs = [each.high for each in points if each.high is not None]
    first, last = points[0], points[-1]
    return Point(
        first.time_ns,
        min(lows, default=None),
        max(highs, default=None),
        all(each.is_known for each in points),
        last.enter,
        last.exit,
        last.other_enter,
        last.other_exit,
    )


def _level(threshold: object) -> float | None:
    if not isinstance(threshold, Threshold) or threshold.value == float("inf"):
        return None
    return threshold.value
