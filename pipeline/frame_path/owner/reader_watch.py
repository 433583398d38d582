"""Notices a reader whose source is silent, and one that hangs."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from pipeline.clock import Clock
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.handles import FeedPlan

_RECONNECT_AFTER = 1.5
"""Times the silence after which a camera counts as stalled."""
_PERIODS = 3.0
"""A camera may be silent for this many of its own periods, however slow it is."""
_LONGEST_SECONDS = 60.0
_KEYFRAME_SECONDS = 60.0
"""A stream that was joined between two keyframes may bring packets without a picture for this long. Cameras that save
bandwidth send a keyframe every 10 to 20 s: opened anew every few seconds, they would never show one."""


class ReaderWatch:
    """When the frames of a feed came last. The reader's thread writes, the owner's pulse reads under its lock."""

    def __init__(self, plan: FeedPlan, flows: Mapping[str, CameraFlow], clock: Clock) -> None:
        self._plan = plan
        self._flows = flows
        self._clock = clock
        self._declared_fps: float | None = None
        self._is_waiting = True
        self._event_at = self._begun_at = clock.monotonic()
        self._frame_at = dict.fromkeys(flows, clock.monotonic())
        self._has_frames = False

    def begin(self, declared_fps: float | None = None) -> None:
        """A connection is being made, or stands."""
        now = self._clock.monotonic()
        self._declared_fps = declared_fps
        self._is_waiting = False
        self._event_at = self._begun_at = now
        self._frame_at = dict.fromkeys(self._flows, now)
        self._has_frames = False

    def event(self) -> None:
        """The feed yielded something."""
        self._event_at = self._clock.monotonic()

    def frame(self, camera: str) -> None:
        """The feed yielded a frame."""
        self._frame_at[camera] = self._clock.monotonic()
        self._has_frames = True

    def packets(self) -> None:
        """The feed's stream runs, without a picture so far: that is no silence until a keyframe must have come."""
        now = self._clock.monotonic()
        if not self._has_frames and now - self._begun_at < _KEYFRAME_SECONDS:
            self._frame_at = dict.fromkeys(self._flows, now)

    @contextmanager
    def waiting(self) -> Generator[None]:
        """While the reader waits for something of ours, its silence is no fault of the source."""
        self._is_waiting = True
        try:
            yield
        finally:
            now = self._clock.monotonic()
            self._is_waiting = False
            self._event_at = now
            self._frame_at = dict.fromkeys(self._flows, now)

    def finish(self) -> None:
        """The reader has ended: from here on its silence is right."""
        self._is_waiting = True

    def must_reconnect(self) -> bool:
        """All cameras of a live feed have been silent for too long. A silent topic or file is no fault."""
        now = self._clock.monotonic()
        return not any(flow.owned.is_replayable for flow in self._flows.values()) and all(
            now - self._frame_at[camera] >= _RECONNECT_AFTER * self._patience(flow)
            for camera, flow in self._flows.items()
        )

    def mark_stalled(self) -> bool:
        """Says so of each camera that is silent; whether any was."""
        now = self._clock.monotonic()
        is_any = False
        for camera, flow in self._flows.items():
            silence = now - self._frame_at[camera]
            is_silent = not self._is_waiting and silence >= self._patience(flow)
            if is_silent and flow.status.state in {"live", "frozen"}:
                flow.change("stalled", code="stalled", reason=f"no frame for {self._patience(flow):.1f} s")
                is_any = True
        return is_any

    @property
    def is_hung(self) -> bool:
        """Neither a frame nor `Quiet`, although the reader waits for nothing of ours."""
        return not self._is_waiting and self._clock.monotonic() - self._event_at >= self._plan.hung_after_seconds

    def _patience(self, flow: CameraFlow) -> float:
        own = [_PERIODS / self._declared_fps] if self._declared_fps else []
        period = flow.book.meters.period_seconds
        own += [] if period is None else [_PERIODS * period]
        return max(self._plan.stall_after_seconds, min(_LONGEST_SECONDS, max(own, default=0.0)))
