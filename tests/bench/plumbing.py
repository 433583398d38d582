"""`python -m tests.bench.plumbing`: what everything but the model adds to a frame of one paced camera.

From ingest to published, less the model's own call: pictures of 56x98 keep that call short, and its median, measured
alone in the same round, is taken off. Limits: p50 5 ms, p99 15 ms.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import statistics
import sys
import tempfile
import time
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
    model = _model_ms()
    total = [(each["published_ns"] - each["ingest_ns"]) / 1e6 for each in times]
    after = [(each["published_ns"] - each["analysed_ns"]) / 1e6 for each in times]
    p50, p99 = (float(np.percentile(total, part)) for part in (50, 99))
    print(f"ingest to published: p50 {p50:.1f} ms, p99 {p99:.1f} ms over {len(total)} frames ({machine()})")
    print(f"analysed to published: p50 {np.percentile(after, 50):.1f} ms, p99 {np.percentile(after, 99):.1f} ms")
    print(f"the model alone on one picture: {model:.1f} ms")
    print(f"plumbing: p50 {p50 - model:.1f} ms, p99 {p99 - model:.1f} ms; limits {LIMITS_MS[0]:g} and {LIMITS_MS[1]:g}")
    return 0 if p50 - model <= LIMITS_MS[0] and p99 - model <= LIMITS_MS[1] else 1


def _model_ms() -> float:
    """Median of one call at a time, as a lane makes it for a camera that is alone."""
    import torch

    from operators.backbone.config import ModelConfig
    from pipeline.control.bare_model import TAPS
    from pipeline.control.model import load_engine

    torch.set_num_threads(1)
    engine = load_engine(ModelConfig(backbone="dinov2_vits14", weights="random", shapes=(SHAPE,)))
    pixels = np.random.default_rng(0).integers(0, 256, (1, *SHAPE, 3), dtype=np.uint8)
    spent: list[float] = []
    for _ in range(60):
        began = time.perf_counter()
        engine.run(pixels, TAPS)
        spent.append(1000 * (time.perf_counter() - began))
    return statistics.median(spent[10:])


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
