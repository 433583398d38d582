"""`python -m tests.bench.live_changes`: do 47 cameras notice that three others are edited, removed and added?

Windows in which nothing is changed take turns with windows in which the three are changed over HTTP; told is the age
p99 of the 47 in both, and whether each of their pictures was analysed. Limits: the age grows by at most 10 %, and no
picture is missing.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import yaml

from tests.bench.runs import Running, machine, running
from tests.clips import make_clip

CAMERAS, CHANGED = 50, ("cam-0", "cam-1", "cam-2")
SHAPE, SIZE = "56x98", (112, 192)
SAMPLED_FPS = {f"cam-{n}": 0.4 + 0.004 * n for n in range(CAMERAS)}
"""A little apart: cameras in step would wait for each other half a second, and hide what a change costs."""
WINDOW_SECONDS = 16.0
ROUNDS = 6
MOST = 1.10


@dataclass(frozen=True, slots=True)
class Window:
    """By the wall clock."""

    begin_ns: int
    end_ns: int
    is_changed: bool


def main(rounds: int = ROUNDS) -> int:
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as folder:
        clips = [make_clip(Path(folder) / f"{n}.mp4", 240, size=SIZE, fps=4 + n % 3) for n in range(3)]
        with running(
            {name: _camera(clips[n % 3], fps) for n, (name, fps) in enumerate(SAMPLED_FPS.items())}, shape=SHAPE
        ) as pipeline:
            pipeline.await_results(3 * CAMERAS, seconds=300.0)
            windows = list(_play(pipeline, rounds))
            results = [each for each in pipeline.results() if each["camera"] not in CHANGED]
    still, changed = (_ages(results, [each for each in windows if each.is_changed is kind]) for kind in (False, True))
    missing, total = _missing(results)
    for name, ages in (("nothing changed", still), ("three changed", changed)):
        p50, p99 = np.percentile(ages, [50, 99])
        print(
            f"{name}: age p50 {p50:.1f} ms, p99 {p99:.1f} ms, {len(ages)} results of {CAMERAS - len(CHANGED)} cameras"
        )
    ratio = float(np.percentile(changed, 99) / np.percentile(still, 99))
    print(f"p99 {ratio:.2f} times, limit {MOST:g}; {missing} of {total} sampled pictures missing ({machine()})")
    return 0 if ratio <= MOST and not missing else 1


def _camera(clip: Path, sampled_fps: float) -> dict[str, Any]:
    return {"source": {"file": str(clip), "loop": True, "pace": "realtime"}, "sample": {"fps": sampled_fps}}


def _play(pipeline: Running, rounds: int) -> Iterable[Window]:
    config = pipeline.folder / "cameras.yaml"
    before = yaml.safe_load(config.read_text(encoding="utf-8"))
    edited, removed, added = CHANGED
    for number in range(rounds):
        begin = time.time_ns()
        _rest()
        yield Window(begin, time.time_ns(), is_changed=False)
        begin = time.time_ns()
        document = {**before, "cameras": {**before["cameras"]}}
        document["cameras"][edited] = {
            **before["cameras"][edited],
            "sample": {"fps": SAMPLED_FPS[edited] + 0.1 * (number % 2)},
        }
        del document["cameras"][removed if number % 2 else added]
        config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        _apply(pipeline)
        _rest()
        yield Window(begin, time.time_ns(), is_changed=True)


def _rest() -> None:
    Event().wait(WINDOW_SECONDS)


def _apply(pipeline: Running) -> None:
    code, answer = pipeline.process.post("/config/apply")
    assert code == 200, answer
    told = {camera: each["did"] or each["outcome"] for camera, each in answer["cameras"].items()}
    print("; ".join(f"{camera} {told[camera]}" for camera in CHANGED if camera in told))


def _ages(results: list[dict[str, Any]], windows: list[Window]) -> list[float]:
    """ms from ingest to published, of pictures that came in one of these windows."""
    return [
        (times["published_ns"] - times["ingest_ns"]) / 1e6
        for times in (each["times"] for each in results)
        if any(window.begin_ns <= times["ingest_ns"] < window.end_ns for window in windows)
    ]


def _missing(results: list[dict[str, Any]]) -> tuple[int, int]:
    """Sampled pictures that are not there, and all: within a pass through the clip they are equally apart."""
    passes: dict[tuple[str, int], set[int]] = {}
    for each in results:
        passes.setdefault((each["camera"], each["epoch"]), set()).add(each["times"]["rule_time_ns"])
    missing = total = 0
    for (camera, _), seen in passes.items():
        steps = [round((after - before) * SAMPLED_FPS[camera] / 1e9) for before, after in pairwise(sorted(seen))]
        missing += sum(step - 1 for step in steps)
        total += sum(steps) + 1
    return missing, total


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
