"""A webcam on this machine, for `try` alone: the configuration knows cameras that have an address."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import av.error

from pipeline.errors import ConnectError, SourceError, StreamStalled
from pipeline.sources.base import Event, Quiet, SourceInfo
from pipeline.sources.video import VideoInput
from pipeline.sources.video_address import Address
from pipeline.sources.video_errors import Attempt, stalled, translate
from pipeline.sources.video_live import LiveDecoder
from pipeline.sources.video_picture import Converter
from pipeline.sources.video_pump import Pump

_OPEN_SECONDS, _STALL_SECONDS = 10.0, 5.0
_QUIET_SECONDS = 0.5
_FORMAT = "v4l2"


def webcam_device(text: str) -> Path | None:
    """`/dev/video0`, or `webcam` and `webcam:1`; None: something else is meant."""
    if (found := re.fullmatch(r"webcam(?::(\d+))?", text)) is not None:
        return Path(f"/dev/video{found[1] or 0}")
    return Path(text) if re.fullmatch(r"/dev/video\d+", text) else None


class WebcamFeed:
    """One webcam through Video4Linux. Implements `pipeline.sources.base.Feed`; live, nothing to resume or commit."""

    is_replayable = False

    def __init__(self, camera: str, device: Path) -> None:
        self.cameras = (camera,)
        self._camera = camera
        self._device = device
        self._pump: Pump | None = None

    def open(self, resume: dict[str, str]) -> SourceInfo:
        """Opens the device.

        Raises:
            ConnectError: it is not there, or gives no video.
        """
        del resume
        self._pump = Pump(self._open_video, LiveDecoder(self._camera, Converter()).events)
        found = self._pump.take(_OPEN_SECONDS)
        if isinstance(found, SourceInfo):
            return found
        self.close()
        if isinstance(found, SourceError):
            raise found
        message = f"could not open {self._device}: expected video, got no answer within {_OPEN_SECONDS:g} s"
        raise ConnectError(message, code="timeout", where=self._camera)

    def events(self, stop: threading.Event) -> Iterator[Event]:
        """Frames as they come.

        Raises:
            StreamStalled: no frame for five seconds.
            SourceError: the device failed.
        """
        assert self._pump is not None, "open comes before events"
        heard = time.monotonic()
        while not stop.is_set():
            item = self._pump.take(_QUIET_SECONDS)
            if isinstance(item, SourceError):
                raise item
            if item is not None:
                heard = time.monotonic()
            elif time.monotonic() - heard >= _STALL_SECONDS:
                raise self._stalled()
            if not isinstance(item, SourceInfo):
                yield item or Quiet()

    def commit(self, positions: dict[str, str]) -> None:
        """Nothing to remember."""

    def close(self) -> None:
        if self._pump is not None:
            self._pump.stop()
            self._pump = None

    def _stalled(self) -> StreamStalled:
        return stalled(Attempt(self._camera, str(self._device), "read", timeout_seconds=_STALL_SECONDS))

    def _open_video(self) -> VideoInput:
        try:
            container = av.open(str(self._device), format=_FORMAT)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise translate(error, Attempt(self._camera, str(self._device), "open")) from None
        address = Address(str(self._device), str(self._device))
        return VideoInput(self._camera, address, container, container.streams.video[0])
