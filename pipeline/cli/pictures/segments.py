"""Segments over the picture, with a legend of classes and their shares."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.cli.pictures.lettering import GREY, LINE, paper, text_width, titled, write
from pipeline.cli.pictures.panels import beside

_OPACITY = 0.55
_GOLDEN = 0.618033988749895
"""Hues a golden section apart stay apart, however many there are."""
_SWATCH = 18
_MAX_LEGEND_WIDTH = 320


def class_colour(index: int) -> tuple[int, int, int]:
    """RGB of a class: the same in every picture, neighbours in the list far apart."""
    hue = round(180 * (index * _GOLDEN % 1.0)) % 180
    saturation, value = ((230, 240), (140, 250), (240, 165))[index % 3]
    rgb = cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    return (int(rgb[0]), int(rgb[1]), int(rgb[2]))


def draw_segments(
    rgb: np.ndarray, indices: np.ndarray, classes: Sequence[str], shares: Sequence[tuple[str, float]], title: str
) -> np.ndarray:
    """The picture, its segments over it, and the legend.

    Args:
        rgb: uint8 (H, W, 3) what the model saw, at panel size.
        indices: uint8 (h, w) of any size, counting in `classes`: a patch grid or a map per pixel.
        classes: Names.
        shares: (class, share of the picture) as the legend lists them, largest first.
        title: Above.
    """
    return titled(beside([rgb, tinted(rgb, indices, len(classes)), draw_legend(classes, shares, rgb.shape[0])]), title)


def tinted(rgb: np.ndarray, indices: np.ndarray, num_classes: int) -> np.ndarray:
    """The picture with its segments over it, parted by white lines; arguments as for `draw_segments`."""
    size = (rgb.shape[1], rgb.shape[0])
    full = np.asarray(cv2.resize(indices.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)
    palette = np.array([class_colour(index) for index in range(num_classes)], np.uint8)
    over = cv2.addWeighted(rgb, 1 - _OPACITY, palette[full], _OPACITY, 0)
    over[_edges(full)] = (255, 255, 255)
    return over


def draw_legend(classes: Sequence[str], shares: Sequence[tuple[str, float]], height: int) -> np.ndarray:
    """As many classes as there is room for, and how many more there are; as wide as the longest name needs."""
    room = max(1, (height - 8) // LINE)
    listed = list(shares) if len(shares) <= room else list(shares)[: room - 1]
    rest = list(shares)[len(listed) :]
    texts = [f"{name}  {percent(share)}" for name, share in listed]
    if rest:
        texts.append(f"{len(rest)} more  {percent(sum(share for _, share in rest))}")
    width = min(_MAX_LEGEND_WIDTH, max((text_width(text) for text in texts), default=0) + _SWATCH + 26)
    field = paper(height, width)
    for row, text in enumerate(texts):
        top = 4 + row * LINE
        if row < len(listed):
            field[top + 3 : top + 3 + _SWATCH, 6 : 6 + _SWATCH] = class_colour(list(classes).index(listed[row][0]))
            write(field, text, _SWATCH + 14, top)
        else:
            write(field, text, _SWATCH + 14, top, GREY)
    return field


def percent(share: float) -> str:
    """`12 %`, `0.4 %`."""
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 else f"{share:.1%}".replace("%", " %")


def _edges(indices: np.ndarray) -> np.ndarray:
    """Bool (H, W): where the class changes to the right or below."""
    edges = np.zeros(indices.shape, bool)
    edges[:, :-1] |= indices[:, :-1] != indices[:, 1:]
    edges[:-1] |= indices[:-1] != indices[1:]
    return edges
