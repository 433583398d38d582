"""`fit segment`, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from operators.heads.fit_parts import FITTED
from operators.heads.fit_segment import MAX_CLASSES, SegmentFit, SegmentTruth, fit_segment, segment_about, segment_truth
from pipeline.cli.app import UserError
from pipeline.cli.fitting.features import PATCHES, FeatureStore, FitPicture, look_at
from pipeline.cli.fitting.folders import NAMES_FILE, UNNAMED, MaskClass, Pair, part_pairs, read_names, read_pairs
from pipeline.cli.fitting.output import NewBar, bars, print_head, print_model, table_lines, write_head
from pipeline.cli.fitting.sheets import mask_rows
from pipeline.cli.fitting.truths import read_mask
from pipeline.cli.inputs import MASK_SUFFIX, engine_of, patch_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for."""

    names: Path | None
    licence: str | None
    steps: int
    seed: int


def fit_masks(
    folder: Path, out: Path, model: tuple[str, str, str], shapes: tuple[tuple[int, int], ...], wanted: Wanted
) -> None:
    """Fits, judges, draws and writes; arguments as for `fit_classes`.

    Raises:
        UserError: something of it cannot be used; nothing is written then.
    """
    pairs = read_pairs(folder, MASK_SUFFIX, "mask")
    names = wanted.names or folder / NAMES_FILE
    lines = read_names(names)
    classes = tuple(each.name for each in lines if each.name != UNNAMED)
    if len(classes) > MAX_CLASSES:
        raise UserError(f"{names}: expected at most {MAX_CLASSES} classes, got {len(classes)}")
    with bars() as new:
        pictures, truths = _look(pairs, (shapes, patch_of(model[0])), (names, lines), len(classes), new)
    shown = np.stack([truth.shares.sum(axis=0, dtype=np.float64) for truth in truths])
    parts, note = part_pairs(pairs, folder, shown, wanted.seed)
    _check_shown(classes, shown, parts, folder)
    engine = engine_of(*model)
    print_model(engine)
    about = segment_about(engine, shapes[0], classes)
    about = replace(about, licence=wanted.licence or about.licence, trained_on=folder.resolve().name)
    store = FeatureStore(engine, PATCHES)
    with bars() as new:
        known = store.fill(pictures, new("backbone", len(pictures)))
        bar = new("grid of heads", wanted.steps)
        fit = fit_segment(
            lambda index: store.of(pictures[index]),
            truths,
            parts,
            about,
            iterations=wanted.steps,
            seed=wanted.seed,
            progress=bar,
        )
    print(f"{len(pictures)} pictures, {known} of them known from {store.folder}\n{note}")
    print(f"mean IoU {fit.head.about.figures['mean_iou']:.3f} of pixels that it had not seen")
    for line in table_lines(classes, fit.confusion, fit.ious, "IoU"):
        print(line)
    write_head(out, fit.head.to_bytes(), _sheet(fit, pictures, truths))
    print_head(out, "segment", fit.head.about.recipe, fit.head.about.licence)


def _look(
    pairs: tuple[Pair, ...],
    cut: tuple[tuple[tuple[int, int], ...], int],
    named: tuple[Path, tuple[MaskClass, ...]],
    num_classes: int,
    new: NewBar,
) -> tuple[list[FitPicture], list[SegmentTruth]]:
    """`cut`: shapes of the model's pictures, and the side of its patches."""
    shapes, patch = cut
    bar = new("looking at pictures", len(pairs))
    pictures: list[FitPicture] = []
    truths: list[SegmentTruth] = []
    for count, pair in enumerate(pairs, 1):
        picture = look_at(pair.picture, shapes)
        mask = read_mask(pair.truth, picture.placement.source_size, named[1], named[0])
        pictures.append(picture)
        truths.append(segment_truth(mask, picture.placement, num_classes, patch))
        bar(count)
    return pictures, truths


def _check_shown(classes: tuple[str, ...], shown: np.ndarray, parts: np.ndarray, folder: Path) -> None:
    """Every class must be there to be fitted on."""
    missing = [name for name, count in zip(classes, shown[parts == FITTED].sum(axis=0), strict=True) if not count]
    if missing:
        raise UserError(
            f"{folder}: no mask of those fitted on shows {', '.join(missing[:5])}: expected every class in at least "
            "three pictures (or clips). Add some, or take the class out of the names"
        )


def _sheet(fit: SegmentFit, pictures: list[FitPicture], truths: list[SegmentTruth]) -> np.ndarray:
    rows = [
        (pictures[index].path.name, pictures[index].pixels(), truths[index].mask, said)
        for index, said in fit.maps.items()
    ]
    return mask_rows(rows, fit.head.about.classes, f"mean IoU {fit.head.about.figures['mean_iou']:.3f}")
