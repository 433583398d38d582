"""A picture and what looks most like it, in one strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.cli.pictures.lettering import titled
from pipeline.cli.pictures.panels import beside, fitted

CELL = (180, 320)
"""(height, width) of one picture."""
_RULE = 4


@dataclass(frozen=True, slots=True, repr=False)
class Likeness:
    """One picture of a strip."""

    text: str
    rgb: np.ndarray
    """uint8 (H, W, 3)."""
    cosine: float


def draw_neighbours(name: str, rgb: np.ndarray, found: Sequence[Likeness], title: str) -> np.ndarray:
    """The picture at the left, then the most similar ones with their cosines, best first."""
    cells = [titled(fitted(rgb, CELL), name)]
    cells += [titled(fitted(each.rgb, CELL), f"{each.cosine:.3f}  {each.text}") for each in found]
    tallest = max(cell.shape[0] for cell in cells)
    rule = np.full((tallest, _RULE, 3), 120, np.uint8)
    return titled(beside([cells[0], rule, *cells[1:]]) if found else cells[0], title)


def nearest(
    vectors: np.ndarray, row: int, *, count: int, excluded: np.ndarray, times_ns: np.ndarray, apart_ns: int
) -> list[tuple[int, float]]:
    """(row, cosine) of the most similar vectors, best first, no two of one moment.

    Args:
        vectors: float32 (n, D), L2-normalised.
        row: Of the query, which never counts.
        count: At most so many.
        excluded: bool (n,) rows that do not count.
        times_ns: int64 (n,); below 0 where a picture has no time.
        apart_ns: What lies nearer in time is the same moment.
    """
    cosines = np.where(excluded, -np.inf, vectors @ vectors[row])
    found: list[tuple[int, float]] = []
    taken = row
    while True:
        cosines[taken] = -np.inf
        if times_ns[taken] >= 0:
            cosines[(times_ns >= 0) & (np.abs(times_ns - times_ns[taken]) < apart_ns)] = -np.inf
        taken = int(np.argmax(cosines))
        if len(found) >= count or not np.isfinite(cosines[taken]):
            return found
        found.append((taken, float(cosines[taken])))
