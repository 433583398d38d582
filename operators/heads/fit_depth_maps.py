"""Fits a depth head on pictures with measured depth, and judges it on what it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from operators.backbone import Engine
from operators.frames import Placement
from operators.geometry import focal_px
from operators.heads.depth_about import DepthAbout, Taps
from operators.heads.depth_linear import DepthLinear
from operators.heads.depth_published import blocks_of
from operators.heads.fit_depth import DepthFit, cells_of, place_like
from operators.heads.fit_grid import Progress
from operators.heads.fit_parts import CHOSEN, FITTED, JUDGED

RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""On standardised features, per unit of total weight. The paper trains its depth heads by gradient steps; a linear head
on log depth has its optimum in closed form, and what is left to choose is how far it is held back."""
BEYOND = 1.25
"""The range is that of the depths fitted on, this much wider at both ends."""
_LEAST_KNOWN = 0.5
"""Of a patch's pixels."""
RECIPE = "ridge on log depth, raw patch and class tokens of blocks {blocks}, lambda {lam:g} (best of {num})"
_PATCHES_ALONE = "; the class token is left out"


@dataclass(frozen=True, slots=True, repr=False)
class DepthTruth:
    """The depth of one picture as the model's picture shows it."""

    log_depth: np.ndarray
    """float32 (h, w) natural log of metres (median of the patch's known pixels), NaN where unknown."""
    metres: np.ndarray
    """float32 (H, W) of the model's picture, NaN where unknown."""
    focal_px: float | None
    """Of the model's picture, vertical; None: not known."""


@dataclass(frozen=True, slots=True)
class DepthErrors:
    """On pixels of known depth: the mean of the pictures' own figures."""

    rmse_metres: float
    abs_rel: float
    """|error| / depth."""
    delta1: float
    """Share of pixels whose depth is wrong by a factor below 1.25."""
    median_rel: float


@dataclass(frozen=True, slots=True, repr=False)
class DepthMapsFit:
    """A head with how it did on what it had not seen."""

    head: DepthLinear
    errors: DepthErrors
    maps: dict[int, np.ndarray]
    """float32 (H, W) metres by index of the judged picture."""


@dataclass(frozen=True, slots=True, repr=False)
class DepthPictures:
    """What a head is fitted on, chosen by, and judged on."""

    taps: Callable[[int], Taps]
    """By index of a picture: raw tokens of the head's blocks, of one picture (B = 1)."""
    truths: Sequence[DepthTruth]
    parts: Sequence[np.ndarray]
    """int8 (h, w) of each picture, as `fit_parts` numbers them."""

    def used(self, part: int) -> Iterator[tuple[int, DepthTruth, np.ndarray]]:
        """(index, truth, bool (h, w) patches of the part whose depth is known), where there are any."""
        for index, (truth, own) in enumerate(zip(self.truths, self.parts, strict=True)):
            used = (own == part) & np.isfinite(truth.log_depth)
            if used.any():
                yield index, truth, used


def depth_truth(metres: np.ndarray, placement: Placement, hfov_degrees: float | None, patch: int) -> DepthTruth:
    """What is known of each patch.

    Args:
        metres: float32 (H, W) of the source picture, 0 or NaN where unknown.
        placement: How the model's picture was cut from it.
        hfov_degrees: Horizontal, of the whole source picture; None: not known.
        patch: Side of a patch of the backbone in pixels.
    """
    placed = place_like(np.where(metres > 0, metres, np.nan).astype(np.float32), placement)
    cells = cells_of(placed, patch)  # (h, w, patch * patch)
    known = np.isfinite(cells).mean(axis=-1) >= _LEAST_KNOWN
    medians = np.full(known.shape, np.nan, np.float32)
    medians[known] = np.nanmedian(cells[known], axis=-1)
    focal = None if hfov_degrees is None else focal_px(hfov_degrees, placement.source_size[1]) / placement.scale[0]
    return DepthTruth(np.log(medians), placed, focal)


def fit_depth_maps(
    pictures: DepthPictures, about: DepthAbout, *, is_one_scene: bool = False, progress: Progress | None = None
) -> DepthMapsFit:
    """The best head of the grid of ridges, with and without the class token, then fitted again on what it was fitted on
    and chosen by.

    Args:
        pictures: With their truth.
        about: `depth_maps_about`.
        is_one_scene: Leave the class token out: it tells pictures apart, and there are too few to learn from that.
        progress: Told how many heads were tried.

    Raises:
        ValueError: nothing is known of the depth of a part.
    """
    ranged = replace(about, range_metres=_range(pictures, about))
    tried = 0
    best: tuple[float, bool, float] = (float("inf"), False, RIDGES[-1])
    fits = {reads_cls: DepthFit(about.blocks) for reads_cls in ((False,) if is_one_scene else (True, False))}
    for reads_cls, fit in fits.items():
        _add(fit, pictures, ranged, FITTED, reads_cls=reads_cls)
        losses = {ridge: _log_error(fit.solve(ranged, ridge), pictures) for ridge in RIDGES}
        ridge = min(losses, key=losses.__getitem__)
        best = min(best, (losses[ridge], reads_cls, ridge))
        tried += len(losses)
        if progress is not None:
            progress(tried)
    _, reads_cls, ridge = best
    _add(fits[reads_cls], pictures, ranged, CHOSEN, reads_cls=reads_cls)
    recipe = RECIPE.format(blocks=list(about.blocks), lam=ridge, num=len(RIDGES) * len(fits))
    recipe = about.recipe + recipe + ("" if reads_cls else _PATCHES_ALONE)
    head = fits[reads_cls].solve(replace(ranged, recipe=recipe), ridge)
    errors, maps = judge(head, pictures)
    figures = {"rmse_metres": errors.rmse_metres, "abs_rel": errors.abs_rel, "delta1": errors.delta1}
    said = replace(head.about, figures=figures, relative_error=errors.median_rel)
    return DepthMapsFit(DepthLinear(head.weight, head.bias, said), errors, maps)


