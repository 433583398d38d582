"""`python -m tests.bench.added_camera`: memory and CPU that one more 720p camera costs.

The same pipeline with few and with many cameras of 1280x720 at 25 frames/s in H.264, one analysed frame every ten
seconds each; the difference of its process trees, by camera. Limit 12 MB; the CPU's share is printed.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from pipeline.cli.demo.memory import tree_bytes, tree_pids
from tests.bench.runs import Running, machine, running
from tests.clips import make_clip

FEW, MANY = 2, 10
FPS = 25
SIZE = (720, 1280)
SETTLE_SECONDS = 20.0
"""Until every decoder has its pictures and the model its first batch."""
SECONDS = 20.0
LIMIT_MB = 12.0


def main(few: int = FEW, many: int = MANY) -> int:
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as folder:
        clip = make_clip(Path(folder) / "clip.mp4", 10 * FPS, size=SIZE, fps=FPS, gop=FPS)
        few_bytes, few_cores = _cost(clip, few)
        many_bytes, many_cores = _cost(clip, many)
    added = many - few
    megabytes = (many_bytes - few_bytes) / added / 1e6
    cores = (many_cores - few_cores) / added
    few_text = f"{few} cameras: {few_bytes / 1e6:.0f} MB, {few_cores:.2f} cores"
    print(f"{few_text}; {many}: {many_bytes / 1e6:.0f} MB, {many_cores:.2f} cores ({machine()})")
    print(f"an added 720p25 camera: {megabytes:.1f} MB, limit {LIMIT_MB:g}; {cores:.3f} cores")
    return 0 if megabytes <= LIMIT_MB else 1


def _cost(clip: Path, count: int) -> tuple[int, float]:
    """Bytes and cores of the whole process tree, but for this process."""
    source = {"file": str(clip), "loop": True, "pace": "realtime"}
    cameras = {f"cam-{n}": {"source": {**source}, "sample": {"fps": 0.1}} for n in range(count)}
    with running(cameras) as pipeline:
        pipeline.await_results(count)
        threading.Event().wait(SETTLE_SECONDS)
        began, before = time.monotonic(), _cpu_seconds(pipeline)
        threading.Event().wait(SECONDS)
        cores = (_cpu_seconds(pipeline) - before) / (time.monotonic() - began)
        return tree_bytes(pipeline.process.pid), cores


def _cpu_seconds(pipeline: Running) -> float:
    ticks = 0
    for pid in tree_pids(pipeline.process.pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
