"""A threshold learnt from a camera's own hours: so high that it is passed by chance as rarely as was asked for.

Time is cut into blocks; of each only the highest value is kept. Such maxima follow an extreme-value distribution, whose
place and width are read from their quartiles: what was wanted, and really came, in less than a quarter of the blocks
does not raise the threshold. Only time in which the value was known counts.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

PERIODS_NS = {"hour": 3_600_000_000_000, "day": 86_400_000_000_000, "week": 604_800_000_000_000}
BLOCKS_PER_ALARM = 96
"""Blocks in the time in which one false alarm is allowed: a quarter of an hour for one a day."""
MIN_BLOCK_NS, MAX_BLOCK_NS = 30_000_000_000, 3_600_000_000_000
MIN_BLOCKS = BLOCKS_PER_ALARM
"""Nothing is known before: a day for one a day. Source: own simulation, false alarms per day where one was asked for:
1.4 (exponential values), 0.75 (Gaussian), 0 (bounded, or with a daily rhythm); after six hours 7.1 with that rhythm."""
KEPT_BLOCKS = 192
"""The newest: two days for one a day, so that it follows the seasons."""
MIN_WIDTH = 1e-4
"""A camera that never changes gives no width; its threshold then lies this little above."""

_RATE = re.compile(r"([1-9]\d*) per (hour|day|week)")
# Quantiles of a Gumbel distribution of place 0 and width 1: -ln(-ln q).
_MEDIAN, _LOWER, _UPPER = (-math.log(-math.log(q)) for q in (0.5, 0.25, 0.75))


def between_alarms_ns(rate: str) -> int:
    """`1 per day` as the time in which one false alarm is allowed.

    Raises:
        ValueError: another form.
    """
    found = _RATE.fullmatch(rate)
    if found is None:
        raise ValueError(f"expected false alarms such as '1 per day' or '2 per week', got {rate!r}")
    return PERIODS_NS[found[2]] // int(found[1])


def checked_rate(rate: str) -> str:
    """The same. Raises as `between_alarms_ns` does."""
    between_alarms_ns(rate)
    return rate


def block_ns(rate: str) -> int:
    """Length of a block."""
    return min(max(between_alarms_ns(rate) // BLOCKS_PER_ALARM, MIN_BLOCK_NS), MAX_BLOCK_NS)


@dataclass(frozen=True, slots=True)
class Level:
    """What was learnt."""

    enter: float
    """Above this."""
    exit: float
    """Below this again: one width lower."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The highest values of the last blocks. Pure: each sample gives the next one."""

    maxima: tuple[float, ...] = ()
    """Of full blocks, oldest first."""
    block_max: float | None = None
    """Of the block at hand."""
    observed_ns: int = 0
    """Of the block at hand."""
    last_ns: int | None = None
    """Rule time of the last known value; None: none since it was last unknown."""

    def seen(self, rate: str, value: float, time_ns: int, gap_ns: int) -> Tail:
        """With one more known value; time since the last one counts unless it is longer than the gap."""
        passed = 0 if self.last_ns is None else time_ns - self.last_ns
        observed = self.observed_ns + (passed if 0 <= passed <= gap_ns else 0)
        highest = value if self.block_max is None else max(value, self.block_max)
        if observed < block_ns(rate):
            return replace(self, block_max=highest, observed_ns=observed, last_ns=time_ns)
        return Tail((*self.maxima, round(highest, 5))[-KEPT_BLOCKS:], None, observed % block_ns(rate), time_ns)

    def blind(self) -> Tail:
        """The value is not known: the time until the next one does not count."""
        return self if self.last_ns is None else replace(self, last_ns=None)

    def level(self, rate: str) -> Level | None:
        """The thresholds; None: too little was seen.

        Source: Gumbel, Statistics of Extremes, 1958, section 5.2: maxima of blocks; place and width from quartiles.
        """
        return _level(self.maxima, rate)

    def progress(self, rate: str) -> str:
        """How much was seen, for people."""
        hours = (len(self.maxima) * block_ns(rate) + self.observed_ns) / PERIODS_NS["hour"]
        return f"learning its threshold: {hours:.1f} of {MIN_BLOCKS * block_ns(rate) / PERIODS_NS['hour']:.1f} h seen"

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> Tail:
        """Of `dataclasses.asdict`, after JSON or msgpack."""
        return Tail(tuple(stored["maxima"]), stored["block_max"], stored["observed_ns"], stored["last_ns"])


@lru_cache(maxsize=256)
def _level(maxima: tuple[float, ...], rate: str) -> Level | None:
    """Asked at every sample, new once a block."""
    if len(maxima) < MIN_BLOCKS:
        return None
    lower, median, upper = (float(each) for each in np.quantile(maxima, (0.25, 0.5, 0.75)))
    width = max((upper - lower) / (_UPPER - _LOWER), MIN_WIDTH)
    place = median - _MEDIAN * width
    share = min(block_ns(rate) / between_alarms_ns(rate), 0.5)  # of blocks that may pass it by chance
    enter = place - width * math.log(-math.log1p(-share))
    return Level(round(enter, 4), round(enter - width, 4))  # what results say is what values are compared with
