"""A publisher in a process of its own, fed with a known signal, to be killed at any moment.

`python -m tests.fakes_publisher_child FOLDER LEASE NUM_FRAMES`: prints a line per call; every message that reaches the
sink is one line of `FOLDER/sink.txt` before it is acknowledged.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from pathlib import Path

from pipeline.messages import Delivery, Message, Settlement
from tests.fakes_publisher import CAMERA, HandSink, camera, frame, publisher

FRAMES_PER_CALL = 3
FRAMES_PER_APPROACH = 20


BATCH = 40
IDLE_SECONDS = 0.3


class FileSink(HandSink):
    """Writes on its own thread, many at once, then acknowledges: whoever kills the process finds messages waiting."""

    def __init__(self, path: Path) -> None:
        super().__init__("redis")
        self._handle = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._waiting: queue.Queue[Message] = queue.Queue()

    def start(self, on_settled) -> None:
        super().start(on_settled)
        threading.Thread(target=self._write, daemon=True).start()

    def put(self, messages):
        for message in messages:
            self._waiting.put(message)
        return []

    def _write(self) -> None:
        batch: list[Message] = []
        while True:
            try:
                batch.append(self._waiting.get(timeout=IDLE_SECONDS))
            except queue.Empty:
                self._deliver(batch)
            if len(batch) >= BATCH:
                self._deliver(batch)

    def _deliver(self, batch: list[Message]) -> None:
        os.write(self._handle, "".join(f"{message.id}\n" for message in batch).encode())
        self._on_settled([Settlement(self.name, message, "acknowledged") for message in batch])
        batch.clear()


def metres_at(seq: int) -> float:
    """Half of each approach near, half of it away."""
    return 2.5 if seq % FRAMES_PER_APPROACH < FRAMES_PER_APPROACH // 2 else 5.0


def main(folder: Path, lease: int, num_frames: int) -> None:
    """A replayable camera: goes on after what is settled, until every frame is."""
    made = publisher(folder, [camera(is_replayable=True)], [FileSink(folder / "sink.txt")])
    settled = made.attach(CAMERA, lease).settled_upto
    first = settled[0][1] + 1 if settled else 0
    for start in range(first, num_frames, FRAMES_PER_CALL):
        seqs = range(start, min(start + FRAMES_PER_CALL, num_frames))
        made.publish(Delivery(tuple(frame(seq, metres_at(seq), lease=lease, epoch=0) for seq in seqs)))
        print(start, flush=True)  # noqa: T201 - the parent counts these lines
    waiting = threading.Event()
    while made.snapshot().outbox_rows:
        made.turn()
        waiting.wait(0.01)
    made.close(1.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
