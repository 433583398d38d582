"""What stands still in a camera's view, kept as a picture that the light hardly changes: edges, markings, textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from operators.scene.bands import Bands, bands_of
from operators.scene.creep import crept, laid_back

BLOCK_PX = 28
CELL_PX = 14
"""Sides of the squares that are looked for, and of those whose contrast is read; in pixels of `gray_picture`."""
REACH_PX = 12
"""How far a block is searched for: some 5 degrees of a lens of 74."""
TEXTURED = 0.03
"""Standard deviation of relative brightness from which a square can be recognised."""
FADED_SLOPE = 0.35
"""A cell that shows less than this share of its learnt contrast is faded."""

_SURELY_SHARP = 0.8
"""From here on a picture need not be laid over what was learnt: it is far from `view_check.BLURRED`."""


def gray_picture(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H // 2, W // 2) brightness of a model-size picture.

    Args:
        pixels: uint8 (H, W, 3) RGB.
    """
    height, width = pixels.shape[:2]
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


@dataclass(frozen=True, slots=True, repr=False)
class Structure:
    """Relative brightness of the learnt view in two bands, the middle one over all its lights."""

    coarse: np.ndarray
    """float32 (H, W) of `gray_picture`'s size: details that a blur of a pixel leaves."""
    fine: np.ndarray
    """float32 (H, W): what such a blur takes away."""
    faded: float = 0.0
    """Share of cells that were faded under the worst light learnt, against the other lights."""

    def __repr__(self) -> str:
        return f"Structure({self.coarse.shape}, faded={self.faded:.2f})"


@dataclass(frozen=True, slots=True)
class ViewMatch:
    """How much of the learnt structure one picture shows. Shares are of squares that can be recognised."""

    num_blocks: int
    """Recognisable blocks."""
    num_open: int
    """Of these, blocks that no subject hides; the next three are shares of them."""
    at_rest: float
    """Found where they were learnt."""
    shifted: float
    """Found elsewhere."""
    faded: float
    """Cells that lost their contrast."""
    shifted_of_all: float
    """As `shifted`, of all recognisable blocks, hidden or not."""
    at_rest_of_all: float
    blank: float
    """Share of all recognisable blocks with hardly any detail of their own."""
    contrast: float
    """Of the open blocks together: 1 as learnt, 0 nothing left of it."""
    contrast_at_rest: float
    """The same of the open blocks at rest: below 1 something lies over all of them."""
    sharpness: float
    """Fine against coarse contrast of blocks at rest, laid over what was learnt: 1 as learnt, 0 out of focus."""


def build_structure(grays_by_light: Sequence[Sequence[np.ndarray]], unsteady: np.ndarray | None = None) -> Structure:
    """What all lights have in common.

    Args:
        grays_by_light: one or more pictures of `gray_picture` per light, all of one shape.
        unsteady: bool (h, w) patches whose squares are never recognisable; None: none.
    """
    lights = [_mean_bands(grays) for grays in grays_by_light]
    if unsteady is not None:
        steady = _cover(unsteady, lights[0][0].shape) == 0
        lights = [(coarse * steady, fine * steady) for coarse, fine in lights]
    whole = _structure(lights)
    worst = 0.0
    for left_out, grays in enumerate(grays_by_light):
        others = [light for index, light in enumerate(lights) if index != left_out]
        if others:
            seen = _structure(others)
            worst = max(worst, *(match_view(seen, gray).faded for gray in grays))
    return Structure(whole.coarse, whole.fine, worst)


def match_view(structure: Structure, gray: np.ndarray, hidden: np.ndarray | None = None) -> ViewMatch:
    """Looks for the learnt structure in one picture.

    Args:
        structure: learnt.
        gray: uint8 (H, W) of `gray_picture`, of the structure's shape.
        hidden: bool (h, w) patches that subjects cover; None: none.

    Raises:
        ValueError: the picture has another shape.
    """
    if gray.shape != structure.coarse.shape:
        raise ValueError(f"gray must be {structure.coarse.shape} as in the view, got {gray.shape}")
    seen = bands_of(gray)
    cover = _cover(hidden, gray.shape)
    blocks = _Squares.of(structure, seen, BLOCK_PX)
    rest, shifted = _found(structure, seen.raw, blocks)
    is_open = blocks.is_textured & (_sums(cover, BLOCK_PX) < 0.15 * BLOCK_PX**2)
    rest_open = rest & is_open
    cells = _Squares.of(structure, seen, CELL_PX)
    open_cells = cells.is_textured & (_sums(cover, CELL_PX) < 0.05 * CELL_PX**2)
    return ViewMatch(
        num_blocks=int(blocks.is_textured.sum()),
        num_open=int(is_open.sum()),
        at_rest=_share(rest, is_open),
        shifted=_share(shifted, is_open),
        faded=_share(cells.both < FADED_SLOPE * cells.learnt, open_cells),
        shifted_of_all=_share(shifted, blocks.is_textured),
        at_rest_of_all=_share(rest, blocks.is_textured),
        blank=_share(blocks.now < 0.16 * blocks.learnt, blocks.is_textured),
        contrast=_ratio(blocks.both, blocks.learnt, is_open),
        contrast_at_rest=_ratio(blocks.both, blocks.learnt, rest_open),
        sharpness=_sharpness(structure, seen, rest_open),
    )


