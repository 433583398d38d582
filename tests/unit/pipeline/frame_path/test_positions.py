"""Positions on disk: what is saved by several threads at once is the newest."""

import threading

from pipeline.frame_path.owner.positions import PositionFile, SettledPositions


def test_positions_that_move_while_others_save_them_are_saved_in_order(tmp_path):
    guard, faults = threading.RLock(), []
    positions = SettledPositions(tmp_path)
    positions.add("archive")
    written = []

    class Slow(PositionFile):
        """Whoever writes second finds the first one at it."""

        def save(self, found):
            written.append(("begins", found["archive"]))
            super().save(found)
            written.append(("ends", found["archive"]))

    positions._files["archive"] = Slow(tmp_path / "archive.json")
    start = threading.Barrier(3)

    def save():
        start.wait()
        try:
            for _ in range(200):
                positions.save(guard)
        except OSError as error:
            faults.append(error)

    threads = [threading.Thread(target=save) for _ in range(2)]
    for thread in threads:
        thread.start()
    start.wait()
    for seq in range(2000):
        with guard:
            positions.note("archive", "archive", f"0:{seq}")
    for thread in threads:
        thread.join()
    positions.save(guard)
    assert faults == []
    assert [what for what, _ in written] == ["begins", "ends"] * (len(written) // 2), "one at a time"
    assert PositionFile(tmp_path / "archive.json").load() == {"archive": "0:1999"}
