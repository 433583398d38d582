"""A publisher on real sinks in a process of its own, to be killed: `... CONFIG FOLDER LEASE FIRST COUNT`.

Publishes `COUNT` frames from seq `FIRST` on, prints a line per call, and ends once every sink has everything.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from pipeline.clock import SystemClock
from pipeline.config.loader import load_config
from pipeline.messages import Delivery
from pipeline.secrets import Secrets
from pipeline.sinks.config import OutboxConfig
from pipeline.sinks.registry import build_sinks
from tests.fakes_publisher import CAMERA, camera, frame, publisher

FRAMES_PER_APPROACH = 20


def metres_at(seq: int) -> float | None:
    """Near, between the thresholds, away, nobody."""
    return (2.5, 3.3, 5.0, None)[seq % FRAMES_PER_APPROACH // 5]


def main(config: Path, folder: Path, lease: int, first: int, count: int) -> None:
    """A live camera: what was not delivered when the process is killed is gone."""
    sinks, required = build_sinks(load_config(config).sinks, "north-quay", Secrets({}))
    room = OutboxConfig().max_bytes
    made = publisher(folder, [camera()], sinks, required=required, clock=SystemClock(), outbox_bytes=room)
    made.attach(CAMERA, lease)
    for seq in range(first, first + count):
        made.publish(Delivery((frame(seq, metres_at(seq), lease=lease),)))
        print(seq, flush=True)  # noqa: T201 - the parent counts these lines
    waiting = threading.Event()
    while made.snapshot().outbox_rows or any(each.queued for each in made.snapshot().ledgers):
        waiting.wait(0.02)
    made.close(5.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6]))
