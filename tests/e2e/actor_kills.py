"""SIGKILL of the actors of a run, one after the other, and what must hold of the results that it has published."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from tests.e2e.pipeline_process import PipelineProcess
from tests.waiting import until

KILLS = int(os.environ.get("KILLS", "3"))
"""50 make the long run of the acceptance; the default keeps the suite short, and ends one actor of each kind."""
KINDS = ("decode", "analyze", "publish")
FRAMES = 40
PATIENCE_SECONDS = 240.0
"""The machine may be busy with other suites."""

Entries = list[tuple[str, str, dict]]


def write_clip(path: Path) -> None:
    """`FRAMES` frames of noise, ten a second."""
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 196, 112, "yuv420p"
        video.codec_context.thread_count = 1
        video.codec_context.gop_size = 10
        for _ in range(FRAMES):
            picture = rng.integers(0, 255, (14, 24, 3), np.uint8).repeat(8, 0).repeat(9, 1)[:112, :196]
            picture = np.pad(picture, ((0, 112 - picture.shape[0]), (0, 196 - picture.shape[1]), (0, 0)))
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())


def kill_in_turn(pipeline: PipelineProcess, published: Callable[[], dict[str, int]]) -> Counter[str]:
    """Ends `KILLS` actors, by kind; each time every camera must go on. `published`: results so far, by camera."""
    rng = random.Random(20_261_125)
    killed: Counter[str] = Counter()
    for number in range(KILLS):
        kind = KINDS[number] if number < len(KINDS) else rng.choice(KINDS)
        of_kind = [each for each in pipeline.status()["actors"] if each["kind"] == kind]
        victim = next(each for each in of_kind if kind == "analyze" or each["cameras"])
        os.kill(victim["pid"], signal.SIGKILL)
        killed[kind] += 1

        def is_back(victim: dict = victim) -> bool:
            now = {each["name"]: each for each in pipeline.status()["actors"]}[victim["name"]]
            return now["state"] == "running" and now["pid"] not in {victim["pid"], None}

        until(f"{victim['name']} is started again", is_back, PATIENCE_SECONDS)
        before = published()

        def all_go_on(before: dict[str, int] = before) -> bool:
            return all(count > before[camera] for camera, count in published().items())

        until("every camera goes on", all_go_on, PATIENCE_SECONDS)
    return killed


def results(entries: Entries) -> list[dict]:
    return [body for _, kind, body in entries if kind.startswith("dinostream.result")]


def positions(entries: Entries) -> list[tuple[int, int]]:
    """(epoch, seq) of results, once each: what a kill repeats is the same again."""
    return list(dict.fromkeys((body["epoch"], body["seq"]) for body in results(entries)))


def check_clip(entries: Entries) -> None:
    """Of the clip, read again and again: every frame of every round, in order."""
    found = positions(entries)
    assert found == sorted(found)
    rounds: dict[int, set[int]] = {}
    for epoch, seq in found:
        rounds.setdefault(epoch, set()).add(seq)
    last = max(rounds)
    for epoch, seen in rounds.items():
        wanted = FRAMES if epoch < last else max(seen) + 1
        assert seen == set(range(wanted)), f"round {epoch} lacks {sorted(set(range(wanted)) - seen)}"


def check_live(entries: Entries, killed: Counter[str]) -> None:
    """Of a live camera: frames rise, and every owner that it had a lease of its own."""
    found = positions(entries)
    assert all(a < b for a, b in pairwise(found))
    assert len({epoch for epoch, _ in found}) == 1 + killed["decode"]
