"""The thread that opens, reads, decodes and closes one live stream, and hands over what it finds.

Why a thread of its own beside the reader's: a read of FFmpeg can only be cut short by a timeout, and one that fires
within a packet leaves the RTSP connection out of step. So reads are left alone for longer than a stall takes, and the
reader, which waits at a queue, still hears `stop` at once.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import av.error

from pipeline.errors import SourceError
from pipeline.faults import name_thread
from pipeline.sources.base import Event, SourceInfo
from pipeline.sources.video import VideoInput
from pipeline.sources.video_errors import ended, translate

_QUEUE_EVENTS = 4
_PUT_SECONDS = 0.2
_STOP_SECONDS = 1.0

Item = SourceInfo | Event | SourceError
Decode = Callable[[VideoInput], Iterator[Event]]


class Pump:
    """First comes a `SourceInfo`, then events, at last a `SourceError`: a live stream does not end well.

    A pump that is stopped within a read ends by itself when the read times out; nobody waits for it.
    """

    def __init__(self, open_video: Callable[[], VideoInput], decode: Decode) -> None:
        self._open = open_video
        self._decode = decode
        self._items: queue.Queue[Item] = queue.Queue(_QUEUE_EVENTS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{threading.current_thread().name} pump", daemon=True)
        self._thread.start()

    def take(self, timeout_seconds: float) -> Item | None:
        """The next one; None: nothing came in time."""
        try:
            return self._items.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def stop(self) -> None:
        """Gives it a second to end."""
        self._stop.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        name_thread()
        try:
            video = self._open()
        except SourceError as error:
            self._put(error)
            return
        try:
            if self._put(video.info()):
                self._put(self._read(video))
        finally:
            video.close()

    def _read(self, video: VideoInput) -> SourceError:
        """Hands events over until the stream fails."""
        try:
            for event in self._decode(video):
                if not self._put(event):
                    break
        except av.error.FFmpegError as error:
            return translate(error, video.attempt())
        except SourceError as error:
            return error
        return ended(video.attempt())

    def _put(self, item: Item) -> bool:
        """Waits for room; False: stopped."""
        while not self._stop.is_set():
            try:
                self._items.put(item, timeout=_PUT_SECONDS)
            except queue.Full:
                continue
            return True
        return False
