"""Fits a segmenting head on patches of pictures with masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from operators.backbone import Engine
from operators.frames import Placement, grid_of
from operators.heads.fit_classify import LAYERS, last_blocks
from operators.heads.fit_depth import cells_of, place_like
from operators.heads.fit_grid import BATCH, ITERATIONS, Candidate, Progress, train_grid
from operators.heads.fit_parts import CHOSEN, FITTED, JUDGED
from operators.heads.head_about import HeadAbout
from operators.heads.segment import SegmentLinear
from operators.heads.segment_maps import predict_map

UNKNOWN = 255
"""In a mask: of no class, not fitted on and not judged. Source: ADE20K's and VOC's own convention."""
MAX_CLASSES = 255
"""Indices of a mask, without `UNKNOWN`."""
FEATURE_BYTES = 200 << 20
"""Of patches that are held, thrice at most, while a head is fitted; of more pictures some patches are drawn."""
_PRIORS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How far scores lean towards what is frequent. Source: logit adjustment, arXiv 2007.07314; own choice of steps."""
_LEAST_KNOWN = 0.5
"""Of a patch's pixels, below which it is not fitted on."""
RECIPE = (
    "softmax regression on {blocks} of the last blocks at learning rate {rate:g} (best of {num} heads), {patches} "
    "patches drawn class by class in batches of {batch}, {iterations} steps; classes lean {prior:g} towards their share"
)


@dataclass(frozen=True, slots=True, repr=False)
class SegmentTruth:
    """The mask of one picture as the model's picture shows it."""

    shares: np.ndarray
    """uint16 (N, C): pixels of each class per patch."""
    mask: np.ndarray
    """uint8 (H, W) of the model's picture, `UNKNOWN` where it is not said."""

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return round((self.mask.size / len(self.shares)) ** 0.5)


@dataclass(frozen=True, slots=True, repr=False)
class SegmentFit:
    """A head with how it did on pictures that it had not seen."""

    head: SegmentLinear
    confusion: np.ndarray
    """int (C, C) pixels: truth by row, answer by column."""
    maps: dict[int, np.ndarray]
    """uint8 (H, W) answers by index of the judged picture."""

    @property
    def ious(self) -> np.ndarray:
        """Float (C,), NaN for a class that neither truth nor answers hold."""
        return ious(self.confusion)


Tokens = Callable[[int], np.ndarray]
"""By index of a picture: float16 (4, N, D) patches of the last four blocks after the final norm."""


def segment_truth(mask: np.ndarray, placement: Placement, num_classes: int, patch: int) -> SegmentTruth:
    """What is known of each patch.

    Args:
        mask: uint8 (H, W) of the source picture.
        placement: How the model's picture was cut from it.
        num_classes: C.
        patch: Side of a patch of the backbone in pixels.
    """
    placed = place_like(mask, placement)
    cells = cells_of(placed, patch).reshape(-1, patch * patch)  # (N, patch * patch)
    shares = np.stack([(cells == index).sum(axis=1) for index in range(num_classes)], axis=1)
    return SegmentTruth(shares.astype(np.uint16), placed)


