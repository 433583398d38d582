"""How unlike what was learnt a patch looks, when what the light does to looks counts for little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_LIGHTS = 3
"""One is left out to find the threshold, and two must differ."""

LEAST_LIGHT = 0.1
"""Added to the light's share in every direction of the tokens, 1 being the mean: with few lights most directions look
as if no light ever moved them. Source: own measurements on 54 simulated sites: from 0.1 to 0.3 alike, at 0.03 and less
persons are missed."""

TYPICAL_THRESHOLD = 0.95
"""The site's own threshold is drawn halfway (in logarithms) to this one: of four lights one is often stranger than all
that come later, and a threshold that is too high misses persons. Source: as above, stand-in weights."""

QUANTILE = 0.999
"""Share of empty patches that stay below the site's own threshold."""

USUAL_NEWNESS = 0.15
"""Of the quarter of a frame's patches that looks most as ever, in a light much like one that was learnt."""

STRANGE_SHARE = 0.5
"""Of what that quarter is above `USUAL_NEWNESS`, taken off every patch: in a strange night all looks new, and what is
far reads nearer. A quarter, since a truck may fill the rest. Source: own measurements on 104 simulated sites."""

_LEAST_THRESHOLD = 1e-6


@dataclass(frozen=True, slots=True, repr=False)
class LightFree:
    """A distance between tokens, learnt from how the tokens of empty patches differ between the lights.

    Source: Mahalanobis 1936, "On the generalised distance in statistics", with the scatter between lights.
    """

    weights: np.ndarray
    """float32 (D, D), symmetric: small in the directions in which lights differ."""
    threshold: float
    """Squared distance from which on a patch is new."""
    norms: np.ndarray
    """float32 (K, N) squared lengths of the references in this distance, kept since they cost more than all else."""

    @staticmethod
    def of(weights: np.ndarray, threshold: float, references: np.ndarray) -> LightFree:
        """With float (K, N, D) references."""
        norms = np.stack([_norms(tokens.astype(np.float32), weights) for tokens in references])
        return LightFree(weights, threshold, norms)

    @staticmethod
    def learnt(lights: Sequence[np.ndarray]) -> LightFree | None:
        """From float (S, N, D) tokens of the empty view per light; None: of fewer than `MIN_LIGHTS`."""
        if len(lights) < MIN_LIGHTS:
            return None
        samples = [light.astype(np.float32) for light in lights]
        means = np.stack([light.mean(axis=0) for light in samples])
        own = float(np.quantile(_left_out(samples, means), QUANTILE))
        threshold = max(float(np.sqrt(TYPICAL_THRESHOLD * own)), _LEAST_THRESHOLD)
        return LightFree.of(_weights(means), threshold, np.concatenate(samples))

    def newness(self, references: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """float32 (N,): distance of each patch to the nearest reference at its place, 1 at the threshold; less where
        the whole frame looks strange.

        Args:
            references: float32 (K, N, D), those of `norms`.
            tokens: float (N, D).
        """
        newness = self.distances(references, tokens.astype(np.float32)) / self.threshold
        strange = max(0.0, float(np.percentile(newness, 25)) - USUAL_NEWNESS)
        return newness - STRANGE_SHARE * strange

    def distances(self, references: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """float32 (N,): squared, of each patch to the nearest reference at its place.

        Args:
            references: float32 (K, N, D), those of `norms`.
            tokens: float32 (N, D).
        """
        weighed = tokens @ self.weights
        alike = np.einsum("knd,nd->kn", references, weighed)
        return np.maximum((self.norms - 2 * alike).min(axis=0) + np.einsum("nd,nd->n", tokens, weighed), 0.0)


def _weights(means: np.ndarray) -> np.ndarray:
    """The inverse of the scatter of each patch over the lights, all patches together; `means` is (L, N, D)."""
    moved = (means - means.mean(axis=0)).reshape(-1, means.shape[-1])
    scatter = (moved.T @ moved).astype(np.float64)
    size = len(scatter)
    scatter /= max(np.trace(scatter) / size, np.finfo(np.float64).tiny)
    return np.linalg.inv(scatter + LEAST_LIGHT * np.eye(size)).astype(np.float32)


def _left_out(lights: Sequence[np.ndarray], means: np.ndarray) -> np.ndarray:
    """Distances of each light's patches to the other lights, by what those others say of the light. To the mean of
    each, at a third of the cost: the threshold is another by 1.5 % at most (16 simulated sites).
    """
    found: list[np.ndarray] = []
    for left_out, samples in enumerate(lights):
        others = np.delete(means, left_out, axis=0)
        metric = LightFree.of(_weights(others), 1.0, others)
        found.extend(metric.distances(others, tokens) for tokens in samples)
    return np.concatenate(found)


def _norms(tokens: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", tokens, tokens @ weights)
