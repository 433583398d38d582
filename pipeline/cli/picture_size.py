"""How large a camera's pictures are, and so which of `model.shapes` it gets."""

from __future__ import annotations

import threading

from operators.backbone.preprocess import fit
from operators.frames import nearest_shape
from operators.geometry import FloorCamera
from pipeline.config.loader import Config
from pipeline.errors import SourceError
from pipeline.sources.base import Decoded
from pipeline.sources.config import SourceConfig
from pipeline.sources.simulated import SIZE
from pipeline.sources.video_file import FileFeed


def size_without_connecting(camera: str, source: SourceConfig) -> tuple[int, int] | None:
    """(height, width) of a simulated camera or of a file that is there; None: only its first picture tells."""
    if source.simulated is not None:
        return SIZE
    if source.file is None:
        return None
    feed = FileFeed(camera, source.model_copy(update={"pace": "as_fast_as_possible", "loop": False}))
    try:
        feed.open({})
        return next(
            (event.picture.size for event in feed.events(threading.Event()) if isinstance(event, Decoded)), None
        )
    except SourceError:
        return None  # what is wrong with the file is told by `not_there`, `--probe` and `run`
    finally:
        feed.close()


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
