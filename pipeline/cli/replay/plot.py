"""Charts into a static page or a picture."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pipeline.cli.app import UserError
from pipeline.cli.pictures.lettering import titled
from pipeline.cli.replay.chart import HEIGHT, WIDTH, Box, Chart, Line, Role, Shape, Words, charts
from pipeline.cli.replay.report import Clock
from pipeline.cli.replay.rerun import Rerun

_COLOURS: dict[Role, tuple[int, int, int]] = {
    "value": (29, 78, 216),
    "enter": (185, 28, 28),
    "exit": (217, 119, 6),
    "episode": (254, 202, 202),
    "unknown": (156, 163, 175),
    "axis": (120, 120, 120),
    "other": (13, 148, 136),
    "other_level": (13, 148, 136),
}
_LEGEND = "blue: the measure; red field: alert on, as recorded; grey bar below: not known; green: what if"
_TEXT = (60, 60, 60)


def write_plot(path: Path, reruns: Sequence[Rerun], clock: Clock) -> None:
    """A page (`.html`) or a picture (`.png`) with a chart per rule.

    Raises:
        UserError: there is nothing to draw, or the file cannot be written.
    """
    found = [chart for rerun in reruns for chart in charts(rerun, clock)]
    if not found:
        raise UserError("--plot: no rule read anything, so there is nothing to draw", exit_code=1)
    data = _page(found).encode() if path.suffix.lower() == ".html" else _picture(found)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", exit_code=3) from None


def _page(found: Sequence[Chart]) -> str:
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>dinostream replay</title>",
        f"<style>{_STYLE}</style><h1>Replay</h1><p>{_LEGEND}</p>",
    ]
    for chart in found:
        shapes = "".join(_svg(each) for each in chart.shapes)
        parts.append(f"<h2>{html.escape(chart.title)}</h2>")
        parts.append(f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img'>{shapes}</svg>")
    return "\n".join([*parts, "</html>"])


def _svg(shape: Shape) -> str:
    match shape:
        case Line():
            places = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
            return f"<polyline class='{shape.role}' points='{places}'/>"
        case Box():
            return (
                f"<rect class='{shape.role}' x='{shape.left:.1f}' y='{shape.top:.1f}' width='{shape.width:.1f}' "
                f"height='{shape.height:.1f}'/>"
            )
        case Words():
            return f"<text x='{shape.left:.1f}' y='{shape.baseline:.1f}'>{html.escape(shape.text)}</text>"


def _picture(found: Sequence[Chart]) -> bytes:
    rgb = np.concatenate([titled(_raster(each), each.title) for each in found])
    rgb = titled(rgb, _LEGEND)
    is_written, encoded = cv2.imencode(".png", np.ascontiguousarray(rgb[:, :, ::-1]))
    assert is_written
    return encoded.tobytes()


def _raster(chart: Chart) -> np.ndarray:
    """uint8 (HEIGHT, WIDTH, 3) RGB."""
    rgb = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for shape in chart.shapes:
        match shape:
            case Line():
                places = np.round(np.array(shape.points)).astype(np.int32).reshape(-1, 1, 2)
                cv2.polylines(rgb, [places], False, _COLOURS[shape.role], 1, cv2.LINE_AA)
            case Box():
                corner = (round(shape.left), round(shape.top))
                end = (round(shape.left + shape.width), round(shape.top + shape.height))
                cv2.rectangle(rgb, corner, end, _COLOURS[shape.role], cv2.FILLED)
            case Words():
                place = (round(shape.left), round(shape.baseline))
                cv2.putText(rgb, shape.text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _TEXT, 1, cv2.LINE_AA)
    return rgb


def _css(role: Role) -> str:
    return f"rgb{_COLOURS[role]}"


_STYLE = f"""
body{{font:15px/1.5 system-ui,sans-serif;max-width:1040px;margin:2em auto;padding:0 1em;color:#222}}
h2{{font-size:1.05em}} svg text{{font-size:11px;fill:#444}} polyline{{fill:none;stroke-width:1.3}}
.value{{stroke:{_css("value")}}} .axis{{stroke:{_css("axis")};stroke-width:1}}
.enter{{stroke:{_css("enter")};stroke-dasharray:6 3}} .exit{{stroke:{_css("exit")};stroke-dasharray:3 3}}
.other_level{{stroke:{_css("other_level")};stroke-dasharray:6 3}} .other{{fill:{_css("other")}}}
.episode{{fill:{_css("episode")};opacity:.7}} .unknown{{fill:{_css("unknown")}}}
"""
