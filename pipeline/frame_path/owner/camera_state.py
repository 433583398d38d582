"""The state of one camera, and the time that its rules look at."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.clock import Clock
from pipeline.messages import CameraState, Status

Details = Mapping[str, str | int | float]
"""What a state says beside its reason: codec, size, declared rate, attempts."""


class CameraStatus:
    """Which state a camera is in since when and why. Not thread-safe: the caller holds the owner's lock."""

    def __init__(self, camera: str, lease: int, clock: Clock) -> None:
        self.camera = camera
        self.lease = lease
        self._clock = clock
        self.state: CameraState = "connecting"
        self.since_ns = clock.wall_ns()
        self.reason = ""

    def change(
        self, state: CameraState, code: str = "", reason: str = "", details: Details | None = None
    ) -> Status | None:
        """The event to publish, or None where nothing changed. A new reason in the same state is news too."""
        if (state, reason) == (self.state, self.reason):
            return None
        if state != self.state:
            self.since_ns = self._clock.wall_ns()
        self.state, self.reason = state, reason
        return self.now(code, details)

    def now(self, code: str = "", details: Details | None = None) -> Status:
        """The state as an event."""
        return Status(self.camera, self.lease, self.state, self.since_ns, code, self.reason, dict(details or {}))


class RuleClock:
    """Rule time of a live camera: wall clock at the lease's start plus monotonic progress.

    It never lies below the last rule time of an earlier lease, and steps of the wall clock do not touch it.
    """

    def __init__(self, clock: Clock, not_below_ns: int) -> None:
        self._clock = clock
        self._start = clock.monotonic()
        self._base_ns = max(clock.wall_ns(), not_below_ns)
        self._last_ns = 0

    def now_ns(self) -> int:
        """Never decreases; two frames never share a rule time."""
        progress_ns = int((self._clock.monotonic() - self._start) * 1e9)
        self._last_ns = max(self._base_ns + progress_ns, self._last_ns + 1)
        return self._last_ns
