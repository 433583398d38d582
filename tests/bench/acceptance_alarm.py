"""The alarm, offline on a simulated clock, of cameras commissioned at three poses.

Approaches, near misses, empty scenes, and stories of half an hour and of two forklifts; beside them the controls.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from operators.backbone import Engine, load_backbone
from operators.camera import CameraSpec
from operators.heads.depth_linear import DepthLinear
from operators.heads.shipped import shipped_head
from operators.rules.margins import margin_metres
from pipeline.simulation.movers import Kind
from tests.bench.alarm_camera import LINES, Camera, OnePass, commission
from tests.bench.alarm_checks import checks, table
from tests.bench.alarm_clips import Site
from tests.bench.alarm_figures import (
    HOLD_SECONDS,
    RELEASE_SECONDS,
    control_figures,
    distance_errors,
    is_right,
    label_figures,
    pose_figures,
)
from tests.bench.alarm_pose import SHAPE, FoundPose, find_pose, fit_heads
from tests.bench.alarm_stories import below, parked, second, stopped
from tests.bench.alarm_watch import ClipScore, median_depth, watch

__all__ = ["POSES_JUDGED", "run", "table"]

POSES_JUDGED = ("P0", "P2", "D")
"""Square and of middle height, high, low and oblique; chosen before anything was measured on them."""
POSE_PARKED = "P0"
"""Where the half hour is played."""


@dataclass(frozen=True)
class Wanted:
    """What one layout is asked."""

    approaches: Mapping[Kind, int]
    near_misses: int
    empty_seconds: float


EACH_KIND: dict[Kind, int] = {"forklift": 1, "person": 1, "truck": 1, "other": 1}
SITES_PER_POSE = (
    Wanted(EACH_KIND | {"forklift": 2}, 3, 150.0),
    Wanted(EACH_KIND | {"person": 2}, 3, 150.0),
    Wanted(EACH_KIND | {"truck": 2}, 2, 150.0),
    Wanted(EACH_KIND | {"other": 2}, 2, 150.0),
)
"""20 approaches, five of each kind, 10 near misses and 10 minutes of empty scene a pose."""
QUICK_SITES = (Wanted({"forklift": 1, "person": 1, "truck": 1}, 1, 10.0),)


def run(*, quick: bool = False, poses: Sequence[str] = POSES_JUDGED, cache_dir: Path | None = None) -> dict[str, Any]:
    """Plays everything and prints its table.

    Args:
        quick: One pose, one layout, the shipped head, no bank, drive-in or control: a minute, for the test suite.
        poses: Names in `pipeline.simulation.pose.POSES`.
        cache_dir: Where fitted heads are kept; left out: nowhere.

    Returns:
        `poses`: figures per pose; `checks`: (what, value, limit, whether it holds).
    """
    torch.set_num_threads(1)  # lanes, not threads
    engine = OnePass(_engine("standin"))
    if quick:
        site = Site.of("P0", 0)
        camera = commission(engine, _shipped(engine), _spec(find_pose("P0")), site, is_whole=False)
        return _result({"P0": pose_figures(list(_watched(camera, QUICK_SITES[0], median_depth("P0", 24))))})
    figures: dict[str, dict[str, float]] = {}
    random = _engine("random")
    found = {pose: find_pose(pose) for pose in poses}
    with tempfile.TemporaryDirectory() as folder:
        asked = [(each, found[pose].view) for pose in poses for each in (engine, random)]
        heads = fit_heads(asked, cache_dir or Path(folder))
    for pose, ours, of_random in zip(poses, heads[::2], heads[1::2], strict=True):
        figures[pose] = _pose(engine, ours, found[pose], (random, of_random))
        result = _result(figures)
    return result


def _pose(engine: OnePass, head: DepthLinear, found: FoundPose, random: tuple[Engine, DepthLinear]) -> dict[str, float]:
    """Everything that is printed of one pose."""
    spec, baseline = _spec(found), median_depth(found.pose)
    scores: list[ClipScore] = []
    cameras: list[Camera] = []
    controls: dict[str, float] = {}
    for number, wanted in enumerate(SITES_PER_POSE):
        site = Site.of(found.pose, number)
        camera = commission(engine, head, spec, site)
        cameras.append(camera)
        if number:
            scores += _watched(camera, wanted, baseline)
            continue
        other = commission(engine, _shipped(engine), spec, site, is_whole=False)
        scores += _watched(camera, wanted, baseline, other)
        same = [score for score in scores if score.clip.event is not None]
        at_random = commission(*random, spec, site, is_whole=False)
        controls = control_figures([watch(at_random, score.clip, baseline) for score in same], same)
    told = [stopped(cameras[0]), below(cameras[1]), second(cameras[2])]
    told += [parked(cameras[3])] if found.pose == POSE_PARKED else []
    for each in told:
        print(f"{found.pose}/{each.name}: {each.order}; {each.num_analysed} analysed", flush=True)  # noqa: T201 - as above
    stories = {f"{each.name}_{kind}s": each.count(kind) for each in told for kind in ("start", "end")}
    return (
        pose_figures(scores)
        | label_figures(scores)
        | stories
        | {"stopped_reused": told[0].num_reused}
        | found.errors()
        | setup_figures(cameras)
        | controls
    )


def setup_figures(cameras: Sequence[Camera]) -> dict[str, float]:
    """What commissioning found at the layouts of one pose."""
    margins = [margin_metres(each.spec.rules["critical"], each.spec.metres) for each in cameras]
    return {
        "fewest_lights_learnt": min(each.view.num_lights for each in cameras),
        "most_lights_learnt": max(each.view.num_lights for each in cameras),
        "stops_read": sum(each.num_stops for each in cameras),
        "margin_least": min(margins),
        "margin_most": max(margins),
    }


def _result(figures: dict[str, dict[str, float]]) -> dict[str, Any]:
    result = {"poses": figures, "checks": checks(figures)}
    print(table(result), flush=True)  # noqa: T201 - a bench prints its table
    return result


def _engine(weights: str) -> Engine:
    return Engine(load_backbone("dinov2_vits14", weights))


def _shipped(engine: Engine) -> DepthLinear:
    head = shipped_head(engine.backbone.fingerprint)
    assert head is not None, "no depth head ships for these weights"
    return head


def _spec(found: FoundPose) -> CameraSpec:
    return CameraSpec("dock", SHAPE, ("depth",), found.view, LINES)


def _watched(camera: Camera, wanted: Wanted, baseline: np.ndarray, other: Camera | None = None) -> Iterator[ClipScore]:
    """Every clip of one layout."""
    for clip in camera.site.clips(wanted.approaches, wanted.near_misses, wanted.empty_seconds):
        score = watch(camera, clip, baseline, other)
        print(one_line(score), flush=True)  # noqa: T201 - and how far it is
        yield score


def one_line(score: ClipScore) -> str:
    """A clip for people."""
    errors, clip = distance_errors([score]), score.clip
    error = f"error {np.median(np.abs(errors)):.2f} bias {np.median(errors):+.2f}" if errors.size else ""
    due = ("", "") if clip.crossing_s is None or clip.leaving_s is None else _due(clip.crossing_s, clip.leaving_s)
    came = [", ".join(f"{t:.1f}" for t in score.times("close", kind)) or "none" for kind in ("start", "end")]
    right = "" if clip.crossing_s is None else " right" if is_right(score, score.events) else " WRONG"
    labels = f" called forklift {len(score.times('forklift', 'start'))}x" if clip.event is not None else ""
    return f"{clip.name} {clip.kind}: start [{due[0]}] {came[0]}, end [{due[1]}] {came[1]}{right} {error}{labels}"


def _due(crossing_s: float, leaving_s: float) -> tuple[str, str]:
    return f"{crossing_s + HOLD_SECONDS:.1f}", f"{leaving_s + RELEASE_SECONDS:.1f}"
