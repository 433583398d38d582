"""`fit depth`, step by step: measured depth, or the floor of one empty scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from operators.frames import fit as placement_of
from operators.frames import nearest_shape
from operators.heads.depth_about import Taps
from operators.heads.fit_depth_maps import (
    RIDGES,
    DepthMapsFit,
    DepthPictures,
    DepthTruth,
    depth_maps_about,
    depth_truth,
    fit_depth_maps,
    pixels_of,
)
from operators.heads.fit_floor import FloorMark, floor_depth
from operators.heads.fit_parts import JUDGED, runs
from operators.units import parse_degrees
from pipeline.cli.app import UserError
from pipeline.cli.fitting.features import TAPS, FeatureStore, FitPicture, look_at
from pipeline.cli.fitting.folders import DEPTH_SUFFIX, Pair, part_pairs, plain_pictures, read_pairs
from pipeline.cli.fitting.output import NewBar, bars, print_head, print_model, write_head
from pipeline.cli.fitting.sheets import depth_rows
from pipeline.cli.fitting.truths import read_depth
from pipeline.cli.inputs import engine_of, patch_of

_FEW = 5
"""Pictures, below which each is parted within."""
Shapes = tuple[tuple[int, int], ...]
Cut = tuple[Shapes, int]
"""Shapes of the model's pictures, and the side of its patches."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for."""

    hfov: str | None
    floor: tuple[FloorMark, ...]
    floor_area: tuple[tuple[float, float], ...]
    licence: str | None
    seed: int


@dataclass(frozen=True, slots=True, repr=False)
class _Given:
    """Pictures with their truth and parts."""

    pictures: list[FitPicture]
    truths: list[DepthTruth]
    parts: list[np.ndarray]
    """int8 (h, w) of each."""
    note: str
    recipe: str = ""


def fit_metres(folder: Path, out: Path, model: tuple[str, str, str], shapes: Shapes, wanted: Wanted) -> None:
    """Fits, judges, draws and writes; arguments as for `fit_classes`.

    Raises:
        UserError: something of it cannot be used; nothing is written then.
    """
    hfov = _hfov(wanted)
    with bars() as new:
        given = (_floor if wanted.floor else _measured)(folder, (shapes, patch_of(model[0])), wanted, hfov, new)
    engine = engine_of(*model)
    print_model(engine)
    focal = next((truth.focal_px for truth in given.truths if truth.focal_px is not None), 0.0)
    about = depth_maps_about(engine, shapes[0], focal)
    about = replace(about, licence=wanted.licence or about.licence, recipe=given.recipe)
    store = FeatureStore(engine, TAPS)
    is_few = len(given.pictures) < _FEW
    with bars() as new:
        known = store.fill(given.pictures, new("backbone", len(given.pictures)))
        pictures = DepthPictures(
            lambda index: _taps(store.of(given.pictures[index]), about.blocks), given.truths, given.parts
        )
        bar = new("heads", len(RIDGES) * (1 if is_few else 2))
        try:
            fit = fit_depth_maps(pictures, about, is_one_scene=is_few, progress=bar)
        except ValueError as error:
            raise UserError(f"{folder}: {error}") from None
    print(f"{len(given.pictures)} pictures, {known} of them known from {store.folder}")
    print(given.note)
    errors = fit.errors
    print(
        f"on what it had not seen: RMSE {errors.rmse_metres:.3f} m, absolute relative error {errors.abs_rel:.3f}, "
        f"delta1 {errors.delta1:.3f}"
    )
    if not focal:
        print("no --hfov: its metres are right for cameras of the field of view of these pictures alone")
    write_head(out, fit.head.to_bytes(), _sheet(fit, given))
    print_head(out, "depth", fit.head.about.recipe, fit.head.about.licence)


def _hfov(wanted: Wanted) -> float | None:
    try:
        hfov = None if wanted.hfov is None else parse_degrees(wanted.hfov)
    except ValueError as error:
        raise UserError(f"--hfov: {error}") from None
    if hfov is not None and not 0 < hfov < 180:
        raise UserError(f"--hfov: expected more than 0 and less than 180 degrees, got {wanted.hfov}")
    if wanted.floor and len(wanted.floor) != 4:
        raise UserError(f"--floor: expected four points, got {len(wanted.floor)}")
    if wanted.floor_area and not wanted.floor:
        raise UserError("--floor-area: expected --floor four times with it")
    return hfov


