"""How many analyzers a load needs: one more while all lanes are in use, one less after a quiet time. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from pipeline.control.planning.plan import LaneUse

BUSY_SHARE = 0.85
"""Of the lanes' time in use; beyond this results grow old, whatever the rates are: frames wait for a lane."""
WINDOW_SECONDS = 5.0
"""Over which the use is measured: a batch is a good part of a second on a CPU."""
QUIET_SHARE = 0.6
"""What the others would be in use with one less."""
QUIET_SECONDS = 60.0


class Growth:
    """Between `least` and `most` analyzers. Times are monotonic seconds."""

    def __init__(self, least: int, most: int) -> None:
        self.target = least
        """How many there should be."""
        self.share = 0.0
        """Of the lanes' time that was in use, when last looked at."""
        self._least = least
        self._most = most
        self._seen: dict[str, deque[LaneUse]] = {}
        self._quiet_since: float | None = None

    def look(self, now: float, uses: Mapping[str, LaneUse]) -> bool:
        """Whether `target` has changed. `uses`: the newest answer of each analyzer that runs, by name."""
        in_use = self._in_use(uses)
        if in_use is None or len(uses) < self.target:  # one is on its way: nobody knows yet whether it is enough
            self._quiet_since = None
            return False
        lanes = sum(each.lanes for each in uses.values())
        self.share = in_use / lanes
        if in_use >= QUIET_SHARE * lanes * (len(uses) - 1) / len(uses):
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        is_quiet = self._quiet_since is not None and now - self._quiet_since >= QUIET_SECONDS
        if self.share > BUSY_SHARE:
            wanted = min(self._most, self.target + 1)
        else:
            wanted = max(self._least, self.target - is_quiet)
        if wanted == self.target:
            return False
        self.target, self._quiet_since = wanted, None
        self._seen.clear()
        return True

    @property
    def shortage(self) -> str:
        """What would be needed beyond `most`, for people; empty while there is enough."""
        if self.target < self._most or self.share <= BUSY_SHARE:
            return ""
        return (
            f"all {self._most} analyzers are {self.share:.0%} in use: raise runtime.analyzers.max and add a node for "
            "it, or lower sample.fps"
        )

    def _in_use(self, uses: Mapping[str, LaneUse]) -> float | None:
        """Lanes in use, in the mean over the window; None: not all analyzers have been watched for so long."""
        self._seen = {name: self._seen.get(name, deque()) for name in uses}
        total = 0.0
        for name, use in uses.items():
            seen = self._seen[name]
            if seen and (use.at_seconds < seen[-1].at_seconds or use.busy_seconds < seen[-1].busy_seconds):
                seen.clear()  # it was started again
            if not seen or use.at_seconds > seen[-1].at_seconds:
                seen.append(use)
            while len(seen) > 2 and seen[-1].at_seconds - seen[1].at_seconds >= WINDOW_SECONDS:
                seen.popleft()
            span = seen[-1].at_seconds - seen[0].at_seconds
            if span < WINDOW_SECONDS:
                return None
            total += (seen[-1].busy_seconds - seen[0].busy_seconds) / span
        return total if uses else None
