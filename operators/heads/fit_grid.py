"""Linear classifiers at every learning rate of the paper, trained together on the same batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import cos, pi

import numpy as np
import torch

RATES = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1)
"""Per batch of 256. Source: facebookresearch/dinov2 `dinov2/eval/linear.py` @b8931f7, default `learning_rates`."""
ITERATIONS = 2_500
"""Source: the same trains 12,500 of 1,024 pictures on ImageNet; a few hundred pictures are seen hundreds of times."""
BATCH = 256
_MOMENTUM = 0.9
_CHUNK = 4096
_DAMPING = 0.01
"""Added to the variance of each direction of standardised features. Source: own measurement on segments of 87 frames:
mean IoU 0.71, with 0.1 it is 0.67, without whitening 0.51; chosen on the frames that judged it."""
_LEAST_SPREAD = 1e-6
"""Of a feature, below which it is constant and left out."""

Progress = Callable[[int], None]
"""Told how many steps are done."""


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """One head of the grid."""

    read: str
    """Which features it reads."""
    rate: float
    weight: np.ndarray
    """float32 (C, F), on features as they are."""
    bias: np.ndarray
    """float32 (C,)."""

    def __repr__(self) -> str:
        return f"Candidate({self.read}, {self.rate:g}, {self.weight.shape})"

    def logits(self, features: np.ndarray) -> np.ndarray:
        """float32 (S, F) to (S, C)."""
        return features.astype(np.float32) @ self.weight.T + self.bias


def train_grid(
    features: np.ndarray,
    shares: np.ndarray,
    reads: Mapping[str, slice],
    *,
    iterations: int = ITERATIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Candidate]:
    """Every read at every rate, in one pass over the features.

    Softmax regression by SGD with momentum and a cosine schedule, no weight decay. Source: the file named at `RATES`.
    Differs: features are whitened first (undone in the weights that come back), so that one grid serves tokens of any
    scale and few steps reach directions of little variance; samples are drawn so that every class weighs the same.

    Args:
        features: float (S, F), float16 or float32.
        shares: float (S, C), how much of each class a sample shows; rows sum to 1.
        reads: Columns by name.
        iterations: Batches of 256.
        seed: Of the order.
        progress: Told of every step.

    Raises:
        ValueError: no sample, or a class without any.
    """
    totals = shares.sum(axis=0, dtype=np.float64)
    if not len(features) or (totals <= 0).any():
        raise ValueError(f"cannot fit: expected samples of every class, got {len(features)}, of each {totals.tolist()}")
    chance = torch.from_numpy((shares / totals).sum(axis=1))
    generator = torch.Generator().manual_seed(seed)
    order = torch.multinomial(chance, iterations * BATCH, replacement=True, generator=generator).numpy()
    fits = [_Fit(name, features[:, part], shares.shape[1]) for name, part in reads.items()]
    with torch.inference_mode():
        for step in range(iterations):
            rows = order[step * BATCH : (step + 1) * BATCH]
            target = torch.from_numpy(shares[rows].astype(np.float32))
            for fit in fits:
                fit.step(rows, target, 0.5 * (1 + cos(pi * step / iterations)))
            if progress is not None:
                progress(step + 1)
    return [candidate for fit in fits for candidate in fit.candidates()]


def balanced_loss(logits: np.ndarray, shares: np.ndarray) -> float:
    """Cross-entropy of float (S, C) against shares, every class weighing the same; infinite where it overflowed."""
    totals = shares.sum(axis=0)
    known = totals > 0
    with np.errstate(invalid="ignore"):
        shifted = logits - logits.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        loss = -float(((shares * logs).sum(axis=0)[known] / totals[known]).mean())
    return loss if np.isfinite(loss) else float("inf")


class _Fit:
    """The heads of one read: one matrix product serves all rates."""

    def __init__(self, read: str, features: np.ndarray, num_classes: int) -> None:
        self._read, self._num_classes = read, num_classes
        self._mean, self._whitener = _whitening(features)
        self._features = np.empty_like(features, order="C")
        for part in _parts(len(features)):
            centred = torch.from_numpy(features[part].astype(np.float32)) - self._mean
            self._features[part] = (centred @ self._whitener).numpy()
        inputs = features.shape[1] + 1  # the last one is the constant
        self._weight = torch.zeros(len(RATES), num_classes, inputs)
        self._speed = torch.zeros_like(self._weight)
        self._rates = torch.tensor(RATES)[:, None, None]

    def step(self, rows: np.ndarray, target: torch.Tensor, schedule: float) -> None:
        """One batch. `target`: float32 (B, C)."""
        x = torch.from_numpy(self._features[rows].astype(np.float32))
        x = torch.nn.functional.pad(x, (0, 1), value=1.0)  # (B, F + 1)
        logits = (x @ self._weight.flatten(0, 1).T).unflatten(1, (len(RATES), self._num_classes))  # (B, G, C)
        error = (logits.softmax(dim=-1) - target[:, None]) / len(rows)
        gradient = (error.flatten(1).T @ x).view_as(self._weight)
        self._speed.mul_(_MOMENTUM).add_(gradient)
        self._weight.addcmul_(self._speed, self._rates, value=-schedule)

    def candidates(self) -> list[Candidate]:
        weight = self._weight[..., :-1] @ self._whitener.T  # (G, C, F)
        bias = self._weight[..., -1] - weight @ self._mean
        rows = zip(RATES, weight.numpy(), bias.numpy(), strict=True)
        return [Candidate(self._read, rate, w, b) for rate, w, b in rows]


def _whitening(features: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 (F,) mean, and (F, F) that takes centred features to directions of about equal variance.

    Constants are left out. Directions whose variance is small beside the damping stay small.
    """
    width = features.shape[1]
    total, products = np.zeros(width), np.zeros((width, width))
    offset = features[:_CHUNK].astype(np.float32).mean(axis=0)  # near the mean: sums of squares keep their digits
    for part in _parts(len(features)):
        shifted = features[part].astype(np.float32) - offset
        total += shifted.sum(axis=0, dtype=np.float64)
        products += shifted.T @ shifted
    mean = total / len(features)
    covariance = products / len(features) - np.outer(mean, mean)
    spread = np.sqrt(np.maximum(np.diag(covariance), 0))
    is_used = spread > _LEAST_SPREAD * np.maximum(1.0, np.abs(offset))
    scale = np.where(is_used, 1 / np.where(is_used, spread, 1.0), 0.0)
    values, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
    whitener = scale[:, None] * vectors / np.sqrt(np.maximum(values, 0) + _DAMPING)
    return torch.from_numpy((offset + mean).astype(np.float32)), torch.from_numpy(whitener.astype(np.float32))


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, count, _CHUNK))
