"""How long to wait before the next try."""

from __future__ import annotations

import random


class Backoff:
    """Doubles from `first` to `maximum` seconds with +-20 % jitter; `reset()` after a success."""

    def __init__(self, first: float, maximum: float, rng: random.Random | None = None) -> None:
        self._first = first
        self._maximum = maximum
        self._rng = rng or random.Random()
        self._failures = 0

    @property
    def failures(self) -> int:
        """Since the last success."""
        return self._failures

    def next_seconds(self) -> float:
        """The wait before the next try; each call counts one failure."""
        base = min(self._maximum, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return base * self._rng.uniform(0.8, 1.2)

    def longest_seconds(self) -> float:
        """The longest wait, where only people can help; counts one failure as well."""
        self._failures += 1
        return self._maximum * self._rng.uniform(0.8, 1.2)

    def reset(self) -> None:
        self._failures = 0
