"""Pictures by hand: lines over the hours of a day, bars over parts, and bars made of parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 28, 34
LEGEND = 124
COLOURS = ("#1d4ed8", "#b45309", "#15803d", "#6b7280")
KIND_COLOURS = ("#1d4ed8", "#b45309", "#15803d", "#7c3aed", "#be185d", "#0e7490", "#6b7280", "#a16207")
_STYLE = "font-family='sans-serif' font-size='12' fill='#444'"


@dataclass(frozen=True, slots=True)
class Line:
    """One value an hour."""

    name: str
    values: Sequence[float]
    is_dashed: bool = False


def over_hours(title: str, unit: str, lines: Sequence[Line], top: float) -> str:
    """SVG: `lines` from 0 to `top`."""
    shapes = [f"<text x='{LEFT}' y='16' {_STYLE}>{title}, {unit}</text>"]
    for n in range(5):
        value, y = top * n / 4, _y(n / 4)
        shapes.append(f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='#ddd'/>")
        shapes.append(f"<text x='{LEFT - 6}' y='{y + 4:.1f}' text-anchor='end' {_STYLE}>{value:g}</text>")
    shapes += [
        f"<text x='{_x(hour):.1f}' y='{HEIGHT - 14}' text-anchor='middle' {_STYLE}>{hour}:00</text>"
        for hour in range(0, 24, 3)
    ]
    for number, line in enumerate(lines):
        points = " ".join(f"{_x(n):.1f},{_y(value / top):.1f}" for n, value in enumerate(line.values))
        dash = " stroke-dasharray='4 3'" if line.is_dashed else ""
        colour = COLOURS[number % len(COLOURS)]
        shapes.append(f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='1.6'{dash}/>")
        x = WIDTH - RIGHT - LEGEND * (len(lines) - 1 - number)
        shapes.append(f"<text x='{x}' y='16' text-anchor='end' {_STYLE.replace('#444', colour)}>{line.name}</text>")
    return _svg(shapes, HEIGHT)


def _x(hour: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * hour / 23


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, share)


LOW, HIGH = 0.01, 1000.0
ROW, NAMES = 18, 190


def bars(title: str, groups: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> str:
    """SVG: for each group its (name, share) on a scale of tens; a line at 1, from where on it is a limit."""
    shapes = [f"<text x='8' y='16' {_STYLE}>{title}</text>"]
    y = 34.0
    ticks = [10.0**n for n in range(round(log10(LOW)), round(log10(HIGH)) + 1)]
    height = round(y + sum(ROW * (len(rows) + 1) + 6 for _, rows in groups) + 20)
    for tick in ticks:
        x = _bar(tick)
        colour = "#b91c1c" if tick == 1.0 else "#ddd"
        shapes.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='24' y2='{height - 20}' stroke='{colour}'/>")
        shapes.append(f"<text x='{x:.1f}' y='{height - 6}' text-anchor='middle' {_STYLE}>{tick:g}</text>")
    for number, (group, rows) in enumerate(groups):
        shapes.append(f"<text x='8' y='{y + 13:.0f}' font-weight='bold' {_STYLE}>{group}</text>")
        y += ROW
        for name, share in rows:
            shapes.append(f"<text x='{NAMES - 6}' y='{y + 13:.0f}' text-anchor='end' {_STYLE}>{name}</text>")
            width = max(1.0, _bar(share) - NAMES)
            shapes.append(
                f"<rect x='{NAMES}' y='{y + 3:.0f}' width='{width:.1f}' height='{ROW - 6}' fill='{COLOURS[number]}'/>"
            )
            y += ROW
        y += 6
    return _svg(shapes, height)


BAR, BAR_NAMES, KEY = 26, 60, 20


def stacked(title: str, bars: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> str:
    """SVG: a bar for each name, made of its (kind, value), with the sum behind it; all have the same kinds."""
    top = 1.15 * max(sum(value for _, value in parts) for _, parts in bars)
    shapes = [f"<text x='8' y='16' {_STYLE}>{title}</text>"]
    y = 28.0
    for name, parts in bars:
        shapes.append(f"<text x='{BAR_NAMES - 6}' y='{y + 14:.0f}' text-anchor='end' {_STYLE}>{name}</text>")
        x, total = float(BAR_NAMES), 0.0
        for number, (_, value) in enumerate(parts):
            width = (WIDTH - BAR_NAMES - RIGHT) * value / top
            colour = KIND_COLOURS[number % len(KIND_COLOURS)]
            shapes.append(f"<rect x='{x:.1f}' y='{y:.0f}' width='{width:.1f}' height='{BAR - 8}' fill='{colour}'/>")
            x, total = x + width, total + value
        shapes.append(f"<text x='{x + 5:.1f}' y='{y + 14:.0f}' {_STYLE}>{total:.1f}</text>")
        y += BAR
    x = float(BAR_NAMES)
    for number, (kind, _) in enumerate(bars[0][1]):
        shapes.append(f"<rect x='{x:.0f}' y='{y + 4:.0f}' width='10' height='10' fill='{KIND_COLOURS[number]}'/>")
        shapes.append(f"<text x='{x + 14:.0f}' y='{y + 13:.0f}' {_STYLE}>{kind}</text>")
        x += KEY + 7.0 * len(kind) + 10
    return _svg(shapes, round(y + 24))


def _bar(share: float) -> float:
    place = (log10(min(HIGH, max(LOW, share))) - log10(LOW)) / (log10(HIGH) - log10(LOW))
    return NAMES + (WIDTH - NAMES - RIGHT) * place


def _svg(shapes: Sequence[str], height: int) -> str:
    body = "\n".join(shapes)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' "
        f"role='img'>\n<rect width='{WIDTH}' height='{height}' fill='white'/>\n{body}\n</svg>\n"
    )
