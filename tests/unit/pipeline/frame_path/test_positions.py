"""Positions on disk: what is saved by several threads at once is the newest."""

import threading

from pipeline.frame_path.owner.positions import PositionFile, SettledPositions


def test_positions_are_written_by_one_thread_at_a_time_and_the_newest_stay(tmp_path):
    guard, written = threading.RLock(), []
    is_writing, may_go_on = threading.Event(), threading.Event()

    class Slow(PositionFile):
        """The first one takes its time."""

        def save(self, positions):
            written.append(("begins", positions["archive"]))
            is_writing.set()
            may_go_on.wait()
            super().save(positions)
            written.append(("ends", positions["archive"]))

    positions = SettledPositions(tmp_path)
    positions.add("archive")
    positions._files["archive"] = Slow(tmp_path / "archive.json")
    threads = [threading.Thread(target=positions.save, args=(guard,), daemon=True) for _ in range(2)]
    positions.note("archive", "archive", "0:1")
    threads[0].start()
    is_writing.wait()
    assert positions._writing.locked()
    positions.note("archive", "archive", "0:2")
    threads[1].start()
    may_go_on.set()
    for thread in threads:
        thread.join()
    assert written == [("begins", "0:1"), ("ends", "0:1"), ("begins", "0:2"), ("ends", "0:2")]
    assert PositionFile(tmp_path / "archive.json").load() == {"archive": "0:2"}
