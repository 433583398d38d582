"""Tokens and depth of pictures, as the analyzer reads them, for benches that look at the masks themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operators.backbone import Engine
from operators.backbone.preprocess import place
from operators.frames import Placement, grid_of
from operators.geometry import FloorCamera
from operators.heads.depth_linear import DEPTH_BLOCKS, DepthLinear
from operators.scene.empty_view import VIEW_BLOCK
from operators.scene.subjects import view_tokens
from pipeline.simulation.depth_heads import head_for_view
from pipeline.simulation.pose import POSES
from pipeline.simulation.rendered import Rendered
from tests.bench.alarm_pose import SHAPE
from tests.bench.lanes import in_lanes

__all__ = ["SHAPE", "Looked", "fit_head", "look"]


@dataclass(frozen=True)
class Looked:
    """What the model said of one picture."""

    rendered: Rendered
    placement: Placement
    log_depth: np.ndarray
    """float32 (h, w)."""
    tokens: np.ndarray
    """float16 (N, D)."""


def look(engine: Engine, head: DepthLinear, pose: str, pictures: Iterable[Rendered]) -> Iterator[Looked]:
    """Run pictures through the model, four at a time, one batch ahead of what is drawn."""
    view = POSES[pose].view()

    def one(batch: list[Rendered]) -> list[Looked]:
        placed = [place(picture.rgb, SHAPE) for picture in batch]
        taps = engine.run(np.stack([pixels for pixels, _ in placed]), DEPTH_BLOCKS, DEPTH_BLOCKS[-1]).taps
        camera, grid = FloorCamera(view, SHAPE, placed[0][1]), grid_of(SHAPE, engine.backbone.arch.patch)
        depth = head.predict(taps, grid, camera.focal[1])
        tokens = view_tokens(taps[VIEW_BLOCK][1])
        return [Looked(picture, placed[row][1], np.log(depth[row]), tokens[row]) for row, picture in enumerate(batch)]

    yield from in_lanes(pictures, one)


def fit_head(engine: Engine, pose: str, cache_dir: Path) -> DepthLinear:
    """The head for a pose as the product fits it: from layouts, lights and colours that no clip has."""
    return head_for_view(engine, POSES[pose].view(), SHAPE, cache_dir)
