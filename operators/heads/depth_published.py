"""What published depth heads were trained on: ranges, pictures, focal lengths, blocks, licences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from operators.backbone.architectures import Architecture
from operators.backbone.errors import WeightsError
from operators.backbone.official_depth_anything import DEPTH_ANYTHING
from operators.heads.depth_about import DepthAbout, DepthForm

FOUR_BLOCKS = {12: (2, 5, 8, 11), 24: (4, 11, 17, 23), 40: (9, 19, 29, 39)}
"""By depth of the backbone. Source: facebookresearch/dinov2 `dinov2/hub/depthers.py` @b8931f7; Depth Anything V2 reads
the same. Any other depth: evenly spread, the last one included."""


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Pictures that a metric head saw."""

    title: str
    largest_metres: float
    size: tuple[int, int]
    """(height, width)."""
    focal_px: float
    """Of pictures of that size."""


NYU = TrainedOn("NYU Depth v2", 10.0, (480, 640), 518.86)
"""Source: range and size, Meta's training configuration; focal length, the data set's `camera_params.m` (fx_rgb)."""
KITTI = TrainedOn("KITTI", 80.0, (352, 1216), 721.54)
"""Source: the same, KITTI benchmark crop; focal length, the calibration of the drives of 2011-09-26."""
HYPERSIM = TrainedOn("Hypersim", 20.0, (518, 518), 886.81 * 518 / 768)
"""Source: DepthAnything/Depth-Anything-V2 `metric_depth/dataset/hypersim.py` @a561b84: 768 rows scaled to 518, then a
square is cut."""
VKITTI = TrainedOn("Virtual KITTI 2", 80.0, (518, 518), 725.0087 * 518 / 375)
"""Source: `metric_depth/dataset/vkitti2.py`, the same; focal length, the data set's page."""

_DATA_SETS = {
    "nyu": NYU,
    "kitti": KITTI,
    "hypersim": HYPERSIM,
    "indoor": HYPERSIM,
    "vkitti": VKITTI,
    "outdoor": VKITTI,
}
LEAST_METRES = 0.001
"""Of Meta's heads. Source: `dinov2/hub/depthers.py`."""
UNKNOWN_RANGE = (LEAST_METRES, 80.0)


def data_set(name: str) -> TrainedOn | None:
    """The one that a file's or a head's name tells of."""
    lower = name.lower()
    found = [key for key in _DATA_SETS if key in lower]
    return _DATA_SETS[max(found, key=len)] if found else None


def meta_about(form: Literal["bins", "relu_clamped"], arch: Architecture, num_blocks: int, name: str) -> DepthAbout:
    """Of one of Meta's heads.

    Args:
        form: `bins` for linear heads, `relu_clamped` for DPT.
        arch: that it is for.
        num_blocks: 1 or 4.
        name: of the head or its file, such as `nyu_linear4` or `dinov2_vits14_kitti_dpt_head.pth`.

    Raises:
        WeightsError: the name does not tell NYU from KITTI, which the numbers depend on.
    """
    trained = data_set(name)
    if trained is None:
        raise WeightsError(
            f"{name}: cannot tell which range this depth head has: expected nyu or kitti in the name, got neither. "
            "Rename the file as it was published, such as dinov2_vits14_nyu_dpt_head.pth."
        )
    return _metric(form, arch, blocks_of(arch.depth, num_blocks), trained)


def huggingface_dpt_about(arch: Architecture, blocks: tuple[int, ...], name: str) -> DepthAbout:
    """Of a `DPTForDepthEstimation` folder: Meta's head without `+ 0.001` and without clamping.

    Where the name tells neither NYU nor KITTI, the range and the focal length are not known: `off_recipe` says so, and
    its numbers are metres of no camera (`DepthAbout.tells_metres`).
    """
    trained = data_set(name)
    if trained is not None:
        return _metric("relu", arch, blocks, trained)
    return DepthAbout(
        form="relu",
        blocks=blocks,
        reference_focal_px=0.0,
        range_metres=UNKNOWN_RANGE,
        fingerprint="",
        recipe="DPT by transformers, trained on a data set that its name does not tell",
        backbone=arch.sizes_of or arch.name,
        trained_size=NYU.size,
    )


def depth_anything_about(
    arch: Architecture, fingerprint: str, largest_metres: float | None, *, blocks: tuple[int, ...] = (), name: str = ""
) -> DepthAbout:
    """Of a Depth Anything V2 head; its encoder lies in the same file.

    Args:
        arch: of the encoder.
        fingerprint: of the encoder.
        largest_metres: 20 indoor, 80 outdoor; None: relative, the head gives inverse depth.
        blocks: that it reads; empty: as published.
        name: of the file or the model, for the data set.
    """
    blocks = blocks or blocks_of(arch.depth, 4)
    row = DEPTH_ANYTHING.get(arch.name)
    licence = row.licence if row else "apache-2.0" if arch.dim == 384 else "cc-by-nc-4.0"
    if largest_metres is None:
        return DepthAbout(
            form="relu",
            blocks=blocks,
            reference_focal_px=0.0,
            range_metres=(0.0, 0.0),
            fingerprint=fingerprint,
            recipe="Depth Anything V2, relative: inverse depth, at a shorter side of 518 px",
            licence=licence,
            output="inverse",
            is_normed=True,
            trained_size=(518, 518),
        )
    trained = data_set(name) or (HYPERSIM if largest_metres <= HYPERSIM.largest_metres else VKITTI)
    return DepthAbout(
        form="sigmoid",
        blocks=blocks,
        reference_focal_px=trained.focal_px,
        range_metres=(LEAST_METRES, largest_metres),
        fingerprint=fingerprint,
        recipe=f"Depth Anything V2, metres up to {largest_metres:g}, trained on {trained.title} at 518 px",
        licence=licence,
        is_normed=True,
        trained_size=(518, 518),
    )


def blocks_of(depth: int, num_blocks: int) -> tuple[int, ...]:
    """Which blocks a published head of `num_blocks` (1 or 4) reads."""
    if num_blocks == 1:
        return (depth - 1,)
    return FOUR_BLOCKS.get(depth) or tuple((index + 1) * depth // 4 - 1 for index in range(4))


def _metric(form: DepthForm, arch: Architecture, blocks: tuple[int, ...], trained: TrainedOn) -> DepthAbout:
    height, width = trained.size
    return DepthAbout(
        form=form,
        blocks=blocks,
        reference_focal_px=trained.focal_px,
        range_metres=(LEAST_METRES, trained.largest_metres),
        fingerprint="",
        recipe=f"trained on {trained.title}, {height} x {width} px, metres up to {trained.largest_metres:g}",
        backbone=arch.name,
        trained_size=trained.size,
    )
