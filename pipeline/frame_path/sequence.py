"""Order per camera: which delivered frames are new."""

from __future__ import annotations

from typing import Literal

from operators.frames import Ticket
from pipeline.frame_path.stored_camera import StoredCamera

MAX_EPOCHS_LIVE = 4
MAX_EPOCHS_REPLAYABLE = 256
"""Loops or partitions whose positions are remembered."""

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
