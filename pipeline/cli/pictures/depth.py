"""Depth as files: 16-bit millimetres for programs, a colour map with its scale for people.

The colours are *inferno*: its lightness rises evenly from end to end, so equal steps look equal, no edge appears where
there is none, and grey prints and most colour-blind readers keep the order. (Turbo tells more shades apart, but its
hues jump at yellow and cyan.) Near is bright. Steps are logarithmic, since depth errors are a share of the distance
and what is near matters most.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from pathlib import Path

import cv2
import numpy as np

from pipeline.cli.pictures.hatching import hatch
from pipeline.cli.pictures.lettering import GREY, LINE, WHITE, paper, titled, write
from pipeline.cli.pictures.panels import beside

_ROUND = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Ends of scales, times powers of ten: coarse enough that the frames of a scene mostly share one."""
_TICKS = (1.0, 2.0, 3.0, 5.0, 7.0)
_SCALE_WIDTH, _BAR_WIDTH = 104, 26
_MARGIN = 12


def write_depth(out: Path, name: str, metres: np.ndarray, size: tuple[int, int]) -> str:
    """Writes depth/NAME.png under `out`, 16 bit, millimetres, 0 where unknown; returns its path from there.

    Args:
        out: Folder of the results.
        name: Of the picture.
        metres: float (h, w), NaN where invalid.
        size: (H, W) of the written picture.
    """
    folder = out / "depth"
    folder.mkdir(parents=True, exist_ok=True)
    full = upsampled(metres.astype(np.float32), size)
    millimetres = np.nan_to_num(np.clip(full * 1000, 0, 65535), nan=0.0).round().astype(np.uint16)
    cv2.imwrite(str(folder / f"{name}.png"), millimetres)
    return depth_file_of(name)


def depth_file_of(name: str) -> str:
    """Where the depth of a picture lies, below the folder of the results."""
    return f"depth/{name}.png"