def _measured(folder: Path, cut: Cut, wanted: Wanted, hfov: float | None, new: NewBar) -> _Given:
    shapes, patch = cut
    pairs = read_pairs(folder, DEPTH_SUFFIX, "depth")
    bar = new("looking at pictures", len(pairs))
    pictures: list[FitPicture] = []
    truths: list[DepthTruth] = []
    for count, pair in enumerate(pairs, 1):
        picture = look_at(pair.picture, shapes)
        metres = read_depth(pair.truth, picture.placement.source_size)
        pictures.append(picture)
        truths.append(depth_truth(metres, picture.placement, hfov, patch))
        bar(count)
    parts, note = _parts(pairs, folder, truths, wanted.seed)
    return _Given(pictures, truths, parts, note)


def _floor(folder: Path, cut: Cut, wanted: Wanted, hfov: float | None, new: NewBar) -> _Given:
    shapes, patch = cut
    paths = plain_pictures(folder)
    bar = new("looking at pictures", len(paths))
    pictures: list[FitPicture] = []
    for count, path in enumerate(paths, 1):
        pictures.append(look_at(path, shapes))
        bar(count)
    sizes = {picture.placement.source_size for picture in pictures}
    if len(sizes) > 1:
        raise UserError(f"{folder}: expected pictures of one camera, all of one size, got {sorted(sizes)}")
    size = sizes.pop()
    try:
        floor = floor_depth(wanted.floor, size, hfov, wanted.floor_area)
    except ValueError as error:
        raise UserError(f"--floor: {error}") from None
    placement = placement_of(size, nearest_shape(size, shapes))
    truth = depth_truth(floor.metres, placement, floor.hfov_degrees, patch)
    found = f"hfov {floor.hfov_degrees:.1f} deg, lens {floor.height_metres:.2f} m above the floor"
    truths = [truth] * len(pictures)
    pairs = tuple(Pair(path, path) for path in paths)
    parts, note = _parts(pairs, folder, truths, wanted.seed)
    return _Given(pictures, truths, parts, f"{note}\nthe four points say: {found}", f"floor geometry, {found}; ")


def _parts(pairs: tuple[Pair, ...], folder: Path, truths: list[DepthTruth], seed: int) -> tuple[list[np.ndarray], str]:
    """Whole pictures; where there are few, the columns of each whose depth is known, from left to right."""
    grids = [truth.log_depth.shape for truth in truths]
    if len(pairs) >= _FEW:
        parts, note = part_pairs(pairs, folder, np.ones((len(pairs), 1)), seed)
        return [np.full(grid, part, np.int8) for grid, part in zip(grids, parts, strict=True)], note
    found: list[np.ndarray] = []
    for truth in truths:
        of_column = np.zeros(truth.log_depth.shape[1], np.int8)
        columns = np.flatnonzero(np.isfinite(truth.log_depth).any(axis=0))
        of_column[columns] = runs(len(columns))
        found.append(np.broadcast_to(of_column, truth.log_depth.shape).copy())
    return (
        found,
        f"{len(pairs)} pictures are few: fitted on the left 60 %, chosen by the next 20 %, judged on the right",
    )


def _taps(values: np.ndarray, blocks: tuple[int, ...]) -> Taps:
    """float16 (4, 1 + N, D) to what heads read."""
    wide = values.astype(np.float32)
    return {block: (each[:1], each[None, 1:]) for block, each in zip(blocks, wide, strict=True)}


def _sheet(fit: DepthMapsFit, given: _Given) -> np.ndarray:
    rows = [
        (given.pictures[index].path.name, given.pictures[index].pixels(), given.truths[index].metres, metres)
        for index, metres in fit.maps.items()
    ]
    judged = [pixels_of(given.parts[index] == JUDGED, given.pictures[index].placement.model_size) for index in fit.maps]
    return depth_rows(rows, judged, f"RMSE {fit.errors.rmse_metres:.3f} m, delta1 {fit.errors.delta1:.3f}")
