"""Pictures of a fitted head on what it had not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from operators.heads.segment import segments
from pipeline.cli.pictures.depth import coloured, draw_scale, scale_ends
from pipeline.cli.pictures.hatching import hatch
from pipeline.cli.pictures.lettering import titled
from pipeline.cli.pictures.panels import below, beside, contact_sheet, panel_size, resized
from pipeline.cli.pictures.segments import draw_legend, tinted

_CELL = (150, 230)
_COLUMNS = 5
_MOST_CELLS = 40
_MOST_ROWS = 6
_FRAME = 6
_RIGHT, _WRONG = (60, 170, 80), (215, 60, 50)


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What a classifier said of a picture."""

    rgb: Callable[[], np.ndarray]
    """Reads it: uint8 (H, W, 3)."""
    truth: str
    said: str
    score: float


def answers_sheet(answers: Sequence[Answer], title: str) -> np.ndarray:
    """Wrong answers first, the surest of them at the start; then right ones, the most doubtful first.

    Where there are more than fit, at least half of the room is for wrong ones, if there are so many.
    """
    wrong = sorted((each for each in answers if each.said != each.truth), key=lambda each: -each.score)
    right = sorted((each for each in answers if each.said == each.truth), key=lambda each: each.score)
    room_for_wrong = max(_MOST_CELLS // 2, _MOST_CELLS - len(right))
    shown_wrong = wrong[:room_for_wrong]
    room = _MOST_CELLS - len(shown_wrong)
    shown_right = [right[at] for at in _spread(len(right), room)]
    cells = [
        *(
            (f"WRONG {each.score:.2f} {each.said}, is {each.truth}", _framed(each.rgb(), _WRONG))
            for each in shown_wrong
        ),
        *((f"right {each.score:.2f} {each.said}", _framed(each.rgb(), _RIGHT)) for each in shown_right),
    ]
    left_out = len(answers) - len(cells)
    more = f"; {left_out} more are not shown" if left_out else ""
    return titled(contact_sheet(cells, _COLUMNS, _CELL), f"{title}: {len(wrong)} of {len(answers)} wrong{more}")


def depth_rows(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]], judged: Sequence[np.ndarray], title: str
) -> np.ndarray:
    """Picture, measured depth and what the head says, one colour scale a row.

    Args:
        rows: (name, uint8 (H, W, 3) what the model saw, float (H, W) metres or NaN, float (H, W) metres).
        judged: bool (H, W) of each: the rest was fitted on and is hatched in the head's map.
        title: Above all.
    """
    drawn: list[np.ndarray] = []
    for at in _spread(len(rows), _MOST_ROWS):
        name, rgb, wanted, got = rows[at]
        size = panel_size((rgb.shape[0], rgb.shape[1]))
        ends = scale_ends(wanted)
        if ends is None:
            continue
        shown = np.where(judged[at], got, np.nan)
        maps = [cv2.resize(each, size[::-1], interpolation=cv2.INTER_NEAREST) for each in (wanted, shown)]
        parts = [resized(rgb, size), *(coloured(each, ends) for each in maps), draw_scale(ends, size[0], "m")]
        drawn.append(titled(beside(parts), f"{name}: picture, measured, head on what it had not seen"))
    return titled(below(drawn), title)


def mask_rows(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]], classes: tuple[str, ...], title: str
) -> np.ndarray:
    """Picture, mask and what the head says, with a legend of both: the shares are the head's.

    Args:
        rows: (name, uint8 (H, W, 3) what the model saw, uint8 (H, W) truth, 255 where not said, uint8 (H, W) answer).
        classes: Names.
        title: Above all.
    """
    drawn: list[np.ndarray] = []
    for at in _spread(len(rows), _MOST_ROWS):
        name, rgb, truth, got = rows[at]
        size = panel_size((rgb.shape[0], rgb.shape[1]))
        large = resized(rgb, size)
        known = cv2.resize((truth < len(classes)).astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
        wanted = tinted(large, np.where(truth < len(classes), truth, 0), len(classes))
        wanted = np.where(known[..., None], wanted, hatch(*size))
        legend = draw_legend(classes, _listed(classes, truth, got), size[0])
        parts = [large, wanted, tinted(large, got, len(classes)), legend]
        drawn.append(titled(beside(parts), f"{name}: picture, mask, head on what it had not seen"))
    return titled(below(drawn), title)


def _listed(classes: tuple[str, ...], truth: np.ndarray, got: np.ndarray) -> list[tuple[str, float]]:
    """(class, share of the answer), and classes that the mask shows and the head missed at the end."""
    said = list(segments("", classes, got).shares)
    names = {name for name, _ in said}
    shown = [classes[index] for index in np.unique(truth) if index < len(classes)]
    return [*said, *((name, 0.0) for name in shown if name not in names)]


def _framed(rgb: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Scaled to the cell first, so that every frame is as thick."""
    scale = min(_CELL[0] / rgb.shape[0], _CELL[1] / rgb.shape[1])
    small = resized(rgb, (max(1, round(rgb.shape[0] * scale)), max(1, round(rgb.shape[1] * scale)))).copy()
    cv2.rectangle(small, (0, 0), (small.shape[1] - 1, small.shape[0] - 1), colour, _FRAME)
    return small


def _spread(count: int, room: int) -> list[int]:
    """At most `room` indices over all of `count`, evenly."""
    return list(range(count)) if count <= room else [at * count // room for at in range(room)]
