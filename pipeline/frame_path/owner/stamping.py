"""The name and the times of each decoded frame."""

from __future__ import annotations

from operators.frames import Ticket, Times
from pipeline.clock import Clock
from pipeline.frame_path.owner.camera_state import RuleClock
from pipeline.sources.base import Decoded

_MAX_EPOCHS = 256


class Stamping:
    """Numbers the frames of one camera under one lease. Not thread-safe: the caller holds the owner's lock."""

    def __init__(self, camera: str, lease: int, clock: Clock) -> None:
        self._camera = camera
        self._lease = lease
        self._clock = clock
        self._next_seq = 0
        self._newest: dict[int, int] = {}
        self.rule_clock = RuleClock(clock, 0)

    def stamp(self, decoded: Decoded) -> tuple[Ticket, Times]:
        """A live source leaves number and rule time to us, a replayable one brings both."""
        epoch, seq = decoded.epoch, decoded.seq
        if epoch is None or seq is None:
            epoch, seq = self._lease, self._next_seq
            self._next_seq += 1
        wall_ns = self._clock.wall_ns()
        times = Times(
            rule_time_ns=self.rule_clock.now_ns() if decoded.rule_time_ns is None else decoded.rule_time_ns,
            ingest_ns=wall_ns,
            capture_ns=wall_ns if decoded.capture_ns is None else decoded.capture_ns,
            capture_clock=decoded.capture_clock,
            capture_uncertainty_ns=decoded.capture_uncertainty_ns,
            pts_ns=decoded.pts_ns,
        )
        return Ticket(self._camera, self._lease, epoch, seq), times

    def is_repeated(self, ticket: Ticket) -> bool:
        """A source came back to a frame that was read already."""
        return ticket.seq <= self._newest.get(ticket.epoch, -1)

    def read(self, ticket: Ticket) -> None:
        """The frame is in our hands."""
        self._newest[ticket.epoch] = ticket.seq
        if len(self._newest) > _MAX_EPOCHS:
            del self._newest[next(iter(self._newest))]
