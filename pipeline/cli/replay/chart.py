"""A rule over time as lines, boxes and words; whoever draws them knows nothing of rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.cli.replay.curve import Curve, Point
from pipeline.cli.replay.report import Clock
from pipeline.cli.replay.rerun import Rerun, Span

WIDTH, HEIGHT = 1000, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 34, 58
_TICKS_X, _TICKS_Y = 6, 5

Role = Literal["value", "enter", "exit", "episode", "unknown", "axis", "other", "other_level"]


@dataclass(frozen=True, slots=True)
class Line:
    """Through pixels (x, y)."""

    role: Role
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Box:
    """Filled."""

    role: Role
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text; (left, baseline)."""

    left: float
    baseline: float
    text: str


Shape = Line | Box | Words
_Place = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Chart:
    """One rule, WIDTH x HEIGHT pixels."""

    title: str
    shapes: tuple[Shape, ...]


def charts(rerun: Rerun, clock: Clock) -> list[Chart]:
    """One per rule that read anything."""
    found: list[Chart] = []
    for name, curve in rerun.curves.items():
        changes = ", ".join(each.text for each in rerun.changes if each.rule == name)
        title = f"{rerun.camera}/{name}: {curve.measure}" + (f"; what if {changes}" if changes else "")
        if curve.points:
            found.append(Chart(title, tuple(_shapes(rerun, name, curve, clock))))
    return found


def _shapes(rerun: Rerun, name: str, curve: Curve, clock: Clock) -> Iterator[Shape]:
    points = curve.points
    first_ns, last_ns = rerun.first_ns or 0, max(rerun.last_ns, (rerun.first_ns or 0) + 1)
    low, high = _limits(points)

    def x(time_ns: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (time_ns - first_ns) / (last_ns - first_ns)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)

    yield from _bands(rerun.as_recorded[name].spans, "episode", (TOP, HEIGHT - TOP - BOTTOM), x, rerun)
    other = rerun.what_if.get(name)
    if other is not None:
        yield from _bands(other.spans, "other", (HEIGHT - BOTTOM + 2, 8), x, rerun)
        yield Words(WIDTH - RIGHT + 6, HEIGHT - BOTTOM + 11, "what if: on")
    for run in _runs(points, lambda each: not each.is_known):
        start, end = x(run[0].time_ns), x(run[-1].time_ns)
        yield Box("unknown", start, HEIGHT - BOTTOM - 4, max(1.5, end - start), 4)
    yield from _axes((low, high), (first_ns, last_ns), clock, x, y)
    yield from _levels(points, x, y)
    for run in _runs(points, lambda each: each.low is not None):
        places = [(x(each.time_ns), y(value)) for each in run for value in _values(each)]
        yield Line("value", tuple(places if len(places) > 1 else [places[0], (places[0][0] + 1, places[0][1])]))


def _values(point: Point) -> tuple[float, ...]:
    assert point.low is not None
    assert point.high is not None
    return (point.low,) if point.low == point.high else (point.low, point.high)


def _limits(points: Sequence[Point]) -> tuple[float, float]:
    every = [
        value
        for each in points
        for value in (each.low, each.high, each.enter, each.exit, each.other_enter, each.other_exit)
        if value is not None
    ]
    low, high = min(every, default=0.0), max(every, default=1.0)
    margin = (high - low) * 0.06 or 0.5
    return low - margin, high + margin


def _bands(
    spans: Sequence[Span], role: Role, vertical: tuple[float, float], x: _Place, rerun: Rerun
) -> Iterator[Shape]:
    for each in spans:
        start = x(each.start_ns if each.start_ns is not None else rerun.first_ns or 0)
        end = x(each.end_ns if each.end_ns is not None else rerun.last_ns)
        yield Box(role, start, vertical[0], max(1.0, end - start), vertical[1])


def _runs(points: Sequence[Point], is_in: Callable[[Point], bool]) -> Iterator[list[Point]]:
    run: list[Point] = []
    for each in points:
        if is_in(each):
            run.append(each)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _levels(points: Sequence[Point], x: _Place, y: _Place) -> Iterator[Shape]:
    """Thresholds as steps, each named at the right where they are now."""
    sides: tuple[tuple[Role, str, Callable[[Point], float | None]], ...] = (
        ("enter", "enter", lambda each: each.enter),
        ("exit", "exit", lambda each: each.exit),
        ("other_level", "what if: enter", lambda each: each.other_enter if each.other_enter != each.enter else None),
        ("other_level", "what if: exit", lambda each: each.other_exit if each.other_exit != each.exit else None),
    )
    for role, name, level in sides:
        for run in _runs(points, lambda each, level=level: level(each) is not None):
            places: list[tuple[float, float]] = []
            for each in run:
                height = y(level(each) or 0.0)
                if places and places[-1][1] != height:
                    places.append((x(each.time_ns), places[-1][1]))
                if not places or places[-1][1] != height or each is run[-1]:
                    places.append((x(each.time_ns), height))
            yield Line(role, tuple(places))
        last = level(points[-1])
        if last is not None:
            yield Words(WIDTH - RIGHT + 6, y(last) + 4, f"{name} {last:g}")


def _axes(values: tuple[float, float], times: tuple[int, int], clock: Clock, x: _Place, y: _Place) -> Iterator[Shape]:
    (low, high), (first_ns, last_ns) = values, times
    yield Line("axis", ((LEFT, TOP), (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM)))
    for index in range(_TICKS_Y):
        value = low + (high - low) * index / (_TICKS_Y - 1)
        yield Words(6, y(value) + 4, f"{value:.3g}")
    for index in range(_TICKS_X):
        time_ns = first_ns + (last_ns - first_ns) * index // (_TICKS_X - 1)
        text = clock.at(time_ns).removesuffix(" s")
        yield Words(x(time_ns) - 24, HEIGHT - BOTTOM + 28, text.split(" ")[-1].rpartition(".")[0])
    yield Words(LEFT, HEIGHT - 8, f"from {clock.at(first_ns)} to {clock.at(last_ns)}, rule time")
