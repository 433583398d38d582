"""What an owner spends on a frame besides decoding, by the number of analyzers that it has credits at.

The real `Owner` with its threads, one for each credit, and analyzers that answer at once: each admitted frame wakes
one credit that is free.
"""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.clock import SystemClock
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.owner.owner import Owner
from tests.fakes import FakeAnalyzer, FakePublisher, Script, Show, owned

CAMERAS = 16
FPS = 5.0
SECONDS = 4.0
COUNTS = (1, 2, 7, 64)


@dataclass(frozen=True, slots=True)
class OwnerCost:
    """One owner of `CAMERAS` cameras."""

    analyzers: int
    threads: int
    core_seconds: float
    """Of a core for one frame."""


def measure() -> list[OwnerCost]:
    return [_one(count) for count in COUNTS]


def _one(analyzers: int) -> OwnerCost:
    publisher = FakePublisher()
    began, never = time.monotonic() + 0.5, threading.Event()

    def feed(n: int) -> FeedPlan:
        due = [began + n / CAMERAS / FPS]

        def pause() -> None:
            never.wait(max(0.0, due[0] - time.monotonic()))
            due[0] += 1 / FPS

        camera = owned(f"cam-{n}")
        return FeedPlan((camera,), Script(camera.camera, [Show(10**9)], fps=FPS, pause=pause).feed)

    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as folder:
        owner = Owner(
            "decode-0",
            [feed(n) for n in range(CAMERAS)],
            analyzers=[(FakeAnalyzer(f"analyze-{n}"), 1) for n in range(analyzers)],
            publisher_of=lambda _: publisher,
            clock=SystemClock(),
            state_dir=Path(folder),
            limits=BatchLimits(),
            unreached_seconds=100 * SECONDS,
        )
        owner.start()
        never.wait(1.0)
        before, cores = _analysed(owner), time.process_time()
        never.wait(SECONDS)
        spent, threads = time.process_time() - cores, threading.active_count()
        frames = _analysed(owner) - before
        owner.stop(10.0)
    return OwnerCost(analyzers, threads, spent / frames)


def _analysed(owner: Owner) -> int:
    return sum(each.ledger.analysed for each in owner.snapshot())
