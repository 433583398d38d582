"""Which delivered frames are new, and when repetition is no restart any more."""

import logging

from operators.frames import Ticket
from pipeline.frame_path.publisher.sequence import MANY_REPEATED, Repetitions, note_position
from pipeline.frame_path.publisher.stored_camera import StoredCamera


def test_each_partition_rises_for_itself():
    stored = StoredCamera()
    order = [(1, 5), (0, 3), (1, 6), (0, 4), (1, 6)]
    found = [note_position(stored, Ticket("a", 7, *position), is_replayable=True) for position in order]
    assert found == ["new", "new", "new", "new", "retry"]


def test_more_repetition_than_a_restart_explains_is_said_once(caplog):
    stored, repetitions = StoredCamera(accepted={0: 5000}), Repetitions()
    with caplog.at_level(logging.WARNING):
        for seq in range(MANY_REPEATED + 50):
            repetitions.note(Ticket("archive", 7, 0, seq), stored)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert f"archive/0/{MANY_REPEATED - 1}" in warning
    assert "before it passes 5000" in warning
