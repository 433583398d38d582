"""Presence, judged on simulated yards under lights that were not learnt: who is found, and who is not there.

`python -m tests.bench.presence --first 1870000 --sites 20` draws yards at three poses in turns and prints counts per
kind with 95 % intervals, persons by distance and by size, and what was seen in empty scenes. A yard that was looked at
while a limit was chosen judges nothing any more: see `USED_UP`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from operators.backbone import Engine, load_backbone
from operators.geometry import FloorCamera
from operators.heads.depth_linear import DepthLinear
from operators.results import Subject
from operators.scene.empty_view import EmptyView
from operators.scene.subjects import find_subjects
from pipeline.simulation.pose import POSES
from tests.bench.alarm_chain import SHAPE, fit_head, look
from tests.bench.presence_pictures import Frame, Lengths, Seen, YardFrames, placement, yard_frames
from tests.bench.presence_table import HELD_SAMPLES, Asked, Presence, alone, runs_of, table
from tests.bench.scene_site import Yard

USED_UP = {
    870_000: 12,
    970_000: 12,
    1_070_000: 12,
    1_170_000: 12,
    1_270_000: 20,
    1_370_000: 20,
    1_470_000: 20,
    1_570_000: 20,
    1_670_000: 20,
    1_770_000: 20,
}
"""First seeds, and how many yards from there on were judged once."""
POSES_JUDGED = ("P0", "P2", "D")
"""As in `acceptance_alarm`: square and of middle height, high, low and oblique."""
NEAREST_ASKED_METRES = 8.0
"""A mover farther away is not asked for."""
MIN_PATCHES = 3.0
"""A mover of whom less is in view than the smallest subject is not asked for, in patches."""
OVERLAP = 0.25
"""Share of a found subject's patches that must lie on the mover."""


def presence(frames: YardFrames, pose: str, seed: int) -> Presence:
    """What the rule says of one yard's pictures."""
    view, camera = frames.view(), FloorCamera(POSES[pose].view(), SHAPE, placement())
    asked = [
        Asked(pose, seed, mover.kind, mover.visit, mover.metres, mover.num_patches, is_found=_is_found(mover, subjects))
        for frame in frames.visits
        for subjects in [_subjects(view, frame, camera)]
        for mover in frame.movers
        if mover.num_patches >= MIN_PATCHES and mover.metres <= NEAREST_ASKED_METRES
    ]
    return Presence(asked, [[bool(_subjects(view, frame, camera)) for frame in frames.empty]])


def _subjects(view: EmptyView, frame: Frame, camera: FloorCamera) -> list[Subject]:
    return find_subjects(view, frame.log_depth, frame.tokens, camera, {"dock": "here"})


def _is_found(mover: Seen, subjects: Iterable[Subject]) -> bool:
    shares = mover.shares.astype(np.float32)
    return any(shares[subject.mask].mean() > OVERLAP for subject in subjects)


def _held_alone(
    engine: Engine, head: DepthLinear, yard: Yard, view: EmptyView, *, minutes: float, numbers: Iterable[int]
) -> int:
    """How many of the frames that alone showed a subject show one for the hold, looked at closer.

    Args:
        engine: The backbone.
        head: Its depth head at the yard's pose.
        yard: The layout.
        view: As learnt there.
        minutes: Of empty scene.
        numbers: Of the frames in it.
    """
    camera = FloorCamera(POSES[yard.pose].view(), SHAPE, placement())
    held = 0
    for number in numbers:
        looked = look(engine, head, yard.pose, yard.closer_pictures(minutes, number))
        seen = [bool(find_subjects(view, each.log_depth, each.tokens, camera, {"dock": "here"})) for each in looked]
        held += runs_of(seen, HELD_SAMPLES) > 0
    return held


def run(
    seeds: Sequence[int], lengths: Lengths, *, poses: Sequence[str] = POSES_JUDGED, heads: Path, keep: Path | None
) -> Presence:
    """Plays everything; prints a line a yard.

    Args:
        seeds: Of the yards, at the poses in turns.
        lengths: How much of each.
        poses: Names in `pipeline.simulation.pose.POSES`.
        heads: Where heads that are fitted at a pose are kept.
        keep: See `yard_frames`.
    """
    torch.set_num_threads(1)
    engine = Engine(load_backbone("dinov2_vits14", "standin"))
    judged = Presence([], [])
    for number, seed in enumerate(seeds):
        pose = poses[number % len(poses)]
        head, yard = fit_head(engine, pose, heads), Yard.of(seed, pose)
        frames = yard_frames(engine, head, yard, lengths, keep)
        one = presence(frames, pose, seed)
        numbers = [at for scene in one.empty for at in alone(scene)]
        held = _held_alone(engine, head, yard, frames.view(), minutes=lengths.empty_minutes, numbers=numbers)
        one = replace(one, held_alone=held)
        judged = judged + one
        print(f"{pose}/{seed}: {one.in_short()}", flush=True)  # noqa: T201 - a bench prints how far it is
    return judged


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, required=True, help="seed of the first yard; the others follow")
    parser.add_argument("--sites", type=int, default=20)
    parser.add_argument("--lights", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1.6, help="of empty scene a site")
    parser.add_argument("--keep", type=Path, help="folder for what the model said; the next run judges it anew")
    asked: Any = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.sites)
    lengths = Lengths(lights=asked.lights, empty_minutes=asked.minutes)
    print(table(run(seeds, lengths, heads=Path(".cache/heads"), keep=asked.keep)))  # noqa: T201 - as above


if __name__ == "__main__":
    main()
