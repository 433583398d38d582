"""How large a camera's pictures are, as far as that can be told without connecting to anything."""

from __future__ import annotations

import threading

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
