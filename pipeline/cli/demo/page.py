"""`index.html`: per alert its picture, per dock its distance over time against the truth. Static."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 900, 260, 60
MAX_METRES = 10.0

_Axis = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Episode:
    """One alert."""

    start_s: float
    end_s: float | None
    sentence: str
    picture: str | None
    """Relative to the page."""


@dataclass(frozen=True, slots=True)
class DockStory:
    """One dock over the run; seconds since the first analysed frame."""

    camera: str
    measured: Sequence[tuple[float, float | None]]
    truth: Sequence[tuple[float, float | None]]
    enter_metres: float
    exit_metres: float
    episodes: Sequence[Episode]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything on the page."""

    title: str
    notes: Sequence[str]
    """What a reader must know: weights, rates, whether the proof held."""
    docks: Sequence[DockStory]
    sheet: str | None
    """The contact sheet, relative to the page."""
    is_proven: bool


def write_page(path: Path, story: Story) -> None:
    """Writes the page."""
    verdict = "proof held" if story.is_proven else "PROOF FAILED"
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>{html.escape(story.title)}</title><style>{_STYLE}</style>",
        f"<h1>{html.escape(story.title)} <small class='{'good' if story.is_proven else 'bad'}'>{verdict}</small></h1>",
        "<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in story.notes) + "</ul>",
    ]
    for dock in story.docks:
        parts.append(f"<h2>{html.escape(dock.camera)}: distance to the dock</h2>{_chart(dock)}")
        parts.append("<div class='alerts'>" + "".join(_alert(each) for each in dock.episodes) + "</div>")
    if story.sheet:
        parts.append(f"<h2>Contact sheet</h2><img src='{html.escape(story.sheet)}' alt='contact sheet'>")
    path.write_text("\n".join([*parts, "</html>"]), encoding="utf-8")


def _alert(episode: Episode) -> str:
    end = "still active" if episode.end_s is None else f"ended at {episode.end_s:.1f} s"
    text = f"{html.escape(episode.sentence)}<br><small>started at {episode.start_s:.1f} s, {end}</small>"
    picture = f"<img src='{html.escape(episode.picture)}' alt='evidence'>" if episode.picture else "<p>no picture</p>"
    return f"<figure>{picture}<figcaption>{text}</figcaption></figure>"


def _chart(dock: DockStory) -> str:
    times = [t for t, _ in (*dock.measured, *dock.truth)]
    last = max(times, default=1.0) or 1.0

    def x(seconds: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * seconds / last

    def y(metres: float) -> float:
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * min(metres, MAX_METRES) / MAX_METRES

    shapes = [f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='distance over time of {dock.camera}'>"]
    for episode in dock.episodes:
        end = last if episode.end_s is None else episode.end_s
        width = max(1.0, x(end) - x(episode.start_s))
        shapes.append(
            f"<rect class='episode' x='{x(episode.start_s):.1f}' y='{MARGIN}' width='{width:.1f}' "
            f"height='{HEIGHT - 2 * MARGIN}'/>"
        )
    for name, metres in (("enter", dock.enter_metres), ("exit", dock.exit_metres)):
        shapes.append(
            f"<line class='{name}' x1='{MARGIN}' x2='{WIDTH - MARGIN}' y1='{y(metres):.1f}' y2='{y(metres):.1f}'/>"
        )
        shapes.append(f"<text x='{WIDTH - MARGIN + 4}' y='{y(metres) + 4:.1f}'>{name} {metres:g} m</text>")
    shapes.extend(
        f"<text class='axis' x='6' y='{y(metres) + 4:.1f}'>{metres} m</text>"
        for metres in range(0, int(MAX_METRES) + 1, 2)
    )
    shapes.extend(
        f"<text class='axis' x='{x(second):.1f}' y='{HEIGHT - 14}'>{second} s</text>"
        for second in range(0, int(last) + 1, max(1, round(last / 10)))
    )
    shapes.append(_curve(dock.truth, x, y, "truth"))
    shapes.append(_curve(dock.measured, x, y, "measured"))
    shapes.extend(
        f"<circle cx='{x(t):.1f}' cy='{y(metres):.1f}' r='2.5'/>" for t, metres in dock.measured if metres is not None
    )
    shapes.append(
        f"<text x='{MARGIN}' y='20'>measured (dots), truth (grey), red: alert active; "
        f"above {MAX_METRES:g} m is cut</text></svg>"
    )
    return "".join(shapes)


def _curve(points: Sequence[tuple[float, float | None]], x: _Axis, y: _Axis, name: str) -> str:
    """A line that is broken where there is no value."""
    pieces: list[list[str]] = [[]]
    for seconds, metres in points:
        if metres is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{x(seconds):.1f},{y(metres):.1f}")
    return "".join(f"<polyline class='{name}' points='{' '.join(piece)}'/>" for piece in pieces if len(piece) > 1)


_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#222}
img{max-width:100%} .alerts{display:flex;flex-wrap:wrap;gap:1em} figure{margin:0;width:300px}
.good{color:#17803d} .bad{color:#b91c1c} svg text{font-size:11px;fill:#555} polyline{fill:none}
.truth{stroke:#9ca3af;stroke-width:3} .measured{stroke:#1d4ed8;stroke-width:1.2} circle{fill:#1d4ed8}
.enter{stroke:#b91c1c;stroke-dasharray:6 3} .exit{stroke:#d97706;stroke-dasharray:3 3} .episode{fill:#fecaca;opacity:.6}
"""
