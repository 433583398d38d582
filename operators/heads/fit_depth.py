"""Fits a linear depth head on pictures whose depth is known, such as simulated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import cv2
import numpy as np

from operators.backbone import Engine
from operators.backbone.preprocess import place
from operators.frames import Placement, grid_of
from operators.geometry import FloorCamera
from operators.heads.depth_linear import DEPTH_BLOCKS, DepthAbout, DepthLinear, Taps
from operators.scene.config import ViewConfig

MOVER_WEIGHT = 4.0
"""Patches of movers count this much: they are few, and the ones that matter. Source: own measurements, 12 of 12
approaches against 10 with weight 1."""

REGULARISATION = 1e-2
"""Ridge on standardised features, per unit of total weight. Source: own measurements; 1e-1 gave 7 of 12."""

REFERENCE_FOCAL_PX = 260.0
"""Canonical focal length of heads that we fit: 74 degrees over 392 pixels."""

RANGE_METRES = (0.5, 40.0)
"""Depths beyond are fitted as the end of the range and are invalid when predicted."""

RECIPE = "ridge on log depth, raw patch and class tokens of blocks {blocks}, mover patches x {weight:g}, lambda {lam:g}"


class DepthPicture(Protocol):
    """A picture with its truth."""

    @property
    def rgb(self) -> np.ndarray:
        """uint8 (H, W, 3)."""
        ...

    @property
    def depth(self) -> np.ndarray:
        """float32 (H, W) metres along the optical axis."""
        ...

    @property
    def kind_map(self) -> np.ndarray:
        """uint8 (H, W), 0 where nothing moves."""
        ...


Progress = Callable[[int], None]
"""Told how many pictures are done."""


@dataclass(frozen=True, slots=True, repr=False)
class DepthTarget:
    """The truth of one picture on the patch grid."""

    log_depth: np.ndarray
    """float32 (h, w) natural log of metres (median over the patch's pixels) at the picture's own focal length."""
    mover_share: np.ndarray
    """float32 (h, w) share of pixels that show a mover."""


def place_like(values: np.ndarray, placement: Placement) -> np.ndarray:
    """Cut and resize a map as its picture was, to the nearest pixel. (H, W) of the source to (H, W) of the model."""
    top, left = (int(each) for each in placement.offset)
    height, width = (round(side * scale) for side, scale in zip(placement.model_size, placement.scale, strict=True))
    cut = np.ascontiguousarray(values[top : top + height, left : left + width])
    model_height, model_width = placement.model_size
    return cv2.resize(cut, (model_width, model_height), interpolation=cv2.INTER_NEAREST_EXACT)


def depth_target(picture: DepthPicture, placement: Placement, patch: int) -> DepthTarget:
    """Median depth and share of movers per patch, `patch` pixels wide."""
    depth = cells_of(place_like(picture.depth, placement), patch)
    movers = cells_of((place_like(picture.kind_map, placement) > 0).astype(np.float32), patch)
    share = movers.mean(axis=-1)
    is_mover = share >= 0.5
    # A patch that is mostly mover has the mover's depth, any other the background's.
    background = np.where(movers > 0, np.nan, depth)
    background[is_mover] = np.where(movers > 0, depth, np.nan)[is_mover]
    return DepthTarget(np.log(np.nanmedian(background, axis=-1)).astype(np.float32), share.astype(np.float32))


class DepthFit:
    """Weighted ridge regression of log depth on raw tokens, gathered picture by picture.

    Features are [patch, class token] of each block. The class token is the same in every patch of a picture, which
    makes most of the normal matrix cheap: only the patch half is multiplied at patch resolution.
    """

    def __init__(self, blocks: tuple[int, ...] = DEPTH_BLOCKS) -> None:
        self._blocks = blocks
        self._moments: np.ndarray = np.zeros((0, 0))
        self._xy: np.ndarray = np.zeros(0)

    def add(self, taps: Taps, log_depth: np.ndarray, weights: np.ndarray) -> None:
        """One picture.

        Args:
            taps: of one picture (B = 1), for every block.
            log_depth: float (h, w).
            weights: float (h, w).
        """
        patches = np.concatenate([taps[block][1][0] for block in self._blocks], axis=1)  # (N, D L)
        cls = np.concatenate([taps[block][0][0] for block in self._blocks])  # (D L,)
        tail = np.append(cls, 1.0)  # (D L + 1,): the last feature is the constant
        w, y = weights.ravel().astype(np.float32), log_depth.ravel().astype(np.float32)
        weighted = patches * w[:, None]
        sums = weighted.sum(axis=0)
        half, size = patches.shape[1], patches.shape[1] + tail.size
        if self._xy.size == 0:
            self._moments, self._xy = np.zeros((size, size)), np.zeros(size)
        self._moments[:half, :half] += weighted.T @ patches
        self._moments[:half, half:] += np.outer(sums, tail)
        self._moments[half:, half:] += float(w.sum()) * np.outer(tail, tail)
        self._xy[:half] += weighted.T @ y
        self._xy[half:] += float(w @ y) * tail

    def solve(self, about: DepthAbout, regularisation: float = REGULARISATION) -> DepthLinear:
        """The head that fits what was added.

        Raises:
            ValueError: nothing was added.
        """
        if self._xy.size == 0:
            raise ValueError("a depth head cannot be fitted on no picture: add some first")
        half = len(self._xy) // 2
        self._moments[half:, :half] = self._moments[:half, half:].T
        total = self._moments[-1, -1]
        mean, mean_y = self._moments[-1, :-1] / total, self._xy[-1] / total
        covariance = self._moments[:-1, :-1] / total - np.outer(mean, mean)
        covariance_y = self._xy[:-1] / total - mean * mean_y
        is_used = np.diag(covariance) > 0  # what is the same everywhere tells nothing, and costs a cube of its number
        covariance, covariance_y = covariance[np.ix_(is_used, is_used)], covariance_y[is_used]
        scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
        standard = covariance / np.outer(scale, scale)
        standard[np.diag_indices_from(standard)] += regularisation
        weight = np.zeros(len(is_used))
        weight[is_used] = np.linalg.solve(standard, covariance_y / scale) / scale
        bias = mean_y - mean @ weight
        return DepthLinear(self._interleaved(weight)[None].astype(np.float32), np.array([bias], np.float32), about)

    def _interleaved(self, weight: np.ndarray) -> np.ndarray:
        """p0, p1, ..., c0, c1, ... to p0, c0, p1, c1, ..."""
        return weight.reshape(2, len(self._blocks), -1).transpose(1, 0, 2).ravel()


def canonical_log_depth(log_depth: np.ndarray, focal_px: float) -> np.ndarray:
    """Log depth as the reference camera would see it, cut to the range."""
    shifted = log_depth + np.log(REFERENCE_FOCAL_PX / focal_px)
    return np.clip(shifted, *np.log(RANGE_METRES))


def fit_for_view(
    engine: Engine,
    view: ViewConfig,
    pictures: Iterable[DepthPicture],
    shape: tuple[int, int],
    progress: Progress | None = None,
) -> DepthLinear:
    """A depth head for one camera's height, pitch and field of view.

    Args:
        engine: of the backbone that the head is for.
        view: of the camera; every picture was taken with it.
        pictures: some 200 to 360 simulated pictures of other layouts, under many lights, with and without movers.
        shape: (H, W) of the camera's model-size pictures.
        progress: called after every batch with the number of pictures done.
    """
    fit = DepthFit()
    add_pictures(fit, engine, ((view, picture) for picture in pictures), shape, progress)
    recipe = f"fit for the view {view.height:g} m, {view.pitch:g} deg, hfov {view.hfov:g} deg; "
    return fit.solve(about_fit(engine.backbone.fingerprint, recipe))


def about_fit(fingerprint: str, recipe: str) -> DepthAbout:
    """What a head fitted by this module says about itself."""
    terms = RECIPE.format(blocks=list(DEPTH_BLOCKS), weight=MOVER_WEIGHT, lam=REGULARISATION)
    return DepthAbout(
        form="log",
        blocks=DEPTH_BLOCKS,
        reference_focal_px=REFERENCE_FOCAL_PX,
        range_metres=RANGE_METRES,
        fingerprint=fingerprint,
        recipe=recipe + terms,
    )


def add_pictures(
    fit: DepthFit,
    engine: Engine,
    pictures: Iterable[tuple[ViewConfig, DepthPicture]],
    shape: tuple[int, int],
    progress: Progress | None = None,
) -> None:
    """Run pictures through the backbone and add them to a fit, four at a time."""
    done = 0
    for batch in _batches(iter(pictures), 4):
        placed = [place(picture.rgb, shape) for _, picture in batch]
        taps = engine.run(np.stack([pixels for pixels, _ in placed]), DEPTH_BLOCKS, stop_after=DEPTH_BLOCKS[-1]).taps
        for row, ((view, picture), (_, placement)) in enumerate(zip(batch, placed, strict=True)):
            target = depth_target(picture, placement, engine.backbone.arch.patch)
            focal = FloorCamera(view, shape, placement).focal[1]
            weights = 1.0 + (MOVER_WEIGHT - 1.0) * (target.mover_share >= 0.5)
            one = {block: (cls[row : row + 1], patches[row : row + 1]) for block, (cls, patches) in taps.items()}
            fit.add(one, canonical_log_depth(target.log_depth, focal), weights)
        done += len(batch)
        if progress is not None:
            progress(done)


def _batches(
    pictures: Iterator[tuple[ViewConfig, DepthPicture]], size: int
) -> Iterator[list[tuple[ViewConfig, DepthPicture]]]:
    while batch := list(islice(pictures, size)):
        yield batch


def cells_of(values: np.ndarray, patch: int) -> np.ndarray:
    """(H, W) to (h, w, patch * patch): the pixels of each patch."""
    height, width = grid_of((values.shape[0], values.shape[1]), patch)
    return values.reshape(height, patch, width, patch).swapaxes(1, 2).reshape(height, width, patch * patch)
