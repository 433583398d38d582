"""A publisher on real sinks in a process of its own, to be killed: `... CONFIG FOLDER LEASE FIRST COUNT`.

Publishes `COUNT` frames of the simulated dock from seq `FIRST` on, its true distances as readings. Prints a line per
call, and ends once every sink has everything.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pipeline.clock import SystemClock
from pipeline.config.loader import load_config
from pipeline.messages import Delivery
from pipeline.secrets import Secrets
from pipeline.simulation.truth import nearest_truth
from pipeline.sinks.config import OutboxConfig
from pipeline.sinks.registry import build_sinks
from pipeline.sources.simulated import dock_for
from tests.fakes_publisher import CAMERA, camera, frame, publisher

SCHEDULE_SECONDS = 40.0
"""Two approaches and a near miss; then nobody."""
FPS = 5


def distances() -> Iterator[float | None]:
    """Metres of the nearest in view, frame by frame."""
    scene, schedule, _ = dock_for(8, SCHEDULE_SECONDS)
    before: float | None = None
    for number in range(round(SCHEDULE_SECONDS * FPS)):
        movers = schedule.states(number / FPS)
        before = nearest_truth(scene, movers, before) if movers else None
        yield before


def main(config: Path, folder: Path, lease: int, first: int, count: int) -> None:
    """A live camera: what was not delivered when the process is killed is gone."""
    sinks, required = build_sinks(load_config(config).sinks, "north-quay", Secrets({}))
    room = OutboxConfig().max_bytes
    made = publisher(folder, [camera()], sinks, required=required, clock=SystemClock(), outbox_bytes=room)
    made.attach(CAMERA, lease)
    for seq, metres in islice(enumerate(distances()), first, first + count):
        made.publish(Delivery((frame(seq, metres, lease=lease),)))
        print(seq, flush=True)  # noqa: T201 - the parent counts these lines
    waiting = threading.Event()
    while made.snapshot().outbox_rows or any(each.queued for each in made.snapshot().ledgers):
        waiting.wait(0.02)
    made.close(5.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6]))
