"""Depth heads fitted on simulated pictures: the one that ships, and one for a camera's own view."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from operators.backbone import Engine
from operators.heads.depth_linear import DepthLinear
from operators.heads.fit_depth import DepthFit, Progress, about_fit, add_pictures, fit_for_view
from operators.heads.shipped import ASSETS, shipped_head
from operators.scene.config import ViewConfig
from pipeline.simulation.pose import Pose
from pipeline.simulation.rendered import Rendered
from pipeline.simulation.training import training_frames

PICTURES_PER_FIT = 360
"""What movers look like is learnt from few patches: more pictures help, and this many stay under two minutes on two
quiet cores with ViT-S. Source: own measurements, 200 to 360."""

PICTURES_PER_POSE = 9
_WIDTH_PX = 640
_LANE_AHEAD_METRES = 5.0
_SEED = 5_000
_RECIPE_VERSION = 3
"""Part of the cache's key: raise it when the pictures or the fit change."""


def simulated_head(
    engine: Engine, shape: tuple[int, int], cache_dir: Path, progress: Progress | None = None
) -> DepthLinear:
    """The head for cameras of any pose: the shipped one where it fits the weights, else a cached or a new fit.

    Args:
        engine: of the backbone that the head is for.
        shape: (H, W) of the model-size pictures to fit on, if a fit is needed.
        cache_dir: where new fits are kept.
        progress: told how many of `PICTURES_PER_FIT` pictures are done.
    """
    fingerprint = engine.backbone.fingerprint
    found = simulated_head_here(fingerprint, shape, cache_dir)
    if found is not None:
        return found
    fitted = fit_over_poses(engine, shape, PICTURES_PER_FIT, _SEED, progress)
    return _kept(fitted, _cached(cache_dir, _poses_key(fingerprint, shape)))


def simulated_head_here(fingerprint: str, shape: tuple[int, int], cache_dir: Path) -> DepthLinear | None:
    """The same, where nothing must be fitted for it.

    Args:
        fingerprint: of the backbone.
        shape: (H, W) of the model-size pictures.
        cache_dir: where fits are kept.
    """
    if (shipped := shipped_head(fingerprint)) is not None:
        return shipped
    path = _cached(cache_dir, _poses_key(fingerprint, shape))
    return DepthLinear.load(path) if path.exists() else None


def head_for_view(
    engine: Engine, view: ViewConfig, shape: tuple[int, int], cache_dir: Path, progress: Progress | None = None
) -> DepthLinear:
    """The head for one camera's height, pitch and field of view: shipped, cached, or fitted on pictures of made-up
    layouts.

    Args:
        engine: of the backbone that the head is for.
        view: of the camera.
        shape: (H, W) of its model-size pictures.
        cache_dir: where fits are kept, named by weights and view.
        progress: told how many of `PICTURES_PER_FIT` pictures are done.
    """
    found = head_for_view_here(engine.backbone.fingerprint, view, shape, cache_dir)
    if found is not None:
        return found
    pictures = training_frames(PICTURES_PER_FIT, pose_of(view), _SEED, _source_size(shape))
    fitted = fit_for_view(engine, view, pictures, shape, progress)
    return _kept(fitted, _cached(cache_dir, _view_key(engine.backbone.fingerprint, view, shape)))


def head_for_view_here(
    fingerprint: str, view: ViewConfig, shape: tuple[int, int], cache_dir: Path
) -> DepthLinear | None:
    """The same, where nothing must be fitted for it. `fingerprint`: of the backbone."""
    path = _cached(cache_dir, _view_key(fingerprint, view, shape))
    for there in (ASSETS / path.name, path):  # the demo's own view is fitted beforehand
        if there.exists():
            return DepthLinear.load(there)
    return None


def fit_over_poses(
    engine: Engine, shape: tuple[int, int], num_pictures: int, seed: int, progress: Progress | None = None
) -> DepthLinear:
    """A head for cameras of unknown pose (their field of view must be known), from many poses and layouts."""
    fit = DepthFit()
    add_pictures(fit, engine, _over_poses(num_pictures, seed, _source_size(shape)), shape, progress)
    recipe = f"{num_pictures} simulated pictures at {math.ceil(num_pictures / PICTURES_PER_POSE)} poses; "
    return fit.solve(about_fit(engine.backbone.fingerprint, recipe))


def pose_of(view: ViewConfig) -> Pose:
    """A camera with this view, beside the lane so far that it looks at the lane a few metres ahead."""
    lateral = -_LANE_AHEAD_METRES * math.tan(math.radians(view.yaw))
    return Pose(view.height, view.pitch, view.hfov, yaw=view.yaw, lateral=lateral)


def random_pose(rng: np.random.Generator) -> Pose:
    """A camera on a dock: 2.2 to 5.5 m high, looking down by 20 to 46 degrees, 56 to 84 degrees wide."""
    yaw = float(rng.uniform(-18, 18))
    lateral = -_LANE_AHEAD_METRES * math.tan(math.radians(yaw)) + float(rng.normal(0, 0.8))
    height = float(rng.uniform(2.2, 5.5))
    pitch = float(np.clip(16 + 5 * height + rng.normal(0, 4), 20, 46))
    return Pose(height, pitch, float(rng.uniform(56, 84)), yaw=yaw, lateral=lateral)


def _over_poses(num_pictures: int, seed: int, size: tuple[int, int]) -> Iterator[tuple[ViewConfig, Rendered]]:
    rng = np.random.default_rng([31, seed])
    for start in range(0, num_pictures, PICTURES_PER_POSE):
        pose = random_pose(rng)
        count = min(PICTURES_PER_POSE, num_pictures - start)
        for picture in training_frames(count, pose, int(rng.integers(2**31)), size):
            yield pose.view(), picture


def _source_size(shape: tuple[int, int]) -> tuple[int, int]:
    return (round(_WIDTH_PX * shape[0] / shape[1] / 2) * 2, _WIDTH_PX)


def _poses_key(fingerprint: str, shape: tuple[int, int]) -> str:
    return f"poses {fingerprint} {shape} {_RECIPE_VERSION}"


def _view_key(fingerprint: str, view: ViewConfig, shape: tuple[int, int]) -> str:
    return f"view {fingerprint} {view.model_dump_json()} {shape} {_RECIPE_VERSION}"


def _cached(cache_dir: Path, key: str) -> Path:
    return cache_dir / f"depth-{hashlib.sha256(key.encode()).hexdigest()[:24]}.safetensors"


def _kept(head: DepthLinear, path: Path) -> DepthLinear:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(head.to_bytes())
    part.replace(path)
    return head
