"""Which of `model.shapes` a camera gets by the size of its pictures, and the floor as it shows there."""

from __future__ import annotations

from operators.frames import fit, nearest_shape
from operators.geometry import FloorCamera
from pipeline.config.loader import Config


def floor_of(config: Config, camera: str, size: tuple[int, int] | None) -> FloorCamera | None:
    """The floor as the model's picture shows it; None without `view`.

    Args:
        config: whose camera it is.
        camera: its id.
        size: (height, width) of its pictures; None: not known, taken to have the proportions of the first shape.
    """
    view, shapes = config.cameras[camera].view, config.model.shapes
    if view is None:
        return None
    if size is None:
        return FloorCamera(view, shapes[0])
    shape = nearest_shape(size, shapes)
    return FloorCamera(view, shape, fit(size, shape))


def shape_shown(config: Config, size: tuple[int, int] | None) -> str:
    """Such as `224x294`, or that it is not known yet."""
    shapes = config.model.shapes
    known = shapes if size is None else (nearest_shape(size, shapes),)
    return f"{known[0][0]}x{known[0][1]}" if len(known) == 1 else "shape by first picture"