def depth_maps_about(engine: Engine, shape: tuple[int, int], reference_focal_px: float) -> DepthAbout:
    """What a head says before it is fitted.

    Args:
        engine: Of the backbone.
        shape: (H, W), any of the shapes that its cameras have: their shorter side counts.
        reference_focal_px: Of a picture of that shape; 0: not known.
    """
    backbone = engine.backbone
    return DepthAbout(
        form="log",
        blocks=blocks_of(backbone.arch.depth, 4),
        reference_focal_px=reference_focal_px,
        range_metres=(0.0, 0.0),
        fingerprint=backbone.fingerprint,
        backbone=backbone.arch.name,
        licence=backbone.info.licence,
        trained_size=(min(shape), min(shape)),
    )


def judge(head: DepthLinear, pictures: DepthPictures) -> tuple[DepthErrors, dict[int, np.ndarray]]:
    """Errors on the pixels of the judged part, and what the head says of those pictures.

    Depths beyond the head's range count as its end: nothing is left out.

    Raises:
        ValueError: no depth is known there.
    """
    rows: list[tuple[float, float, float, float]] = []
    maps: dict[int, np.ndarray] = {}
    for index, truth, _ in pictures.used(JUDGED):
        part = pictures.parts[index]
        size = (truth.metres.shape[0], truth.metres.shape[1])
        is_judged = pixels_of(part == JUDGED, size) & np.isfinite(truth.metres)
        raw = _raw(head, pictures.taps(index), (part.shape[0], part.shape[1]), size)
        maps[index] = raw.clip(*head.about.range_metres) * _scale(truth, head.about)
        wanted, got = truth.metres[is_judged], maps[index][is_judged]
        share = np.abs(got - wanted) / wanted
        ratio = np.maximum(got / wanted, wanted / got)
        rmse = float(np.sqrt(np.mean((got - wanted) ** 2)))
        rows.append((rmse, float(share.mean()), float((ratio < 1.25).mean()), float(np.median(share))))
    if not rows:
        raise ValueError("no depth is known in what the head is to be judged on: give more pictures")
    return DepthErrors(*(float(each) for each in np.mean(rows, axis=0))), maps


def pixels_of(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bool (h, w) patches to bool (H, W) pixels of the model's picture."""
    patch = size[0] // mask.shape[0]
    return np.kron(mask, np.ones((patch, patch), bool))


def _add(fit: DepthFit, pictures: DepthPictures, about: DepthAbout, part: int, *, reads_cls: bool) -> None:
    for index, truth, used in pictures.used(part):
        logs = np.where(used, truth.log_depth, 0) - np.log(_scale(truth, about))
        taps = pictures.taps(index)
        if not reads_cls:
            taps = {block: (np.zeros_like(cls), patches) for block, (cls, patches) in taps.items()}
        fit.add(taps, logs, used.astype(np.float32))


def _log_error(head: DepthLinear, pictures: DepthPictures) -> float:
    """Mean |log| over the patches of the chosen part; infinite where there is none."""
    errors: list[np.ndarray] = []
    for index, truth, used in pictures.used(CHOSEN):
        grid = (used.shape[0], used.shape[1])
        raw = _raw(head, pictures.taps(index), grid, grid).clip(*head.about.range_metres)
        errors.append(np.abs(np.log(raw * _scale(truth, head.about)) - truth.log_depth)[used])
    return float(np.concatenate(errors).mean()) if errors else float("inf")


def _raw(head: DepthLinear, taps: Taps, grid: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """float32 (H, W), infinite where a poor head of the grid overflows."""
    with np.errstate(over="ignore"):
        return head.raw_map(taps, grid, size)[0]


def _scale(truth: DepthTruth, about: DepthAbout) -> float:
    """Metres of the picture per metre of the head."""
    return truth.focal_px / about.reference_focal_px if truth.focal_px and about.reference_focal_px else 1.0


def _range(pictures: DepthPictures, about: DepthAbout) -> tuple[float, float]:
    fitted = [truth.log_depth[used] - np.log(_scale(truth, about)) for _, truth, used in pictures.used(FITTED)]
    if not fitted:
        raise ValueError("no depth is known in what the head is to be fitted on: give more pictures")
    known = np.concatenate(fitted)
    return float(np.exp(known.min()) / BEYOND), float(np.exp(known.max()) * BEYOND)
