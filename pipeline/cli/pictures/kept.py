"""Pictures and their patch tokens on disk until the run ends: memory does not grow with the length of a video."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from operators.feature_colours import Patches
from operators.picture_file import decode_picture

_QUALITY = 95


class KeptPictures:
    """A folder that goes when the block is left. Per picture a JPEG of what the model saw, and 2 N D bytes of tokens
    (344 kB of a ViT-S at 224x392): about as much as the pictures that are drawn of it.
    """

    def __init__(self, beside: Path) -> None:
        """`beside`: folder in which to put it."""
        self._folder = tempfile.TemporaryDirectory(prefix=".kept-", dir=beside)
        self._grids: list[tuple[int, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._folder.cleanup()

    def __len__(self) -> int:
        return len(self._grids)

    def keep(self, rgb: np.ndarray, tokens: np.ndarray | None, grid: tuple[int, int]) -> int:
        """Returns the picture's row.

        Args:
            rgb: uint8 (H, W, 3) what the model saw, at panel size.
            tokens: float16 (N, D) patch tokens; None: not wanted.
            grid: (h, w) of them.
        """
        row = len(self._grids)
        self._grids.append(grid)
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(self._path(row, ".jpg")), bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if tokens is not None:
            np.save(self._path(row, ".npy"), tokens)
        return row

    def picture(self, row: int) -> np.ndarray:
        """uint8 (H, W, 3) RGB, as it was kept but for the JPEG's losses."""
        return decode_picture(self._path(row, ".jpg").read_bytes())

    def tokens(self, row: int) -> Patches:
        """Tokens and grid of one picture."""
        return np.load(self._path(row, ".npy")), self._grids[row]

    def patches(self) -> Iterator[Patches]:
        """Of every picture, in order."""
        return (self.tokens(row) for row in range(len(self)))

    def _path(self, row: int, suffix: str) -> Path:
        return Path(self._folder.name) / f"{row:06d}{suffix}"
