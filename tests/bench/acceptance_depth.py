"""Depth on pixels of movers, by heads fitted at the pose, on layouts, lights and colours that no head has seen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from operators.backbone import Engine, load_backbone
from operators.backbone.preprocess import place
from operators.heads.fit_depth import place_like
from operators.heads.shipped import shipped_head
from pipeline.simulation import KNOWN_KINDS, POSES, Rendered
from pipeline.simulation.fit_depth_head import relative_errors, unseen_pictures
from tests.bench.alarm_checks import table
from tests.bench.alarm_pose import fit_heads
from tests.bench.alarm_watch import SHAPE, median_depth

__all__ = ["run", "table"]

POSES_JUDGED = ("P0", "P2", "D")
FIRST_SEED = 910_000
PICTURES, QUICK_PICTURES = 72, 12


def run(*, quick: bool = False, poses: Sequence[str] = POSES_JUDGED, cache_dir: Path | None = None) -> dict[str, Any]:
    """Measures and prints its table.

    Args:
        quick: One pose, fewer pictures, the shipped head.
        poses: Names in `pipeline.simulation.pose.POSES`.
        cache_dir: Where fitted heads are kept; left out: nowhere.

    Returns:
        `poses`: figures per pose; `checks`: (what, value, limit, whether it holds).
    """
    torch.set_num_threads(1)  # lanes, not threads
    engine = Engine(load_backbone("dinov2_vits14", "standin"))
    if quick:
        head = shipped_head(engine.backbone.fingerprint)
        assert head is not None, "no depth head ships for these weights"
        figures = {"P0": _figures("P0", [(engine, head)], QUICK_PICTURES)}
    else:
        random = Engine(load_backbone("dinov2_vits14", "random"))
        with tempfile.TemporaryDirectory() as folder:
            asked = [(each, POSES[pose].view()) for pose in poses for each in (engine, random)]
            heads = fit_heads(asked, cache_dir or Path(folder))
        pairs = zip(poses, heads[::2], heads[1::2], strict=True)
        figures = {pose: _figures(pose, [(engine, ours), (random, other)], PICTURES) for pose, ours, other in pairs}
    result = {"poses": figures, "checks": checks(figures)}
    print(table(result))  # noqa: T201 - a bench shows its table
    return result


def _figures(pose: str, chains: Sequence[tuple[Engine, Any]], count: int) -> dict[str, float]:
    """Of our weights, then of random ones where they are given."""
    seed, at = FIRST_SEED + sorted(POSES).index(pose), POSES[pose]
    movers, rest = relative_errors(*chains[0], at, unseen_pictures(at, seed, count, KNOWN_KINDS))
    others, _ = relative_errors(*chains[0], at, unseen_pictures(at, seed, count // 3, ("other",)))
    baseline = _baseline_errors(pose, unseen_pictures(at, seed, count, KNOWN_KINDS))
    figures = {
        "movers_abs_rel": float(np.nanmedian(np.abs(movers))),
        "movers_bias": float(np.nanmedian(movers)),
        "unknown_kind_abs_rel": float(np.nanmedian(np.abs(others))),
        "movers_p90": float(np.nanpercentile(np.abs(movers), 90)),
        "rest_abs_rel": float(np.nanmedian(np.abs(rest))),
        "baseline_abs_rel": float(np.nanmedian(np.abs(baseline))),
    }
    for engine, head in chains[1:]:
        errors, _ = relative_errors(engine, head, at, unseen_pictures(at, seed, count, KNOWN_KINDS))
        figures["random_movers_abs_rel"] = float(np.nanmedian(np.abs(errors)))
    return figures


def _baseline_errors(pose: str, pictures: Iterable[Rendered]) -> np.ndarray:
    """Of the median of the training depth at each pixel, which looks at no picture."""
    depth = median_depth(pose)
    errors: list[np.ndarray] = []
    for picture in pictures:
        placement = place(picture.rgb, SHAPE)[1]
        truth, is_mover = place_like(picture.depth, placement), place_like(picture.kind_map, placement) > 0
        errors.append(((depth - truth) / truth)[is_mover])
    return np.concatenate(errors)


def checks(figures: dict[str, dict[str, float]]) -> list[tuple[str, float, str, bool]]:
    """What is asked for: (what, value, limit, whether it holds)."""
    found: list[tuple[str, float, str, bool]] = []
    for pose, of in figures.items():
        ratio = of["movers_abs_rel"] / of["baseline_abs_rel"]
        found += [
            (
                f"{pose}: depth on movers, median abs(error) / depth",
                of["movers_abs_rel"],
                "<= 0.12",
                of["movers_abs_rel"] <= 0.12,
            ),
            (f"{pose}: the same over the baseline's", ratio, "<= 0.5", ratio <= 0.5),
        ]
    return found
