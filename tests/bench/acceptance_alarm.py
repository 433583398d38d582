"""The alarm, offline on a simulated clock: approaches, near misses and empty scenes at three poses, with controls."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from operators.backbone import Engine, load_backbone
from operators.heads.depth_linear import DepthLinear
from operators.heads.shipped import shipped_head
from tests.bench.alarm_chain import ClipScore, fit_head, learn_view, median_depth, watch
from tests.bench.alarm_clips import FPS, Site

POSES_JUDGED = ("P0", "P2", "D")
"""Square and of middle height, high, low and oblique; chosen before anything was measured on them."""
HOLD_SECONDS = 0.6
NEAR_METRES = 8.0
SITES_PER_POSE = ((5, 3, 50.0), (5, 3, 50.0), (5, 2, 50.0), (5, 2, 50.0))
"""(approaches, near misses, seconds of empty scene) per layout: 20, 10 and 200 a pose."""
RANDOM_SITES = ((5, 3, 10.0),)
QUICK_SITES = ((3, 1, 10.0),)


def run(
    *,
    quick: bool = False,
    poses: Sequence[str] = POSES_JUDGED,
    random_poses: Sequence[str] | None = None,
    cache_dir: Path | None = None,
) -> dict[str, Any]:
    """Plays everything and prints its table.

    Args:
        quick: One pose, one layout, the shipped head and no fit: a minute, for the test suite.
        poses: Names in `pipeline.simulation.pose.POSES`.
        random_poses: Of these, where the chain is also run with random weights; left out: all.
        cache_dir: Where fitted heads are kept; left out: nowhere.

    Returns:
        `poses`: figures per pose; `checks`: (what, value, limit, whether it holds).
    """
    torch.set_num_threads(1)  # lanes, not threads: see tests/bench/alarm_chain.look
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        heads = None if quick else cache_dir or Path(folder)
        standin = _engine("standin")
        for pose in ("P0",) if quick else poses:
            scores = _scores(standin, pose, QUICK_SITES if quick else SITES_PER_POSE, heads)
            figures[pose] = pose_figures(scores)
            if not quick and pose in (poses if random_poses is None else random_poses):
                random = _scores(_engine("random"), pose, RANDOM_SITES, heads)
                same = {score.clip.name for score in random}
                figures[pose] |= _random_figures(random, [score for score in scores if score.clip.name in same])
            result = {"poses": figures, "checks": checks(figures), "fps": FPS}
            print(table(result), flush=True)  # noqa: T201 - a bench prints its table
    return result


def _engine(weights: str) -> Engine:
    return Engine(load_backbone("dinov2_vits14", weights), "fp32")


def _scores(engine: Engine, pose: str, sites: Sequence[tuple[int, int, float]], heads: Path | None) -> list[ClipScore]:
    """Every clip of one pose; without a folder for heads, the shipped head is used."""
    head = _shipped(engine) if heads is None else fit_head(engine, pose, heads)
    baseline = median_depth(pose)
    scores: list[ClipScore] = []
    for number, wanted in enumerate(sites):
        site = Site.of(pose, number)
        view = learn_view(engine, head, site)
        for clip in site.clips(*wanted):
            scores.append(watch(engine, head, view, baseline, clip))
            print(one_line(scores[-1]), flush=True)  # noqa: T201 - and how far it is
    return scores


def _shipped(engine: Engine) -> DepthLinear:
    head = shipped_head(engine.backbone.fingerprint)
    assert head is not None, "no depth head ships for these weights"
    return head


def is_right(score: ClipScore, starts: Sequence[float]) -> bool:
    """Exactly one start, within two sampling periods and 0.6 m of way of the true crossing plus hold."""
    crossing = score.clip.crossing_s
    event = score.clip.event
    if len(starts) != 1 or crossing is None or event is None:
        return False
    return abs(starts[0] - crossing - HOLD_SECONDS) <= 2 / FPS + 0.6 / event.speed


def distance_errors(scores: Sequence[ClipScore], field: str = "read") -> np.ndarray:
    """Signed metres, of frames whose mover is truly nearer than 8 m and was found."""
    return np.array(
        [
            getattr(frame, field) - frame.truth
            for score in scores
            for frame in score.frames
            if frame.truth is not None and frame.truth < NEAR_METRES and getattr(frame, field) is not None
        ]
    )


def errors_with_misses(scores: Sequence[ClipScore]) -> np.ndarray:
    """Absolute metres over all frames whose mover is truly nearer than 8 m; one that was not found reads as 8 m.

    The comparison with random weights needs it: they find almost nothing, and the few frames that they find are near
    enough to the truth by chance.
    """
    return np.array(
        [
            abs((NEAR_METRES if frame.read is None else frame.read) - frame.truth)
            for score in scores
            if score.clip.event is not None
            for frame in score.frames
            if frame.truth is not None and frame.truth < NEAR_METRES
        ]
    )


def pose_figures(scores: Sequence[ClipScore]) -> dict[str, float]:
    """Everything that is printed of one pose."""
    approaches = [score for score in scores if score.clip.is_approach]
    near_misses = [score for score in scores if score.clip.event is not None and not score.clip.is_approach]
    empty = [score for score in scores if score.clip.event is None]
    visits = [*approaches, *near_misses]
    errors = distance_errors(visits)
    frames = [f for score in visits for f in score.frames if f.truth is not None and f.truth < NEAR_METRES]
    movers = np.concatenate([score.mover_errors for score in visits])
    delays = [
        score.starts[0] - score.clip.crossing_s - HOLD_SECONDS
        for score in approaches
        if score.starts and score.clip.crossing_s is not None
    ]
    return {
        "approaches": len(approaches),
        "one_start": sum(len(score.starts) == 1 for score in approaches),
        "right": sum(is_right(score, score.starts) for score in approaches),
        "delay_median": float(np.median(delays)) if delays else float("nan"),
        "near_misses": len(near_misses),
        "false_near": sum(bool(score.starts) for score in near_misses),
        "empty_minutes": sum(len(score.frames) for score in empty) / FPS / 60,
        "empty_starts": sum(len(score.starts) for score in empty),
        "empty_share": float(np.mean([f.num_subjects > 0 for score in empty for f in score.frames])),
        "missed_share": float(np.mean([f.read is None for f in frames])),
        "error_median": _percentile(np.abs(errors), 50),
        "error_p90": _percentile(np.abs(errors), 90),
        "error_bias": float(np.median(errors)) if errors.size else float("nan"),
        "contact_median": _percentile(np.abs(distance_errors(visits, "contact")), 50),
        "floor_median": _percentile(np.abs(distance_errors(visits, "floor")), 50),
        "floor_right": sum(is_right(score, score.floor_starts) for score in approaches),
        "movers_abs_rel": float(np.nanmedian(np.abs(movers))),
        "movers_bias": float(np.nanmedian(movers)),
        "baseline_abs_rel": float(np.nanmedian(np.abs(np.concatenate([s.baseline_errors for s in visits])))),
    }


def _percentile(errors: np.ndarray, share: float) -> float:
    """Infinite where nothing was found at all, as random weights may."""
    return float(np.percentile(errors, share)) if errors.size else float("inf")


def _random_figures(random: Sequence[ClipScore], same: Sequence[ClipScore]) -> dict[str, float]:
    """The chain with random weights, and ours on the same clips."""
    figures, ours = pose_figures(random), pose_figures(same)
    has_found = np.isfinite(figures["error_p90"])
    return {
        "random_right": figures["right"],
        "random_of": figures["approaches"],
        "random_median": figures["error_median"],
        "random_p90": figures["error_p90"],
        "random_found_frames": len(distance_errors(random)),
        "random_missed_share": figures["missed_share"],
        "random_p90_with_misses": _percentile(errors_with_misses(random), 90),
        "random_movers_abs_rel": figures["movers_abs_rel"],
        "same_right": ours["right"],
        "same_p90": ours["error_p90"],
        "same_found_frames": len(distance_errors(same)),
        "same_p90_with_misses": _percentile(errors_with_misses(same), 90),
        "p90_over_random_found_frames_alone": ours["error_p90"] / figures["error_p90"] if has_found else float("nan"),
    }


def checks(figures: dict[str, dict[str, float]]) -> list[tuple[str, float, str, bool]]:
    """What is asked for: (what, value, limit, whether it holds)."""
    found: list[tuple[str, float, str, bool]] = []

    def at_most(what: str, value: float, limit: float) -> None:
        found.append((what, value, f"<= {limit:.3g}", bool(value <= limit)))

    for pose, of in figures.items():
        at_most(f"{pose}: distance error, median, m", of["error_median"], 0.5)
        at_most(f"{pose}: distance error, p90, m", of["error_p90"], 1.3)
        at_least = round(0.9 * of["approaches"])
        found.append((f"{pose}: approaches right", of["right"], f">= {at_least}", of["right"] >= at_least))
        at_most(f"{pose}: near misses with a start", of["false_near"], 1)
        at_most(f"{pose}: median error over that of the floor's depth", of["error_median"] / of["floor_median"], 0.5)
        at_most(f"{pose}: depth on movers, median abs(error) / depth", of["movers_abs_rel"], 0.12)
        at_most(f"{pose}: the same over the baseline's", of["movers_abs_rel"] / of["baseline_abs_rel"], 0.5)
        if "random_p90" in of:
            ratio = of["same_p90_with_misses"] / of["random_p90_with_misses"]
            at_most(f"{pose}: p90 over that of random weights, a miss read as 8 m", ratio, 0.6)
    at_most("starts in empty scenes, all poses", sum(of["empty_starts"] for of in figures.values()), 0)
    return found


def one_line(score: ClipScore) -> str:
    """A clip for people."""
    errors = distance_errors([score])
    error = f"error {np.median(np.abs(errors)):.2f} bias {np.median(errors):+.2f}" if errors.size else ""
    crossing = score.clip.crossing_s
    wanted = "" if crossing is None else f"{crossing + HOLD_SECONDS:.1f}"
    starts = ", ".join(f"{start:.1f}" for start in score.starts) or "none"
    right = "" if crossing is None else " right" if is_right(score, score.starts) else " WRONG"
    return f"{score.clip.name} {score.clip.kind}: start at [{wanted}] came [{starts}]{right} {error}"


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    lines = ["", "| what | value | limit | holds |", "|---|---|---|---|"]
    lines += [
        f"| {what} | {value:.3g} | {limit} | {'yes' if holds else '**no**'} |"
        for what, value, limit, holds in result["checks"]
    ]
    names = list(result["poses"])
    lines += ["", "| figure | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    keys = list(dict.fromkeys(key for name in names for key in result["poses"][name]))
    for key in keys:
        values = (result["poses"][name].get(key, float("nan")) for name in names)
        lines.append(f"| {key} | " + " | ".join(f"{value:.3g}" for value in values) + " |")
    return "\n".join(lines)
