"""How long each Redis stream may be, so that all of them together stay within a number of bytes."""

from __future__ import annotations

_NEWEST_WEIGHT = 0.05
_RESULTS_SHARE = 0.75
_ENTRY_OVERHEAD_BYTES = 64
"""Of one entry inside a stream besides its values: id, lengths, its part of the radix tree."""


class ByteBudget:
    """Turns bytes into a `MAXLEN` per stream, from a moving average of the size of its entries.

    Streams of results share three quarters of the bytes evenly, all others the rest. Only streams that this sink has
    written to are known.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._mean_bytes: dict[bool, dict[str, float]] = {True: {}, False: {}}

    def max_length(self, stream: str, entry_bytes: int, *, is_result: bool) -> int:
        """Entries that `stream` may keep, having seen one more of `entry_bytes`."""
        means = self._mean_bytes[is_result]
        size = entry_bytes + _ENTRY_OVERHEAD_BYTES
        mean = means.get(stream, size) * (1 - _NEWEST_WEIGHT) + size * _NEWEST_WEIGHT
        means[stream] = mean
        share = _RESULTS_SHARE if is_result else 1 - _RESULTS_SHARE
        return max(1, int(self._max_bytes * share / len(means) / mean))
