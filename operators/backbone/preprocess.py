"""Pictures to model-size uint8 RGB, and those to normalised tensors.

A picture keeps its proportions (`frames.fit`): it is scaled until it covers the model's shape, and the few pixels that
stick out are cut off evenly. With the nearest of the usual shapes that is at most a few percent of one side; squashing
would cost more (cosine 0.82 to the true picture).
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from operators.backbone.pil_resize import resize_as_pil
from operators.frames import Placement, fit

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Per channel, RGB, of values in 0..1. Source: ImageNet, as in facebookresearch/dinov2 `dinov2/data/transforms.py`."""


def normalise(pixels: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """uint8 (B, H, W, 3) RGB in 0..255 to (B, 3, H, W): (x / 255 - mean) / std, in float32, then `dtype`."""
    x = pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255.0)
    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1)
    return x.sub_(mean).div_(std).to(dtype)


def place(pixels: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, Placement]:
    """Cuts and resizes a picture. uint8 (H, W, 3) RGB in and out; use for files (live readers convert in one pass)."""
    placement = fit((pixels.shape[0], pixels.shape[1]), shape)
    top, left = (int(each) for each in placement.offset)
    height, width = (round(side * scale) for side, scale in zip(shape, placement.scale, strict=True))
    return resize_rgb(pixels[top : top + height, left : left + width], shape), placement


def resize_rgb(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W, 3) to uint8 (height, width, 3): antialiased bicubic with a = -0.5, as PIL does it."""
    if pixels.shape[:2] == size:
        return np.ascontiguousarray(pixels)
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]  # (1, 3, H, W)
    x = F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)
    return np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())


def classification_pixels(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) RGB of any size to uint8 (224, 224, 3): shorter side to 256 as PIL does it, centre 224 x 224.

    Source: facebookresearch/dinov2 `make_classification_eval_transform` @b8931f7, whose resize and crop are
    torchvision's on a PIL picture. Slower than `resize_rgb`: for pictures from files.
    """
    height, width = pixels.shape[:2]
    short = min(height, width)
    size = (256, int(256 * width / height)) if short == height else (int(256 * height / width), 256)
    resized = resize_as_pil(pixels, size)
    top, left = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
    return np.ascontiguousarray(resized[top : top + 224, left : left + 224])


def centre_pad(x: torch.Tensor, patch: int) -> torch.Tensor:
    """Normalised (B, 3, H, W) with zeros around it until both sides are multiples of `patch`; an odd pixel at the end.

    Source: facebookresearch/dinov2 `dinov2/hub/utils.py` `CenterPadding` @b8931f7; its depth and segmentation heads
    read such pictures, and their maps are then squeezed to the size without the padding.
    """
    rows, columns = (-side % patch for side in x.shape[2:])
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
