"""When a camera that sends nothing says that time passes."""

from __future__ import annotations

from pipeline.clock import Clock
from pipeline.frame_path.owner.camera_state import CameraStatus, RuleClock
from pipeline.frame_path.owner.frame_book import FrameBook
from pipeline.messages import Tick

TICK_SECONDS = 0.25
_SLACK_SECONDS = 0.05


class Ticks:
    """Of one camera. Not thread-safe: the caller holds the owner's lock."""

    def __init__(self, status: CameraStatus, book: FrameBook, clock: Clock, *, is_replayable: bool) -> None:
        self._status = status
        self._book = book
        self._clock = clock
        self._is_replayable = is_replayable
        self._sent_at = clock.monotonic()

    def sent(self) -> None:
        """Anything went out."""
        self._sent_at = self._clock.monotonic()

    def due(self, rule_clock: RuleClock, *, is_looking: bool) -> Tick | None:
        """The tick that goes out now. None while a frame is on its way, since no tick overtakes it, and once all of a
        camera that has come to its end is settled.
        """
        is_idle = not self._book.num_pending and (self._is_replayable or not is_looking)
        is_time = self._clock.monotonic() - self._sent_at >= TICK_SECONDS - _SLACK_SECONDS
        is_done = self._status.state in {"ended", "failed"} and not self._book.num_unsettled
        if not is_idle or not is_time or is_done:
            return None
        time_ns = self._book.last_rule_time_ns if self._is_replayable else rule_clock.now_ns()
        return None if time_ns is None else Tick(self._status.camera, self._status.lease, time_ns, self._status.state)
