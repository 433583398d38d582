"""Nonlinear least squares for a handful of numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_MAX_STEPS = 60
_STEP = 1e-6
_NOTHING = 1e-8
"""Information that counts as none."""
_ENOUGH = 1e-9
"""Relative gain of a step below which the minimum is reached."""


@dataclass(frozen=True, slots=True, repr=False)
class Minimum:
    """Where the sum of squares is least."""

    at: np.ndarray
    """float64 (N,)."""
    cost: float
    """The sum of squares."""
    jacobian: np.ndarray
    """float64 (M, N) there."""

    def covariance(self) -> np.ndarray:
        """(N, N) for residuals of standard deviation 1; huge where the residuals do not tell."""
        values, vectors = np.linalg.eigh(self.jacobian.T @ self.jacobian)
        return (vectors / np.maximum(values, _NOTHING)) @ vectors.T


def minimise(residuals: Callable[[np.ndarray], np.ndarray], start: np.ndarray) -> Minimum:
    """Levenberg-Marquardt with differences for derivatives.

    Source: Nocedal and Wright, Numerical Optimization, chapter 10.

    Args:
        residuals: float (N,) to float (M,), finite everywhere.
        start: float (N,).
    """
    at, damping = start.astype(np.float64), 1e-3
    values = residuals(at)
    cost = float(values @ values)
    jacobian = _jacobian(residuals, at, values)
    for _ in range(_MAX_STEPS):
        normal, gradient = jacobian.T @ jacobian, jacobian.T @ values
        scale = np.maximum(np.diag(normal), 1e-9)
        step = np.linalg.lstsq(normal + damping * np.diag(scale), -gradient, rcond=None)[0]
        tried = residuals(at + step)
        tried_cost = float(tried @ tried)
        if tried_cost >= cost:
            if damping > 1e12:
                break
            damping *= 8
            continue
        gain = (cost - tried_cost) / max(cost, 1e-300)
        at, values, cost, damping = at + step, tried, tried_cost, max(damping / 6, 1e-12)
        jacobian = _jacobian(residuals, at, values)
        if gain < _ENOUGH or cost < 1e-18:
            break
    return Minimum(at, cost, jacobian)


def _jacobian(residuals: Callable[[np.ndarray], np.ndarray], at: np.ndarray, values: np.ndarray) -> np.ndarray:
    columns: list[np.ndarray] = []
    for index in range(len(at)):
        width = _STEP * max(1.0, abs(float(at[index])))
        shifted = at.copy()
        shifted[index] += width
        columns.append((residuals(shifted) - values) / width)
    return np.stack(columns, axis=1)
