"""Rule time of a file: its presentation times, made to rise whatever the container says."""

from __future__ import annotations

from dataclasses import dataclass

_JUMP_NS = 1_000_000_000
"""A step back by more than this is a new clock (joined recordings); by less, disorder within one."""


@dataclass(slots=True)
class Timeline:
    """Turns presentation times into a time that strictly rises, over jumps and over loops."""

    period_ns: int
    """Between frames; stands in where the container gives no times."""
    base_ns: int = 0
    """Added to the presentation time; changes at a jump and at each loop."""
    last_ns: int | None = None

    def at(self, pts_ns: int | None, seq: int) -> int:
        """Rule time of the next frame; `seq` counts from 0 in this epoch."""
        seen = seq * self.period_ns if pts_ns is None else pts_ns
        if self.last_ns is not None and seen + self.base_ns < self.last_ns - _JUMP_NS:
            self.base_ns = self.last_ns + self.period_ns - seen
        time_ns = seen + self.base_ns
        if self.last_ns is not None:
            time_ns = max(time_ns, self.last_ns + 1)
        self.last_ns = time_ns
        return time_ns

    def begin_loop(self) -> None:
        """The next frame follows the last one by one period."""
        self.base_ns = 0 if self.last_ns is None else self.last_ns + self.period_ns
