"""`python -m tests.bench.fairness`: four equal cameras that want more than the model gives; Jain's index.

1 is equal, 1/4 is one camera alone. Limit 0.99.
Source: R. Jain, D. Chiu, W. Hawe, A Quantitative Measure of Fairness, DEC TR-301, 1984.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from tests.bench.runs import machine, running

CAMERAS = 4
FPS = 10
SECONDS = 40.0
LIMIT = 0.99


def jain(shares: Sequence[float]) -> float:
    """Of what each got."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


def main(seconds: float = SECONDS) -> int:
    cameras = {
        f"dock-{n}": {"source": {"simulated": "dock", "seed": n, "fps": FPS}, "sample": {"fps": FPS, "max_age": "10s"}}
        for n in range(CAMERAS)
    }
    with running(cameras) as pipeline:
        pipeline.await_results(2 * CAMERAS)
        before = _counts(pipeline.process.status())
        threading.Event().wait(seconds)
        after = _counts(pipeline.process.status())
    got = {camera: after[camera] - before[camera] for camera in before}
    index = jain(list(got.values()))
    rate = sum(got.values()) / seconds
    print(f"analysed {got}, {rate:.1f} of {CAMERAS * FPS} frames/s offered ({machine()})")
    print(f"Jain's index {index:.4f}, limit {LIMIT}")
    return 0 if index >= LIMIT else 1


def _counts(status: dict) -> dict[str, int]:
    return {each["camera"]: each["ledger"]["analysed"] for each in status["cameras"]}


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))