def fit_segment(
    tokens: Tokens,
    truths: Sequence[SegmentTruth],
    parts: np.ndarray,
    about: HeadAbout,
    *,
    iterations: int = ITERATIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> SegmentFit:
    """The best head of the paper's grid on one and on four blocks.

    Args:
        tokens: Of each picture, read again where needed: memory is bounded by `FEATURE_BYTES`.
        truths: Of each picture.
        parts: int (pictures,) as `fit_parts.split` gives them.
        about: `segment_about`.
        iterations: Steps of the training.
        seed: Of the draw.
        progress: Told of every step.

    Raises:
        ValueError: a class has no patch to be fitted on.
    """
    features, shares = _gathered(tokens, truths, np.flatnonzero(parts == FITTED), seed)
    width = features.shape[1]
    reads = {"1": slice(width - width // LAYERS, None), "4": slice(0, None)}
    candidates = train_grid(features, shares, reads, iterations=iterations, seed=seed, progress=progress)
    rare = np.log(np.maximum(shares.mean(axis=0), 1e-6))
    best, prior = _best(candidates, rare, tokens, truths, np.flatnonzero(parts == CHOSEN))
    recipe = RECIPE.format(
        blocks=best.read,
        rate=best.rate,
        num=len(candidates),
        patches=len(features),
        batch=BATCH,
        iterations=iterations,
        prior=prior,
    )
    said = replace(about, blocks=about.blocks[-int(best.read) :], recipe=about.recipe + recipe)
    bias = best.bias + np.float32(prior) * rare.astype(np.float32)
    return _judged(SegmentLinear(best.weight, bias, said), tokens, truths, np.flatnonzero(parts == JUDGED))


def segment_about(engine: Engine, shape: tuple[int, int], classes: tuple[str, ...]) -> HeadAbout:
    """What a head of these classes says before it is fitted; arguments as for `fit_classify.classify_about`."""
    backbone = engine.backbone
    return HeadAbout(
        reads="patches",
        classes=classes,
        blocks=last_blocks(backbone.arch.depth),
        fingerprint=backbone.fingerprint,
        backbone=backbone.arch.name,
        space=backbone.space(shape),
        licence=backbone.info.licence,
        short_side=min(shape),
    )


def pixel_confusion(truth: np.ndarray, answer: np.ndarray, num_classes: int) -> np.ndarray:
    """Int (C, C) over the pixels of known truth; both uint8 (H, W)."""
    known = truth != UNKNOWN
    pairs = truth[known].astype(np.int64) * num_classes + answer[known]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def ious(confusion: np.ndarray) -> np.ndarray:
    """Float (C,) intersection over union; NaN for a class that neither truth nor answers hold."""
    hit = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - hit
    return np.where(either > 0, hit / np.maximum(either, 1), np.nan)


def mean_iou(confusion: np.ndarray) -> float:
    """Over the classes that the truth holds."""
    seen = confusion.sum(axis=1) > 0
    return float(ious(confusion)[seen].mean()) if seen.any() else float("nan")


def _gathered(
    tokens: Tokens, truths: Sequence[SegmentTruth], rows: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """float16 (S, 4 D) patches and float32 (S, C) shares; of each picture at most its part of the memory."""
    rng = np.random.default_rng(seed)
    kept: list[np.ndarray] = []
    shares: list[np.ndarray] = []
    for row in rows:
        every = _flat(tokens(int(row)))
        room = max(1, FEATURE_BYTES // (every.itemsize * every.shape[1]) // len(rows))
        known = np.flatnonzero(truths[row].shares.sum(axis=1) >= _LEAST_KNOWN * truths[row].patch ** 2)
        chosen = known if len(known) <= room else np.sort(rng.choice(known, room, replace=False))
        counts = truths[row].shares[chosen].astype(np.float32)
        kept.append(every[chosen])
        shares.append(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    return np.concatenate(kept), np.concatenate(shares)


def _best(
    candidates: list[Candidate], rare: np.ndarray, tokens: Tokens, truths: Sequence[SegmentTruth], rows: np.ndarray
) -> tuple[Candidate, float]:
    """By the mean IoU of patches, for every lean."""
    num_classes = len(rare)
    tables = np.zeros((len(candidates), len(_PRIORS), num_classes, num_classes), np.int64)
    for row in rows:
        every, counts = _flat(tokens(int(row))).astype(np.float32), truths[row].shares
        known = counts.sum(axis=1) > 0
        truth = counts.argmax(axis=1)[known]
        for at, candidate in enumerate(candidates):
            logits = candidate.logits(every[known, every.shape[1] - candidate.weight.shape[1] :])
            for lean, prior in enumerate(_PRIORS):
                answer = (logits + prior * rare).argmax(axis=1)
                pairs = np.bincount(truth * num_classes + answer, minlength=num_classes**2)
                tables[at, lean] += pairs.reshape(num_classes, num_classes)
    scores = np.array([[mean_iou(table) for table in row] for row in tables])
    at, lean = np.unravel_index(int(np.nanargmax(scores)), scores.shape)
    return candidates[at], _PRIORS[lean]


def _judged(head: SegmentLinear, tokens: Tokens, truths: Sequence[SegmentTruth], rows: np.ndarray) -> SegmentFit:
    classes = head.about.classes
    table = np.zeros((len(classes), len(classes)), np.int64)
    maps: dict[int, np.ndarray] = {}
    for row in (int(each) for each in rows):
        maps[row] = answer(head, tokens(row), truths[row])
        table += pixel_confusion(truths[row].mask, maps[row], len(classes))
    figures = {"mean_iou": mean_iou(table), "judged_pictures": float(len(rows))}
    figures |= {f"iou {name}": float(each) for name, each in _known(classes, ious(table))}
    fitted = replace(head, about=replace(head.about, figures=figures))
    return SegmentFit(fitted, table, maps)


def answer(head: SegmentLinear, tokens: np.ndarray, truth: SegmentTruth) -> np.ndarray:
    """uint8 (H, W) best class of each pixel of a picture. `tokens`: float16 (4, N, D)."""
    height, width = truth.mask.shape
    grid = grid_of((height, width), truth.patch)
    of_block = dict(zip(head.about.blocks, tokens[-len(head.about.blocks) :].astype(np.float32), strict=True))
    none = np.zeros((1, tokens.shape[2]), np.float32)
    normed = {block: (none, each[None]) for block, each in of_block.items()}
    return predict_map(head, normed, grid, (height, width))[0]


def decode_mask(data: bytes) -> np.ndarray:
    """A PNG as it is: uint8 (H, W) indices, or uint8 (H, W, 3) RGB colours.

    Raises:
        ValueError: no picture, or one of 16 bits.
    """
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if raw is None:
        raise ValueError(f"no picture: expected a PNG, got {len(data)} bytes of something else")
    if raw.dtype != np.uint8:
        raise ValueError(f"expected 8 bits for each value, got {raw.dtype}")
    return raw if raw.ndim == 2 else np.ascontiguousarray(raw[..., 2::-1])


def _flat(tokens: np.ndarray) -> np.ndarray:
    """(4, N, D) to (N, 4 D), earlier blocks first."""
    return np.ascontiguousarray(tokens.transpose(1, 0, 2)).reshape(tokens.shape[1], -1)


def _known(classes: tuple[str, ...], values: np.ndarray) -> Iterator[tuple[str, float]]:
    return ((name, float(each)) for name, each in zip(classes, values, strict=True) if np.isfinite(each))
