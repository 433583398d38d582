"""`python -m tests.bench.file_rate`: a file with every frame analysed, against the bare model on the same cores.

Rounds of bare model, pipeline, bare model: each pipeline is compared with the mean of its neighbours. The bare model
runs one thread a core and takes the better of one and of four pictures a call. Limit 0.88, the median of the rounds.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.runs import machine, running
from tests.clips import make_clip

ROUNDS = 3
FRAMES = 200
SIZE = (360, 640)
SHAPE = "224x392"
BARE_SECONDS = 5.0
LIMIT = 0.88
SKIPPED = 0.1
"""Of the frames, at each end: the pipeline fills and drains."""


def main(rounds: int = ROUNDS) -> int:
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as folder:
        clip = make_clip(Path(folder) / "clip.mp4", FRAMES, size=SIZE)
        bare = [_bare()]
        ratios: list[float] = []
        for number in range(rounds):
            rate = _file_rate(clip)
            bare.append(_bare())
            ratios.append(rate / statistics.mean(bare[-2:]))
            print(
                f"round {number}: file {rate:.2f} frames/s, bare {bare[-2]:.2f} and {bare[-1]:.2f}, "
                f"ratio {ratios[-1]:.3f} ({machine()})",
                flush=True,
            )
    ratio = statistics.median(ratios)
    print(f"a file with every frame analysed: {ratio:.3f} of the bare model, limit {LIMIT}")
    return 0 if ratio >= LIMIT else 1


def _file_rate(clip: Path) -> float:
    """Frames per second between the first and last tenth, by the times at which they were analysed."""
    with running({"clip": {"source": {"file": str(clip)}, "sample": {"policy": "every_frame"}}}) as pipeline:
        assert (code := pipeline.process.wait(600.0)) == 0, f"exit {code}:\n{pipeline.process.text}"
        times = sorted(body["times"]["analysed_ns"] for body in pipeline.results())
    assert len(times) == FRAMES, f"{len(times)} results of {FRAMES} frames"
    skipped = int(SKIPPED * FRAMES)
    part = times[skipped : FRAMES - skipped]
    return (len(part) - 1) / ((part[-1] - part[0]) / 1e9)


def _bare() -> float:
    """In a process of its own: torch keeps its threads."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "tests.bench.file_rate", "--bare"]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def _print_bare() -> None:
    import torch

    from operators.backbone.config import ModelConfig
    from pipeline.control.bare_model import bare_rate
    from pipeline.control.model import load_engine

    torch.set_num_threads(1)
    shape = (224, 392)
    engine = load_engine(ModelConfig(backbone="dinov2_vits14", weights="random", shapes=(shape,)))
    lanes = len(os.sched_getaffinity(0))
    print(max(bare_rate(engine, shape, lanes=lanes, batch=batch, seconds=BARE_SECONDS / 2) for batch in (1, 4)))


if __name__ == "__main__":
    if sys.argv[1:] == ["--bare"]:
        _print_bare()
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
