"""Makes the shipped depth head: `python -m pipeline.simulation.fit_depth_head OUT.safetensors`.

Fits on simulated pictures at many poses, measures on other seeds at poses that it never saw, and writes both into the
file. Needs the stand-in weights; about five minutes on two cores.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from operators.backbone import Engine, load_backbone
from operators.backbone.preprocess import place
from operators.frames import grid_of
from operators.geometry import FloorCamera
from operators.heads.depth_linear import DepthLinear
from operators.heads.fit_depth import place_like
from pipeline.simulation.depth_heads import fit_over_poses
from pipeline.simulation.movers import Kind
from pipeline.simulation.pose import POSES, Pose
from pipeline.simulation.rendered import Rendered
from pipeline.simulation.training import training_frames

SHAPE = (224, 392)
NUM_PICTURES = 576
SEED = 100
UNSEEN_SEED = 70_000
PICTURES_PER_TEST_POSE = 12
ALL_KINDS: tuple[Kind, ...] = ("forklift", "person", "truck", "other")
"""The last is in no head."""


def unseen_pictures(pose: Pose, seed: int, count: int, kinds: Sequence[Kind] = ALL_KINDS) -> Iterator[Rendered]:
    """Layouts, lights and colours of another seed, one or two movers in each picture."""
    return training_frames(count, pose, seed, movers=(1, 2), kinds=kinds)


def relative_errors(
    engine: Engine, head: DepthLinear, pose: Pose, pictures: Iterable[Rendered]
) -> tuple[np.ndarray, np.ndarray]:
    """Signed relative errors of depth, float32 each: on pixels of movers, and on all other pixels."""
    movers: list[np.ndarray] = []
    rest: list[np.ndarray] = []
    for picture in pictures:
        pixels, placement = place(picture.rgb, SHAPE)
        camera, grid = FloorCamera(pose.view(), SHAPE, placement), grid_of(SHAPE, engine.backbone.arch.patch)
        taps = engine.run(pixels[None], head.about.blocks).taps
        depth = head.predict_map(taps, grid, SHAPE, camera.focal[1])[0]
        truth, is_mover = place_like(picture.depth, placement), place_like(picture.kind_map, placement) > 0
        error = (depth - truth) / truth
        movers.append(error[is_mover])
        rest.append(error[~is_mover])
    return np.concatenate(movers), np.concatenate(rest)


def measured(engine: Engine, head: DepthLinear) -> DepthLinear:
    """The head with its errors on unseen seeds at the named poses."""
    pairs = [
        relative_errors(engine, head, pose, unseen_pictures(pose, UNSEEN_SEED + number, PICTURES_PER_TEST_POSE))
        for number, pose in enumerate(POSES.values())
    ]
    movers, rest = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    figures = {
        "movers_median_abs_rel": float(np.nanmedian(np.abs(movers))),
        "movers_p90_abs_rel": float(np.nanpercentile(np.abs(movers), 90)),
        "movers_median_rel": float(np.nanmedian(movers)),
        "background_median_abs_rel": float(np.nanmedian(np.abs(rest))),
        "unseen_pictures": float(PICTURES_PER_TEST_POSE * len(POSES)),
    }
    about = replace(head.about, relative_error=figures["movers_median_abs_rel"], figures=figures)
    return replace(head, about=about)


def main(out: Path) -> None:
    """Fit, measure, write."""
    engine = Engine(load_backbone("dinov2_vits14", "standin"), "fp32")
    head = fit_over_poses(engine, SHAPE, NUM_PICTURES, SEED, lambda done: _say(f"{done} of {NUM_PICTURES}"))
    head = measured(engine, head)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(head.to_bytes())
    _say(f"wrote {out}: {head.about}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
