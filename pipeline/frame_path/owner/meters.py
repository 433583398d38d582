"""What people want to know of a camera: how fast, how old, since when."""

from __future__ import annotations

from collections import Counter, deque

from pipeline.frame_path.owner.camera_state import CameraStatus
from pipeline.messages import CameraSnapshot, LedgerSnapshot

_FRAMES = 64
_AGES = 512


class CameraMeters:
    """Rates and ages over the last frames. Not thread-safe: the caller holds the owner's lock."""

    def __init__(self) -> None:
        self._seen_at: deque[float] = deque(maxlen=_FRAMES)
        self._ages_seconds: deque[float] = deque(maxlen=_AGES)
        self.last_frame_ns: int | None = None
        self.unrouted: Counter[str] = Counter()
        """By topic: records whose key no camera names. Counted by the first camera of a feed alone."""

    def frame(self, now: float, wall_ns: int) -> None:
        """A frame was decoded."""
        self._seen_at.append(now)
        self.last_frame_ns = wall_ns

    def published(self, age_seconds: float) -> None:
        """From ingest to the publisher's receipt."""
        self._ages_seconds.append(age_seconds)

    @property
    def period_seconds(self) -> float | None:
        """Mean time between frames, whatever silence followed; None before the second frame."""
        if len(self._seen_at) < 2:
            return None
        return (self._seen_at[-1] - self._seen_at[0]) / (len(self._seen_at) - 1)

    def fps(self, now: float) -> float:
        """Decoded frames per second; sinks towards 0 while nothing comes."""
        period = self.period_seconds
        if period is None:
            return 0.0
        first, last = self._seen_at[0], self._seen_at[-1]
        silence = max(0.0, now - last - 2 * period)
        return (len(self._seen_at) - 1) / max(1e-9, last - first + silence)

    def snapshot(self, status: CameraStatus, ledger: LedgerSnapshot, now: float) -> CameraSnapshot:
        """The camera as people see it, at `now`, monotonic."""
        return CameraSnapshot(
            camera=status.camera,
            lease=status.lease,
            state=status.state,
            since_ns=status.since_ns,
            ledger=ledger,
            measured_fps=self.fps(now),
            age_p50_seconds=self.age_seconds(0.50),
            age_p99_seconds=self.age_seconds(0.99),
            last_frame_ns=self.last_frame_ns,
            reason=status.reason,
            unrouted=dict(self.unrouted),
        )

    def age_seconds(self, share: float) -> float | None:
        """A quantile of the ages, None before the first result."""
        if not self._ages_seconds:
            return None
        ordered = sorted(self._ages_seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
