"""How many analyzers a load needs: one more while all lanes are in use, one less after a quiet time. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.control.plan import LaneUse

BUSY_SHARE = 0.85
"""Of the lanes' time in use; beyond this results grow old, whatever the rates are: frames wait for a lane."""
BUSY_SECONDS = 5.0
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
        self._seen: dict[str, tuple[float, LaneUse]] = {}
        self._since: float | None = None
        self._is_busy = False

    def look(self, now: float, uses: Mapping[str, LaneUse]) -> bool:
        """Whether `target` has changed. `uses` of those that run, by name."""
        in_use = self._in_use(now, uses)
        lanes = sum(each.lanes for each in uses.values())
        if in_use is None or len(uses) < self.target:  # one is on its way: nobody knows yet whether it is enough
            self._since = None
            return False
        self.share = in_use / lanes
        is_busy = self.share > BUSY_SHARE
        is_quiet = in_use < QUIET_SHARE * lanes * (len(uses) - 1) / len(uses)
        if not is_busy and not is_quiet:
            self._since = None
            return False
        if self._since is None or is_busy != self._is_busy:
            self._since, self._is_busy = now, is_busy
        if now - self._since < (BUSY_SECONDS if is_busy else QUIET_SECONDS):
            return False
        wanted = min(self._most, self.target + 1) if is_busy else max(self._least, self.target - 1)
        if wanted == self.target:
            return False
        self.target, self._since = wanted, None
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

    def _in_use(self, now: float, uses: Mapping[str, LaneUse]) -> float | None:
        """Lanes in use, in the mean since the last look; None: no two looks at all of them yet."""
        before, self._seen = self._seen, {name: (now, use) for name, use in uses.items()}
        total = 0.0
        for name, use in uses.items():
            at, was = before.get(name, (now, use))
            if now <= at or use.busy_seconds < was.busy_seconds:  # just begun, or begun again
                return None
            total += (use.busy_seconds - was.busy_seconds) / (now - at)
        return total if uses else None
