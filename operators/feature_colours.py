"""Patch tokens as colours: the picture that DINOv2 is known for.

Source: DINOv2, arXiv 2304.07193, figure 1 and section 7.6: the first principal component of all patches, cut at a
threshold, tells foreground from background; three components of the foreground's patches, of all pictures together,
are red, green and blue, so that equal parts of different pictures have equal colours.
Differs: in the paper a person chooses the sign and the threshold. Here the first component is that of patches less
their picture's mean (else a change of light between the frames of one camera is the largest component), and the
threshold is Otsu's. The foreground is the side that lies much farther out, as small things before a wide floor do (as
in TokenCut, arXiv 2202.11539, section 3.2); where neither does, the side that lies less at the borders of the pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

MIN_SHARE = 0.005
"""Of all patches: with a smaller foreground there is nothing to colour, and all patches are coloured instead."""
SPREAD = 2.0
"""Standard deviations on either side of the mean that fill a colour channel."""
LONE_SKEWNESS = 0.5
"""Of the first component, from which on one side lies much farther out than the other. Source: nine sets of pictures,
looked at: photographs of one thing 0.3, cars and people before a floor 0.5 to 3.3."""
_BINS, _REACH = 512, 10.0
"""Of the histogram of first components, and how many standard deviations it spans to either side."""

Patches = tuple[np.ndarray, tuple[int, int]]
"""Tokens (N, D) of one picture and its grid (h, w), N = h * w, row-major."""


@dataclass(frozen=True, slots=True, repr=False)
class FeatureColours:
    """A basis fitted on the patches of several pictures. Immutable; equal pictures get equal colours."""

    axis: np.ndarray
    """float64 (D,) first principal component of patches less their picture's mean, positive on the foreground."""
    threshold: float
    """Along `axis`."""
    centre: np.ndarray
    """float64 (D,) mean of the foreground's patches."""
    axes: np.ndarray
    """float64 (3, D) principal components of the foreground's patches, largest spread first."""
    spread: np.ndarray
    """float64 (3,) standard deviations along `axes`."""
    is_split: bool
    """False: no foreground was found, and every patch counts as one."""

    def __repr__(self) -> str:
        return f"FeatureColours(D={len(self.centre)}, is_split={self.is_split})"

    def foreground(self, tokens: np.ndarray) -> np.ndarray:
        """float32 (N,): above 0 on the foreground. `tokens` are all those of one picture."""
        if not self.is_split:
            return np.ones(len(tokens), np.float32)
        return (_centred(tokens) @ self.axis - self.threshold).astype(np.float32)

    def colours(self, tokens: np.ndarray) -> np.ndarray:
        """float32 (N, 3) red, green, blue in 0..1."""
        along = (tokens.astype(np.float64) - self.centre) @ self.axes.T  # (N, 3)
        shares = 0.5 + along / (2 * SPREAD * np.maximum(self.spread, 1e-12))
        return shares.clip(0, 1).astype(np.float32)


def fit_colours(pictures: Callable[[], Iterable[Patches]]) -> FeatureColours:
    """The basis of all pictures together, in memory that does not grow with their number.

    Args:
        pictures: Called three times; each time yields every picture's patches.

    Raises:
        ValueError: no picture.
    """
    within, everything = _Sums(), _Sums()
    for tokens, _ in pictures():
        within.add(_centred(tokens))
        everything.add(tokens)
    if everything.count == 0:
        raise ValueError("colours need the patches of at least one picture, got none")
    axes, spread = within.components(1)
    axis, threshold = _cut(pictures, axes[0], float(spread[0]))
    split = FeatureColours(axis, threshold, everything.mean, axes, spread, is_split=True)
    foreground = _Sums()
    for tokens, _ in pictures():
        foreground.add(tokens[split.foreground(tokens) > 0])
    is_split = foreground.count >= max(MIN_SHARE * everything.count, len(axis) ** 0.5)
    chosen = foreground if is_split else everything
    axes, spread = chosen.components(3)
    return FeatureColours(axis, threshold, chosen.mean, axes, spread, is_split)


class _Sums:
    """Running sums of tokens: mean and covariance without keeping them."""

    def __init__(self) -> None:
        self.count = 0
        self._sum: np.ndarray | None = None
        self._products: np.ndarray | None = None

    def add(self, tokens: np.ndarray) -> None:
        values = tokens.astype(np.float64)
        self.count += len(values)
        total, products = values.sum(axis=0), values.T @ values
        self._sum = total if self._sum is None else self._sum + total
        self._products = products if self._products is None else self._products + products

    @property
    def mean(self) -> np.ndarray:
        assert self._sum is not None
        return self._sum / max(self.count, 1)

    def components(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """float64 (count, D) components by falling spread with their standard deviations (count,).

        The sign of each is the one with which the sum of the cubes of its entries is positive: its large entries
        decide, so one more picture does not turn the colours round.
        """
        assert self._products is not None
        covariance = self._products / max(self.count, 1) - np.outer(self.mean, self.mean)
        variances, vectors = np.linalg.eigh(covariance)
        axes = vectors.T[::-1][:count]
        axes = axes * np.where((axes**3).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
        return axes, np.sqrt(variances[::-1][:count].clip(0))


def _centred(tokens: np.ndarray) -> np.ndarray:
    """float64 (N, D) less the mean of the picture."""
    values = tokens.astype(np.float64)
    return values - values.mean(axis=0)


def _cut(pictures: Callable[[], Iterable[Patches]], axis: np.ndarray, spread: float) -> tuple[np.ndarray, float]:
    """The axis with the foreground on its positive side, and the threshold between foreground and background."""
    edges = np.linspace(-_REACH, _REACH, _BINS + 1)
    counts, cubes, inward = np.zeros(_BINS), 0.0, 0.0
    for tokens, grid in pictures():
        along = _centred(tokens) @ axis / max(spread, 1e-12)
        counts += np.histogram(along.clip(-_REACH, _REACH), edges)[0]
        cubes += float((along**3).sum())
        border = _border(grid)
        inward += float(along[~border].mean() - along[border].mean()) if not border.all() else 0.0
    skewness = cubes / max(counts.sum(), 1.0)
    if (skewness if abs(skewness) >= LONE_SKEWNESS else inward) < 0:
        axis, counts = -axis, counts[::-1]
    return axis, _otsu(counts, (edges[:-1] + edges[1:]) / 2) * spread


def _border(grid: tuple[int, int]) -> np.ndarray:
    """Bool (N,): the outermost ring of patches."""
    ring = np.ones(grid, bool)
    ring[1:-1, 1:-1] = False
    return ring.ravel()


def _otsu(counts: np.ndarray, values: np.ndarray) -> float:
    """The value that parts a histogram with the largest variance between the two sides.

    Source: N. Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    shares = counts / max(counts.sum(), 1.0)
    below, mean = shares.cumsum(), (shares * values).cumsum()
    between = (mean[-1] * below - mean) ** 2 / np.maximum(below * (1 - below), 1e-12)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))  # a gap between the sides: its middle
    return float(values[best].mean())
