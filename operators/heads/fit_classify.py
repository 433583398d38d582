"""Fits a classifier on vectors of labelled pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from operators.backbone import Engine
from operators.backbone.engine import EngineOutput
from operators.heads.classify_linear import ClassifyLinear, softmax
from operators.heads.embedding import pool
from operators.heads.fit_grid import BATCH, ITERATIONS, Candidate, Progress, balanced_loss, train_grid
from operators.heads.fit_parts import CHOSEN, FITTED, JUDGED
from operators.heads.head_about import HeadAbout, Reads

LAYERS = 4
RECIPE = (
    "softmax regression on {reads} at learning rate {rate:g} (best of {num} heads), batches of {batch} drawn class by "
    "class, {iterations} steps"
)

Subject = Literal["pictures", "things"]


@dataclass(frozen=True, slots=True, repr=False)
class ClassifyFit:
    """A head with how it did on what it had not seen."""

    head: ClassifyLinear
    rows: np.ndarray
    """int (J,) of the judged pictures, in `features`."""
    scores: np.ndarray
    """float32 (J, C) shares."""
    confusion: np.ndarray
    """int (C, C): truth by row, answer by column."""

    @property
    def recalls(self) -> np.ndarray:
        """Float (C,), NaN for a class that was not judged."""
        return recalls(self.confusion)


def picture_vectors(out: EngineOutput, depth: int) -> np.ndarray:
    """float32 (B, 5 D): class tokens of the last four blocks and the mean of the last one's patches, all normed."""
    tokens = [out.normed[block][0] for block in last_blocks(depth)]
    return np.concatenate([*tokens, out.patches.mean(axis=1)], axis=1)


def thing_vector(patches: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float32 (D,) of the thing under `mask` bool (h, w). `patches`: float32 (N, D)."""
    return pool(patches, mask)


def last_blocks(depth: int) -> tuple[int, ...]:
    """0-based, of the four that heads read."""
    return tuple(range(depth - LAYERS, depth))


def fit_classify(
    features: np.ndarray,
    labels: np.ndarray,
    parts: np.ndarray,
    about: HeadAbout,
    *,
    iterations: int = ITERATIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> ClassifyFit:
    """The best head of the paper's grid.

    Args:
        features: float32 (S, 5 D) `picture_vectors`, or (S, D) `thing_vector`, as `about.reads` says.
        labels: int (S,), in `about.classes`.
        parts: int (S,) as `fit_parts.split` gives them.
        about: `pooled` for things, anything else for pictures: which tokens are read is chosen with the rate.
        iterations: Steps of the training.
        seed: Of the order.
        progress: Told of every step.

    Raises:
        ValueError: a class has no picture to be fitted on.
    """
    shares = np.eye(len(about.classes), dtype=np.float32)[labels]
    fitted, chosen, judged = (np.flatnonzero(parts == part) for part in (FITTED, CHOSEN, JUDGED))
    reads = _reads(features.shape[1], is_thing=about.reads == "pooled")
    candidates = train_grid(
        features[fitted], shares[fitted], reads, iterations=iterations, seed=seed, progress=progress
    )
    best = _best(candidates, features[chosen], labels[chosen], reads)
    scores = softmax(best.logits(features[judged][:, reads[best.read]]))
    table = confusion(labels[judged], scores.argmax(axis=1), len(about.classes))
    recipe = RECIPE.format(reads=best.read, rate=best.rate, num=len(candidates), batch=BATCH, iterations=iterations)
    found = recalls(table)
    figures = {"balanced_accuracy": float(np.nanmean(found)), "judged_pictures": float(len(judged))}
    figures |= {
        f"recall {name}": float(each) for name, each in zip(about.classes, found, strict=True) if np.isfinite(each)
    }
    read: Reads = best.read  # pyright: ignore[reportAssignmentType] - a key of _reads
    blocks = about.blocks if read == "cls4_mean" else about.blocks[-1:]
    said = replace(about, reads=read, blocks=blocks, recipe=about.recipe + recipe, figures=figures)
    return ClassifyFit(ClassifyLinear(best.weight, best.bias, said), judged, scores, table)


def classify_about(engine: Engine, shape: tuple[int, int], classes: tuple[str, ...], subject: Subject) -> HeadAbout:
    """What a head of these classes says before it is fitted.

    Args:
        engine: Of the backbone.
        shape: (H, W), any of the shapes that its cameras have: their shorter side counts.
        classes: In order.
        subject: Whether it labels whole pictures, or the thing in them.
    """
    backbone, is_thing = engine.backbone, subject == "things"
    tap, pooling = ("patches", "mask_mean") if is_thing else ("cls", "none")
    return HeadAbout(
        reads="pooled" if is_thing else "cls4_mean",
        classes=classes,
        blocks=last_blocks(backbone.arch.depth),
        fingerprint=backbone.fingerprint,
        backbone=backbone.arch.name,
        space=backbone.space(shape, tap=tap, pooling=pooling),
        licence=backbone.info.licence,
        short_side=min(shape),
    )


def confusion(truth: np.ndarray, answer: np.ndarray, num_classes: int) -> np.ndarray:
    """Int (C, C): truth by row, answer by column."""
    return np.bincount(truth * num_classes + answer, minlength=num_classes**2).reshape(num_classes, num_classes)


def recalls(table: np.ndarray) -> np.ndarray:
    """Float (C,) of a confusion; NaN for a class that is not in it."""
    totals = table.sum(axis=1)
    return np.where(totals > 0, np.diag(table) / np.maximum(totals, 1), np.nan)


def _reads(width: int, *, is_thing: bool) -> dict[str, slice]:
    """Columns of the grid's reads. Source: `dinov2/eval/linear.py` @b8931f7: one or four blocks, with the mean or not.

    Differs: four class tokens without the mean are left out; no published head reads them.
    """
    if is_thing:
        return {"pooled": slice(0, width)}
    dim = width // (LAYERS + 1)
    return {"cls": slice(3 * dim, 4 * dim), "cls_mean": slice(3 * dim, None), "cls4_mean": slice(0, None)}


def _best(candidates: list[Candidate], features: np.ndarray, labels: np.ndarray, reads: dict[str, slice]) -> Candidate:
    """By balanced accuracy, then by loss: few pictures leave many heads level."""
    shares = np.eye(len(candidates[0].bias), dtype=np.float32)[labels]

    def rank(candidate: Candidate) -> tuple[float, float]:
        logits = candidate.logits(features[:, reads[candidate.read]])
        accuracy = float(np.nanmean(recalls(confusion(labels, logits.argmax(axis=1), shares.shape[1]))))
        return accuracy, -balanced_loss(logits, shares)

    return max(candidates, key=rank)
