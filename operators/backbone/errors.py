"""The one error of weights; it ends a start, never a run."""

from __future__ import annotations


class WeightsError(ValueError):
    """A checkpoint is missing, damaged, not what it claims to be, or under a licence that is not allowed."""
