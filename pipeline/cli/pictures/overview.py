"""A sheet of a few pictures, evenly over a run of any length: what was seen, and what was read from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.cli.pictures.panels import contact_sheet, fitted

ROWS = 6
CELL = (190, 320)
"""(height, width) of one picture."""


@dataclass(frozen=True, slots=True)
class Row:
    """One picture with its maps."""

    index: int
    """In the run."""
    cells: list[tuple[str, np.ndarray]] = field(default_factory=list[tuple[str, np.ndarray]])
    """(title, uint8 (H, W, 3)), small."""

    def add(self, title: str, rgb: np.ndarray) -> None:
        self.cells.append((title, fitted(rgb, CELL)))


class Overview:
    """Keeps every n-th picture; n doubles when there are too many, so that memory does not grow with the run."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._step = 1
        self._count = 0

    def next_row(self) -> Row | None:
        """The row of the next picture; None: it is none of those that are shown."""
        index = self._count
        self._count += 1
        if index % self._step:
            return None
        if len(self._rows) == 2 * ROWS:
            self._rows = self._rows[::2]
            self._step *= 2
            if index % self._step:
                return None
        self._rows.append(Row(index))
        return self._rows[-1]

    def chosen(self) -> list[Row]:
        """At most `ROWS`, from the first to the last that is left."""
        spots = np.linspace(0, len(self._rows) - 1, min(ROWS, len(self._rows))).round().astype(int)
        return [self._rows[spot] for spot in spots]

    def draw(self) -> np.ndarray | None:
        """Uint8 (H, W, 3), a row a picture; None: there was none."""
        rows = self.chosen()
        columns = max((len(row.cells) for row in rows), default=0)
        cells = [cell for row in rows for cell in row.cells]
        return contact_sheet(cells, columns, CELL) if cells else None
