"""What travels towards the model: tickets, times and model-size pictures.

The axis alphabet, used everywhere: B batch, H W pixels, h w patches (14 or 16 pixels wide, by backbone), N = h * w
patches row-major, D embedding width, R registers, C classes. Sizes are always `(height, width)`. Boxes and polygons are
`(x, y)` in 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

CaptureClock = Literal["rtcp", "container", "kafka", "arrival"]
"""Which clock `capture_ns` was read from."""


def grid_of(size: tuple[int, int], patch: int) -> tuple[int, int]:
    """(h, w) whole patches in a picture of `size` (H, W); `patch` is the side of one in pixels, of the backbone."""
    return (size[0] // patch, size[1] // patch)


def nearest_shape(size: tuple[int, int], shapes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The one of `shapes` whose proportions are nearest to those of `size`; all (height, width)."""
    aspect = math.log(size[1] / size[0])
    return min(shapes, key=lambda shape: abs(math.log(shape[1] / shape[0]) - aspect))


@dataclass(frozen=True, slots=True, order=True)
class Ticket:
    """The name of one decoded frame. Equal on repetition, so consumers can remove duplicates.

    Live sources: `epoch` is the lease and `seq` counts decoded frames. Files: `epoch` is the loop and `seq` the frame
    index. Kafka images: `epoch` is the partition and `seq` the offset; bitstreams: `offset << 16 | frame in chunk`.
    """

    camera: str
    lease: int
    epoch: int
    seq: int

    @property
    def id(self) -> str:
        """`camera/epoch/seq`: the lease is not part of it, so that a repeated frame keeps its id."""
        return f"{self.camera}/{self.epoch}/{self.seq}"

    @property
    def position(self) -> tuple[int, int]:
        """`(epoch, seq)`, strictly rising per camera once repeated ids are removed (per epoch for Kafka)."""
        return (self.epoch, self.seq)


@dataclass(frozen=True, slots=True)
class Times:
    """When a frame was seen. Integers, nanoseconds since the Unix epoch, except `pts_ns`."""

    rule_time_ns: int
    """The only time that rules look at; fixed by the source and recorded, so that replay is exact."""
    ingest_ns: int
    """When the owner's process had the decoded frame in hand (wall clock)."""
    capture_ns: int
    """When the camera took it, as far as known."""
    capture_clock: CaptureClock
    capture_uncertainty_ns: int
    pts_ns: int | None = None
    """Presentation time in the stream, from its own zero."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the model-size picture came from: source pixel = model pixel * scale + offset, per axis."""

    source_size: tuple[int, int]
    model_size: tuple[int, int]
    scale: tuple[float, float]
    """(y, x) source pixels per model pixel."""
    offset: tuple[float, float] = (0.0, 0.0)
    """(y, x) source pixels."""


def fit(size: tuple[int, int], shape: tuple[int, int]) -> Placement:
    """Where a picture of `size` is cut so that its centre fills `shape`; both (height, width).

    The cut is in whole source pixels at even offsets, so that a reader can apply it to subsampled colour planes.
    """
    scale = min(size[0] / shape[0], size[1] / shape[1])
    cut = (min(round(shape[0] * scale), size[0]), min(round(shape[1] * scale), size[1]))
    top, left = (size[0] - cut[0]) // 2 // 2 * 2, (size[1] - cut[1]) // 2 // 2 * 2
    return Placement(size, shape, (cut[0] / shape[0], cut[1] / shape[1]), (float(top), float(left)))


@dataclass(frozen=True, slots=True, repr=False)
class Item:
    """One frame to analyse. Analysis is a pure function of it and of the artefacts it names."""

    ticket: Ticket
    times: Times
    placement: Placement
    pixels: np.ndarray
    """uint8 (H, W, 3) RGB, privacy polygons already black; H and W are multiples of the backbone's patch."""
    artefacts: tuple[str, ...] = ()
    """Versions to apply, such as `view/dock-03@12` or `head/vehicles@7`."""
    wants_preview: bool = False
    wants_thumbnail: bool = False
    """A preview too, if the frame shows something: a subject before the learnt view, or no view is learnt."""
    wants_view_sample: bool = False
    wants_picture: bool = False
    """The picture itself with the result, fine enough to be embedded again: for whoever collects what passes by."""
    wants_patches: bool = False
    """Patch tokens for whoever draws them; much larger than everything else, so never asked for by a running camera."""

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] != 3 or self.pixels.dtype != np.uint8:
            msg = f"pixels must be uint8 (H, W, 3), got {self.pixels.dtype} {shape} ({self.ticket.id})"
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"Item({self.ticket.id}, pixels={self.pixels.shape}, artefacts={self.artefacts})"
