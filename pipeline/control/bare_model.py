"""How many pictures per second the bare model gives on this machine."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from operators.backbone import Engine
from pipeline.clock import Clock, SystemClock

TAPS = (2, 5, 8, 11)
"""Blocks that the depth head and the empty view read."""


def bare_rate(
    engine: Engine,
    shape: tuple[int, int],
    *,
    lanes: int,
    batch: int = 1,
    seconds: float = 3.0,
    clock: Clock | None = None,
) -> float:
    """Pictures per second of `lanes` threads that run the backbone on random pixels, one batch after the other.

    As the analyzer runs it: one intra-op thread a lane, so `torch.set_num_threads(1)` comes first on a CPU.

    Args:
        engine: The loaded backbone.
        shape: (H, W) of the pictures.
        lanes: Threads at once.
        batch: Pictures a call.
        seconds: How long to measure; blocks a little longer, since each lane first runs once unmeasured.
        clock: Of the machine, unless a test brings its own.
    """
    clock = clock or SystemClock()
    pixels = np.random.default_rng(0).integers(0, 256, (batch, *shape, 3), dtype=np.uint8)
    at_start = threading.Barrier(lanes)

    def lane(_: int) -> tuple[int, float]:
        engine.run(pixels, TAPS)
        at_start.wait()
        count, started = 0, clock.monotonic()
        while (spent := clock.monotonic() - started) < seconds or count == 0:
            engine.run(pixels, TAPS)
            count += batch
        return count, spent

    with ThreadPoolExecutor(lanes) as pool:
        done = list(pool.map(lane, range(lanes)))
    return sum(count / spent for count, spent in done)
