"""Depth as files: 16-bit millimetres for programs, colour for people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_depth(out: Path, name: str, metres: np.ndarray, size: tuple[int, int]) -> str:
    """Writes depth/NAME.png and depth/NAME_colour.png under `out`; returns the first one's path from there.

    Args:
        out: Folder of the results.
        name: Of the picture.
        metres: float (h, w), NaN where invalid.
        size: (H, W) of the written pictures.
    """
    folder = out / "depth"
    folder.mkdir(parents=True, exist_ok=True)
    full = upsampled(metres.astype(np.float32), size)
    millimetres = np.nan_to_num(np.clip(full * 1000, 0, 65535), nan=0.0).round().astype(np.uint16)
    cv2.imwrite(str(folder / f"{name}.png"), millimetres)
    cv2.imwrite(str(folder / f"{name}_colour.png"), coloured(full))
    return f"depth/{name}.png"


def upsampled(metres: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 (h, w) to (H, W): bilinear in the logarithm, as the head itself does; NaN where the patch is NaN."""
    valid = np.isfinite(metres)
    logs = np.log(np.where(valid, metres, np.median(metres[valid]) if valid.any() else 1.0))
    shape = (size[1], size[0])
    full = np.exp(cv2.resize(logs, shape, interpolation=cv2.INTER_LINEAR))
    known = cv2.resize(valid.astype(np.uint8), shape, interpolation=cv2.INTER_NEAREST)
    return np.where(known > 0, full, np.nan)


def coloured(metres: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) BGR: near is warm, far cold, unknown black; spans the picture's 2nd to 98th percentile."""
    valid = np.isfinite(metres)
    if not valid.any():
        return np.zeros((*metres.shape, 3), np.uint8)
    logs = np.log(np.where(valid, metres, 1.0))
    low, high = np.percentile(logs[valid], (2, 98))
    near = 1.0 - np.clip((logs - low) / max(high - low, 1e-6), 0, 1)
    picture = cv2.applyColorMap((near * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    picture[~valid] = 0
    return picture
