"""Whether a picture differs from the one analysed last, on a small brightness picture."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

SIZE = (90, 160)
"""(height, width) of the brightness picture."""


class GateSettings(Protocol):
    """What the gate needs to know of its configuration."""

    @property
    def refresh(self) -> float:
        """Seconds after which it opens all the same."""
        ...

    @property
    def threshold(self) -> float:
        """Grey levels by which a cell must move."""
        ...

    @property
    def cells(self) -> int:
        """Cells that must move."""
        ...


class ChangeGate:
    """Compares with the picture that it let through last, so that slow changes add up.

    The difference is smoothed over 3 x 3 cells before it is compared: sensor noise averages out, a thing stays.
    """

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        self._reference: np.ndarray | None = None
        self._opened_at = 0.0

    def is_changed(self, luma: np.ndarray, now: float) -> bool:
        """luma: uint8 (90, 160); now: seconds of any clock that does not step back. True lets the picture through."""
        reference = self._reference
        is_due = now - self._opened_at >= self._settings.refresh or now < self._opened_at
        if reference is not None and not is_due and reference.shape == luma.shape:
            moved = cv2.blur(luma.astype(np.int16) - reference, (3, 3))
            if np.count_nonzero(np.abs(moved) >= self._settings.threshold) < self._settings.cells:
                return False
        self._reference = luma.astype(np.int16)
        self._opened_at = now
        return True
