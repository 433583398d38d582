"""Reads depth pictures and masks beside pictures, and refuses what does not fit them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from operators.heads.fit_floor import FloorMark
from operators.heads.fit_segment import UNKNOWN, decode_mask
from pipeline.cli.app import UserError
from pipeline.cli.fitting.folders import UNNAMED, MaskClass
from pipeline.cli.inputs import MASK_SUFFIX, read_rgb


def read_depth(path: Path, size: tuple[int, int]) -> np.ndarray:
    """float32 (H, W) metres, 0 where unknown, from a 16-bit PNG of millimetres.

    Args:
        path: Of the PNG.
        size: (H, W) of its picture.

    Raises:
        UserError: it is something else, of another size, or knows no depth at all.
    """
    raw = _read(path, cv2.IMREAD_UNCHANGED)
    if raw is None or raw.dtype != np.uint16 or raw.ndim != 2:
        got = "no picture" if raw is None else f"{raw.dtype} {raw.shape}"
        raise UserError(f"{path}: expected a 16-bit grey PNG of millimetres, 0 where unknown, got {got}")
    _check_size(path, raw, size)
    if not raw.any():
        raise UserError(f"{path}: expected millimetres, got 0 everywhere: no depth is known. Leave the picture out")
    return raw.astype(np.float32) / 1000


def read_mask(path: Path, size: tuple[int, int], classes: tuple[MaskClass, ...], names: Path) -> np.ndarray:
    """uint8 (H, W), counting in the classes that have a name; `UNKNOWN` where a pixel is of none.

    Args:
        path: Of the PNG: indices (255: of no class), or colours.
        size: (H, W) of its picture.
        classes: In the order of the names file.
        names: That file, for messages.

    Raises:
        UserError: it is something else, of another size, or holds what the names file does not.
    """
    try:
        raw = decode_mask(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}", 3) from None
    _check_size(path, raw, size)
    if raw.ndim == 3 and any(each.colour for each in classes):
        lines = _lines_of_colours(path, raw, classes, names)
    else:
        lines = _lines_of_indices(path, raw, classes, names)
    named = [line for line, each in enumerate(classes) if each.name != UNNAMED]
    table = np.full(256, UNKNOWN, np.uint8)
    table[named] = np.arange(len(named), dtype=np.uint8)
    return table[lines]


def read_thing(path: Path, rgb: np.ndarray) -> np.ndarray:
    """Bool (H, W) of NAME.mask.png beside a picture: white where the thing is.

    Raises:
        UserError: it is missing, cannot be read or is of another size.
    """
    file = path.with_name(path.stem + MASK_SUFFIX)
    mask = read_rgb(file)
    _check_size(file, mask, (rgb.shape[0], rgb.shape[1]))
    return mask.max(axis=2) > 127


def parse_mark(text: str) -> FloorMark:
    """`0.31,0.82=-1.5,4.0`: x and y of the picture in 0..1, then metres to the right and ahead.

    Raises:
        UserError: something else.
    """
    try:
        (x, y), (right, ahead) = ((float(each) for each in side.split(",")) for side in text.split("="))
    except ValueError:
        raise UserError(
            f"--floor: expected X,Y=RIGHT,AHEAD such as 0.31,0.82=-1.5,4.0 (picture in 0..1 = metres), got {text!r}"
        ) from None
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise UserError(f"--floor: expected a place of the picture in 0..1, got {x:g},{y:g}")
    return FloorMark(x, y, right, ahead)


def parse_area(text: str | None) -> tuple[tuple[float, float], ...]:
    """`0.1,0.9 0.9,0.9 0.7,0.4 0.3,0.4`: corners of a polygon in 0..1; None: no corner.

    Raises:
        UserError: something else.
    """
    if text is None:
        return ()
    try:
        corners = tuple((float(x), float(y)) for x, y in (corner.split(",") for corner in text.split()))
    except ValueError:
        corners = ()
    if len(corners) < 3 or any(not 0 <= side <= 1 for corner in corners for side in corner):
        raise UserError(f"--floor-area: expected at least three corners such as 0.1,0.9 in 0..1, got {text!r}")
    return corners


def _read(path: Path, flags: int) -> np.ndarray | None:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", 3) from None
    return cv2.imdecode(data, flags) if data.size else None


def _check_size(path: Path, values: np.ndarray, size: tuple[int, int]) -> None:
    if values.shape[:2] != size:
        raise UserError(f"{path}: expected the size of its picture, {_said(size)}, got {_said(values.shape[:2])}")


def _said(size: tuple[int, ...]) -> str:
    return f"{size[0]}x{size[1]} (height x width)"


def _lines_of_colours(path: Path, rgb: np.ndarray, classes: tuple[MaskClass, ...], names: Path) -> np.ndarray:
    codes = rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
    lines = np.full(codes.shape, -1, np.int16)
    for line, each in enumerate(classes):
        if each.colour is not None:
            red, green, blue = each.colour
            lines[codes == (red << 16 | green << 8 | blue)] = line
    if (lines < 0).any():
        odd = int(codes[lines < 0][0])
        raise UserError(
            f"{path} holds colour #{odd:06x} ({(lines < 0).mean():.1%} of it is of no colour that {names} lists). Add "
            f"it there, as `{UNNAMED} #{odd:06x}` if it is of no class; a mask must not be a JPEG or smoothed"
        )
    return lines


def _lines_of_indices(path: Path, raw: np.ndarray, classes: tuple[MaskClass, ...], names: Path) -> np.ndarray:
    if raw.ndim == 3 and (raw != raw[..., :1]).any():
        raise UserError(f"{path} is of colours, and {names} lists none: write them as `road #804080`")
    indices = raw if raw.ndim == 2 else raw[..., 0]
    odd = np.unique(indices[(indices >= len(classes)) & (indices != UNKNOWN)])
    if odd.size:
        raise UserError(
            f"{path} holds index {int(odd[0])}: expected 0..{len(classes) - 1} as listed in {names}, or {UNKNOWN} for "
            "pixels of no class. Add the class there, or mend the mask"
        )
    return indices
