"""Whole pictures through a depth head exactly as its authors do it: their sizes, padding and resizing, no camera."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from operators.backbone.architectures import DINOV2_PATCH
from operators.backbone.preprocess import MEAN, STD, centre_pad, normalise
from operators.backbone.vit import VisionTransformer
from operators.heads.base import DepthModel

SHORT_SIDE = 518
"""Of pictures for Depth Anything. Source: DepthAnything/Depth-Anything-V2 `infer_image` @a561b84."""


def official_depth(
    backbone: VisionTransformer, head: DepthModel, picture: np.ndarray, *, is_mirrored_too: bool = False
) -> np.ndarray:
    """Depth of every pixel of a picture, by the recipe of the head's authors. Blocks; memory grows with the picture.

    Meta's heads see the picture at its own size, padded with zeros to whole patches, and their map, of the padded
    picture, is squeezed to the picture's size: nothing is cut off again, as upstream does it. Depth Anything's see it
    scaled to a shorter side of 518 px.

    Args:
        backbone: whose weights the head is for.
        head: any; one of ours is treated as Meta's.
        picture: uint8 (H, W, 3) RGB.
        is_mirrored_too: Whether the mirrored picture is seen too and both maps are averaged, as Meta's evaluation does
            (its `hub` models do not, nor does Depth Anything's `infer_image`). Source: `flip` in the test pipeline of
            Meta's `dinov2_vitb14_nyu_dpt_config.py` and its like.

    Returns:
        float32 (H, W): metres at the reference focal length with nothing left out, or inverse depth.

    Raises:
        HeadMismatchError: the head is for other weights.
        ValueError: it is no such picture.
    """
    head.about.check_backbone(backbone.fingerprint, backbone.info.published_as)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(f"picture: expected uint8 (H, W, 3) RGB, got {picture.dtype} {picture.shape}")
    seen = _seen(backbone, head, picture)
    if not is_mirrored_too:
        return seen
    mirrored = _seen(backbone, head, np.ascontiguousarray(picture[:, ::-1]))
    return (seen + mirrored[:, ::-1]) / 2


def is_for_depth_anything(head: DepthModel) -> bool:
    """Whether the head's authors scale pictures, as Depth Anything's do."""
    return head.about.trained_size == (SHORT_SIDE, SHORT_SIDE)


def _seen(backbone: VisionTransformer, head: DepthModel, picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    patch = backbone.arch.patch
    with torch.inference_mode():
        if is_for_depth_anything(head):
            pixels = torch.from_numpy(depth_anything_pixels(picture))[None]
        else:
            pixels = centre_pad(normalise(torch.from_numpy(np.ascontiguousarray(picture))[None]), patch)
        grid = (pixels.shape[2] // patch, pixels.shape[3] // patch)
        _, raw = backbone.taps(pixels.to(backbone.device), head.about.blocks, stop_after=max(head.about.blocks))
        read = {block: backbone.normed(each) if head.about.is_normed else each for block, each in raw.items()}
        taps = {block: (_host(each.cls), _host(each.patches)) for block, each in read.items()}
    return head.raw_map(taps, grid, (height, width))[0]


def depth_anything_size(size: tuple[int, int], short_side: int = SHORT_SIDE) -> tuple[int, int]:
    """(height, width) of the picture that Depth Anything sees: proportions kept, both sides at least `short_side`.

    Source: DepthAnything/Depth-Anything-V2 `depth_anything_v2/util/transform.py` @a561b84: `lower_bound`, each side
    rounded half to even to whole patches, up where that is below the bound.
    """
    scale = max(short_side / size[0], short_side / size[1])
    height, width = (_whole_patches(scale * side, short_side) for side in size)
    return height, width


def depth_anything_pixels(picture: np.ndarray, short_side: int = SHORT_SIDE) -> np.ndarray:
    """float32 (3, h, w) normalised: cubic in float64 without antialias, as cv2 does it.

    Source: DepthAnything/Depth-Anything-V2 `image2tensor` @a561b84.

    Args:
        picture: uint8 (H, W, 3) RGB.
        short_side: least length of both sides.
    """
    height, width = depth_anything_size((picture.shape[0], picture.shape[1]), short_side)
    resized = cv2.resize(picture / 255.0, (width, height), interpolation=cv2.INTER_CUBIC)
    normalised = (resized - np.array(MEAN)) / np.array(STD)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)).astype(np.float32)


def _whole_patches(side: float, least: int) -> int:
    rounded = int(np.round(side / DINOV2_PATCH)) * DINOV2_PATCH
    return rounded if rounded >= least else int(np.ceil(side / DINOV2_PATCH)) * DINOV2_PATCH


def _host(tensor: torch.Tensor) -> np.ndarray:
    return tensor.to("cpu", torch.float32).contiguous().numpy()
