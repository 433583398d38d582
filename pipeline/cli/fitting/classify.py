"""`fit classify`, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from operators.frames import grid_of
from operators.heads.fit_classify import ClassifyFit, classify_about, fit_classify
from operators.retrieval.build_bank import patch_mask
from pipeline.cli.app import UserError
from pipeline.cli.fitting.features import PICTURES, THINGS, FeatureStore, FitPicture, look_at
from pipeline.cli.fitting.folders import LabelledFolder, read_classes
from pipeline.cli.fitting.output import NewBar, bars, print_head, print_model, table_lines, write_head
from pipeline.cli.fitting.sheets import Answer, answers_sheet
from pipeline.cli.fitting.truths import read_thing
from pipeline.cli.inputs import engine_of

Subject = Literal["pictures", "masks", "crops"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for."""

    subject: Subject
    licence: str | None
    steps: int
    seed: int


def fit_classes(
    folder: Path, out: Path, model: tuple[str, str, str], shapes: tuple[tuple[int, int], ...], wanted: Wanted
) -> None:
    """Fits, judges, draws and writes.

    Args:
        folder: One subfolder per class.
        out: The head.
        model: (backbone, weights, precision) as written.
        shapes: (H, W), of one shorter side.
        wanted: The rest.

    Raises:
        UserError: something of it cannot be used; nothing is written then.
    """
    given = read_classes(folder, wanted.seed)
    engine = engine_of(*model)
    print_model(engine)
    is_thing = wanted.subject != "pictures"
    about = classify_about(engine, shapes[0], given.classes, "things" if is_thing else "pictures")
    about = replace(about, licence=wanted.licence or about.licence, trained_on=folder.resolve().name)
    store = FeatureStore(engine, THINGS if is_thing else PICTURES)
    with bars() as new:
        pictures = _look(given, shapes, wanted.subject, engine.backbone.arch.patch, new)
        known = store.fill(pictures, new("backbone", len(pictures)))
        features = np.stack([store.of(picture) for picture in pictures])
        bar = new("grid of heads", wanted.steps)
        fit = fit_classify(
            features, given.labels, given.parts, about, iterations=wanted.steps, seed=wanted.seed, progress=bar
        )
    for line in (f"{len(pictures)} pictures, {known} of them known from {store.folder}", *given.notes):
        print(line)
    print(f"balanced accuracy {fit.head.about.figures['balanced_accuracy']:.3f} on what it had not seen")
    for line in table_lines(given.classes, fit.confusion, fit.recalls, "recall"):
        print(line)
    write_head(out, fit.head.to_bytes(), _sheet(fit, pictures, given))
    print_head(out, "classify", fit.head.about.recipe, fit.head.about.licence)


def _look(
    given: LabelledFolder, shapes: tuple[tuple[int, int], ...], subject: Subject, patch: int, new: NewBar
) -> list[FitPicture]:
    bar = new("looking at pictures", len(given.paths))
    found: list[FitPicture] = []
    for count, path in enumerate(given.paths, 1):
        match subject:
            case "pictures":
                found.append(look_at(path, shapes))
            case "crops":
                found.append(look_at(path, shapes, lambda _, cut: np.ones(grid_of(cut.model_size, patch), bool)))
            case "masks":
                found.append(
                    look_at(path, shapes, lambda rgb, cut, path=path: patch_mask(read_thing(path, rgb), cut, patch))
                )
        bar(count)
    _check_twins(found, given)
    return found


def _check_twins(pictures: list[FitPicture], given: LabelledFolder) -> None:
    """One file under two classes would teach that one is the other."""
    seen: dict[str, int] = {}
    for at, picture in enumerate(pictures):
        other = seen.setdefault(picture.digest, at)
        if given.labels[other] != given.labels[at]:
            raise UserError(f"{picture.path} is the same picture as {pictures[other].path}: expected one class for it")


def _sheet(fit: ClassifyFit, pictures: list[FitPicture], given: LabelledFolder) -> np.ndarray:
    answers = [
        Answer(
            pictures[row].rgb,
            given.classes[given.labels[row]],
            given.classes[int(scores.argmax())],
            float(scores.max()),
        )
        for row, scores in zip(fit.rows, fit.scores, strict=True)
    ]
    accuracy = fit.head.about.figures["balanced_accuracy"]
    return answers_sheet(answers, f"Pictures that the head had not seen, balanced accuracy {accuracy:.3f}")
