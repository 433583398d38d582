"""Order per camera: which delivered frames are new."""

from __future__ import annotations

import logging
from typing import Literal

from operators.frames import Ticket
from pipeline.frame_path.publisher.stored_camera import StoredCamera

MAX_EPOCHS_LIVE = 4
MAX_EPOCHS_REPLAYABLE = 256
"""Loops or partitions whose positions are remembered."""

MANY_REPEATED = 1000
"""More frames than a new owner has to repeat: unsettled ones, and a second or two of what was not committed yet."""
_LOG = logging.getLogger(__name__)

Novelty = Literal["new", "retry", "repeated"]


def note_position(stored: StoredCamera, ticket: Ticket, *, is_replayable: bool) -> Novelty:
    """Notes the frame's position; per epoch only a rising seq is new.

    Returns:
        `retry`: the same owner sent it before (its receipt was lost). `repeated`: an earlier owner did, and what it
        became is settled or still waits in the outbox.
    """
    epoch, seq = ticket.position
    if seq <= stored.delivered.get(epoch, -1):
        return "retry"
    stored.delivered[epoch] = seq
    before = stored.accepted.get(epoch)
    if before is not None and seq <= before:
        return "repeated"
    stored.accepted[epoch] = seq
    if before is not None:
        stored.stride = max(stored.stride, seq - before)
    stored.last_position = max(stored.last_position or ticket.position, ticket.position)
    for positions in (stored.accepted, stored.delivered):
        for old in sorted(positions)[: -(MAX_EPOCHS_REPLAYABLE if is_replayable else MAX_EPOCHS_LIVE)]:
            del positions[old]
    return "new"


class Repetitions:
    """Counts what one lease repeats, and says so once it is more than a restart explains."""

    def __init__(self) -> None:
        self._count = 0

    def note(self, ticket: Ticket, stored: StoredCamera) -> None:
        """One more frame that was published before."""
        self._count += 1
        if self._count == MANY_REPEATED:
            _LOG.warning(
                "%s: expected new frames, got %d that were published before, the last one %s: its source was made anew "
                "or began again, and nothing is published before it passes %d. Read it under a new camera name, or "
                "with a fresh state_dir",
                ticket.camera,
                MANY_REPEATED,
                ticket.id,
                stored.accepted[ticket.epoch],
            )
