"""What the three Ray actors have in common. They are thin: each wraps one plain class and adds nothing.

Each lives in a module of its own, which imports little: every process that has an actor or its handle imports it, and
torch costs three seconds of start and 0.6 GB.

Actors are never restarted by Ray (`max_restarts=0`) and calls never retried (Ray's own retries run out of order):
whoever calls sees the death and decides.
"""

from __future__ import annotations

import os
from pathlib import Path

from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


class Actor:
    """Keeps what its constructor raised for `pid`, which is asked first: a constructor that fails is just dead."""

    failure: Exception | None = None

    def pid(self) -> int:
        if self.failure is not None:
            raise self.failure
        return os.getpid()


def process_bytes() -> int | None:
    """Memory of this process that is in RAM; None: nobody tells (not Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def on_node(node: str | None) -> NodeAffinitySchedulingStrategy | str:
    """There and nowhere else: who is planned for a node that is gone does not start. None: wherever it fits."""
    return "DEFAULT" if node is None else NodeAffinitySchedulingStrategy(node, soft=False)