def _sharpness(structure: Structure, seen: Bands, where: np.ndarray) -> float:
    """Of blocks, bool (rows, columns). A camera that crept by half a pixel shows no fine detail where it was learnt."""
    sharpness = _fine_against_coarse(structure, seen, where)
    if sharpness >= _SURELY_SHARP or not where.any():
        return sharpness
    offset = crept(structure.coarse, seen.coarse, _pixels(where, BLOCK_PX, seen.raw.shape))
    settled = Bands(seen.raw, laid_back(seen.coarse, offset), laid_back(seen.fine, offset))
    return max(sharpness, _fine_against_coarse(structure, settled, where))


def _fine_against_coarse(structure: Structure, seen: Bands, where: np.ndarray) -> float:
    blocks = _Squares.of(structure, seen, BLOCK_PX)
    fine = _ratio(blocks.fine_both, blocks.fine_learnt, where)
    return fine / max(_ratio(blocks.both, blocks.learnt, where), 1e-3)


def _mean_bands(grays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    bands = [bands_of(gray) for gray in grays]
    return np.mean([each.coarse for each in bands], axis=0), np.mean([each.fine for each in bands], axis=0)


def _structure(lights: Sequence[tuple[np.ndarray, np.ndarray]]) -> Structure:
    coarse, fine = (np.median([light[band] for light in lights], axis=0).astype(np.float32) for band in range(2))
    return Structure(coarse, fine)


def _cover(hidden: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape[:2]
    if hidden is None:
        return np.zeros((height, width), np.float32)
    return cv2.resize(hidden.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)


def _sums(values: np.ndarray, side: int) -> np.ndarray:
    """Float (rows, columns): sums over squares of `side`; what is left over at the right and the bottom is not seen."""
    rows, columns = values.shape[0] // side, values.shape[1] // side
    return values[: rows * side, : columns * side].reshape(rows, side, columns, side).sum(axis=(1, 3))


def _pixels(squares: np.ndarray, side: int, shape: tuple[int, ...]) -> np.ndarray:
    """Bool (H, W): the pixels of squares (rows, columns); those that are left over belong to none."""
    found = np.zeros(shape, bool)
    inner = squares.repeat(side, axis=0).repeat(side, axis=1)
    found[: inner.shape[0], : inner.shape[1]] = inner
    return found


@dataclass(frozen=True, slots=True)
class _Squares:
    """Products over squares: learnt with learnt, learnt with what is seen, and what is seen with itself."""

    learnt: np.ndarray
    both: np.ndarray
    now: np.ndarray
    fine_learnt: np.ndarray
    fine_both: np.ndarray
    is_textured: np.ndarray

    @staticmethod
    def of(structure: Structure, seen: Bands, side: int) -> _Squares:
        learnt = _sums(structure.coarse**2, side)
        return _Squares(
            learnt=learnt,
            both=_sums(structure.coarse * seen.coarse, side),
            now=_sums(seen.coarse**2, side),
            fine_learnt=_sums(structure.fine**2, side),
            fine_both=_sums(structure.fine * seen.fine, side),
            is_textured=learnt > (TEXTURED * side) ** 2,
        )


def _found(structure: Structure, raw: np.ndarray, blocks: _Squares) -> tuple[np.ndarray, np.ndarray]:
    """Bool (rows, columns) each: found where learnt, found elsewhere."""
    rest = np.zeros(blocks.is_textured.shape, bool)
    shifted = np.zeros_like(rest)
    padded = cv2.copyMakeBorder(raw, REACH_PX, REACH_PX, REACH_PX, REACH_PX, cv2.BORDER_REFLECT)
    for row, column in zip(*np.nonzero(blocks.is_textured), strict=True):
        top, left = int(row) * BLOCK_PX, int(column) * BLOCK_PX
        wanted = structure.coarse[top : top + BLOCK_PX, left : left + BLOCK_PX]
        side = BLOCK_PX + 2 * REACH_PX
        window = padded[top : top + side, left : left + side]
        near = window[REACH_PX - 1 : BLOCK_PX + REACH_PX + 1, REACH_PX - 1 : BLOCK_PX + REACH_PX + 1]
        here = float(cv2.matchTemplate(near, wanted, cv2.TM_CCOEFF_NORMED).max())
        if here > 0.75:
            rest[row, column] = True
            continue
        scores = cv2.matchTemplate(window, wanted, cv2.TM_CCOEFF_NORMED)
        best = float(scores.max())
        down, right = divmod(int(scores.argmax()), scores.shape[1])
        is_away = max(abs(down - REACH_PX), abs(right - REACH_PX)) >= 2
        rest[row, column] = here > 0.45 or (best > 0.3 and here > best - 0.08)
        shifted[row, column] = is_away and best > 0.5 and here < best - 0.2
    return rest, shifted


def _share(which: np.ndarray, of: np.ndarray) -> float:
    return float((which & of).sum() / of.sum()) if of.any() else 0.0


def _ratio(part: np.ndarray, whole: np.ndarray, where: np.ndarray) -> float:
    """1 where there is nothing to compare."""
    return float(part[where].sum() / whole[where].sum()) if where.any() else 1.0