def upsampled(metres: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 (h, w) to (H, W): bilinear in the logarithm, as the head itself does; NaN where the patch is NaN."""
    valid = np.isfinite(metres)
    logs = np.log(np.where(valid, metres, np.median(metres[valid]) if valid.any() else 1.0))
    shape = (size[1], size[0])
    full = np.exp(cv2.resize(logs, shape, interpolation=cv2.INTER_LINEAR))
    known = cv2.resize(valid.astype(np.uint8), shape, interpolation=cv2.INTER_NEAREST)
    return np.where(known > 0, full, np.nan)


def draw_depth(
    rgb: np.ndarray, metres: np.ndarray, *, what: str = "depth", unit: str = "m", note: str = ""
) -> np.ndarray:
    """The picture, its depth, and the scale that reads it.

    Args:
        rgb: uint8 (H, W, 3) what the model saw, at panel size.
        metres: float of any size, NaN where invalid.
        what: Begins the title.
        unit: Behind the numbers of the scale; empty for values that are no metres.
        note: Behind the title, such as why the numbers are no metres of this camera.
    """
    full = upsampled(metres.astype(np.float32), (rgb.shape[0], rgb.shape[1]))
    ends = scale_ends(full)
    if ends is None:
        return titled(beside([rgb, hatch(*rgb.shape[:2])]), f"{what}: nothing valid")
    drawn = beside([rgb, coloured(full, ends), draw_scale(ends, rgb.shape[0], unit)])
    return titled(drawn, f"{what}, logarithmic scale{note}")


def draw_inverse(rgb: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The picture and its inverse depth, which has no unit: bright is near, dark is far, and no scale can be read.

    Args:
        rgb: uint8 (H, W, 3) what the model saw, at panel size.
        values: float of any size, larger is nearer, NaN where invalid.
    """
    title = "inverse depth: bright is near; no unit, scale and shift are not known"
    return titled(beside([rgb, inverse_map(rgb, values)]), title)


def inverse_map(rgb: np.ndarray, values: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) of `draw_inverse` alone: linear from the 2nd to the 98th percentile."""
    valid = np.isfinite(values)
    if not valid.any():
        return hatch(*rgb.shape[:2])
    low, high = np.percentile(values[valid].astype(np.float32), (2, 98))
    share = np.where(valid, (values.astype(np.float32) - low) / max(high - low, 1e-6), 0.0)
    size = (rgb.shape[1], rgb.shape[0])
    known = cv2.resize(valid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    full = _inferno(cv2.resize(share.astype(np.float32), size, interpolation=cv2.INTER_LINEAR))
    return np.where(known[..., None] > 0, full, hatch(*rgb.shape[:2]))


def scale_ends(metres: np.ndarray) -> tuple[float, float] | None:
    """(nearest, farthest) of the scale: the 2nd and 98th percentile, moved outwards to round numbers; None: no depth.

    Args:
        metres: float of any shape, NaN where invalid.
    """
    valid = metres[np.isfinite(metres) & (metres > 0)]
    if not valid.size:
        return None
    low, high = (float(each) for each in np.percentile(valid, (2, 98)))
    marks = [base * 10.0**power for power in range(-3, 5) for base in _ROUND]
    near = marks[max(0, bisect_right(marks, low * 1.001) - 1)]
    far = marks[min(len(marks) - 1, bisect_left(marks, high * 0.999))]
    return (near, far) if far > near else (near, near * 1.5)


def coloured(metres: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """uint8 (H, W, 3) RGB: bright is near; beyond the scale its end colours; striped where NaN."""
    valid = np.isfinite(metres) & (metres > 0)
    logs = np.log(np.where(valid, metres, ends[0]))
    share = (logs - np.log(ends[0])) / np.log(ends[1] / ends[0])
    return np.where(valid[..., None], _inferno(1.0 - share), hatch(*metres.shape))


def draw_scale(ends: tuple[float, float], height: int, unit: str) -> np.ndarray:
    """Near at the bottom, as in most scenes; below it how unknown looks."""
    field = paper(height, _SCALE_WIDTH)
    top, bottom = _MARGIN, height - _MARGIN - LINE - 8
    rows = np.linspace(0.0, 1.0, max(2, bottom - top))
    field[top : top + len(rows), 6 : 6 + _BAR_WIDTH] = _inferno(rows)[:, None]
    for value in ticks(ends):
        share = np.log(value / ends[0]) / np.log(ends[1] / ends[0])
        row = round(bottom - 1 - share * (len(rows) - 1))
        cv2.line(field, (6 + _BAR_WIDTH, row), (6 + _BAR_WIDTH + 5, row), WHITE, 1)
        write(field, f"{value:g} {unit}".rstrip(), 6 + _BAR_WIDTH + 10, row - 12)
    swatch = height - _MARGIN - 18
    field[swatch : swatch + 16, 6 : 6 + _BAR_WIDTH] = hatch(16, _BAR_WIDTH)
    write(field, "invalid", 6 + _BAR_WIDTH + 10, swatch - 4, GREY)
    return field


def ticks(ends: tuple[float, float]) -> list[float]:
    """Both ends and round numbers between them, none close to an end or to each other."""
    span = np.log(ends[1] / ends[0])
    found = [ends[0]]
    for value in (base * 10.0**power for power in range(-3, 5) for base in _TICKS):
        is_clear = np.log(value / found[-1]) >= 0.09 * span and np.log(ends[1] / value) >= 0.09 * span
        if ends[0] < value < ends[1] and is_clear:
            found.append(value)
    return [*found, ends[1]]


def _inferno(share: np.ndarray) -> np.ndarray:
    """uint8 (..., 3) RGB of shares in 0..1."""
    levels = (np.clip(share, 0, 1) * 255).round().astype(np.uint8)
    bgr = cv2.applyColorMap(levels.reshape(-1, 1), cv2.COLORMAP_INFERNO)
    return bgr[:, 0, ::-1].reshape(*levels.shape, 3)
