"""`python -m tests.bench.plumbing`: what everything but the model adds to a frame of one paced camera.

Per frame: from ingest to published, less what its own call spent in the model (`times.computed_seconds`). Pictures of
56x98 keep that call short. Limits: p50 5 ms, p99 15 ms.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.bench.runs import machine, running
from tests.clips import make_clip

FPS = 5
FRAMES = 200
WARM_FRAMES = 20
SHAPE = (56, 98)
SIZE = (360, 640)
LIMITS_MS = (5.0, 15.0)


def main(frames: int = FRAMES) -> int:
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as folder:
        clip = make_clip(Path(folder) / "clip.mp4", 50, size=SIZE, fps=FPS)
        source = {"file": str(clip), "loop": True, "pace": "realtime"}
        cameras = {"clip": {"source": source, "sample": {"policy": "every_frame"}}}
        with running(cameras, shape="x".join(map(str, SHAPE))) as pipeline:
            pipeline.await_results(WARM_FRAMES + frames, seconds=60.0 + 2 * frames / FPS)
            times = [body["times"] for body in pipeline.results()][WARM_FRAMES:]
    model = [1000 * each["computed_seconds"] for each in times]
    total = [(each["published_ns"] - each["ingest_ns"]) / 1e6 for each in times]
    after = [(each["published_ns"] - each["analysed_ns"]) / 1e6 for each in times]
    rest = np.subtract(total, model)
    parts = {"ingest to published": total, "in the model": model, "analysed to published": after, "plumbing": rest}
    for name, values in parts.items():
        p50, p99 = np.percentile(values, [50, 99])
        print(f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"{len(rest)} frames, limits of plumbing {LIMITS_MS[0]:g} and {LIMITS_MS[1]:g} ms ({machine()})")
    return 0 if np.percentile(rest, 50) <= LIMITS_MS[0] and np.percentile(rest, 99) <= LIMITS_MS[1] else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
