"""The newest sampled pictures of a camera, for clips where its own packets cannot be used: because there are none, or
because they show what `privacy` hides.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from operators.scene.config import Polygon
from pipeline.frame_path.owner.model_picture import blacked_out
from pipeline.sources.tape import Clip

WIDTH_PX = 640
"""Wider pictures are made smaller."""
_QUALITY = 85
_ENCODERS = (("libx264", {"preset": "veryfast", "crf": "24", "tune": "zerolatency"}), ("mpeg4", {"q": "4"}))
_TICKS = 1000
"""A second, as the clip counts."""


class FrameTape:
    """JPEGs, bounded in time and in bytes. Thread-safe."""

    def __init__(self, window_seconds: float, max_bytes: int, privacy: Sequence[Polygon] = ()) -> None:
        """`privacy`: blacked out once more after JPEG, which smears its edges."""
        self._window_ns = round(window_seconds * 1e9)
        self._max_bytes = max_bytes
        self._privacy = tuple(privacy)
        self._lock = threading.Lock()
        self._kept: deque[tuple[int, bytes]] = deque()
        self.num_bytes = 0
        self.num_cut_short = 0
        """How often the bound on bytes let something go that the time would have kept."""

    def add(self, time_ns: int, rgb: np.ndarray) -> None:
        """The next picture, uint8 (H, W, 3) RGB, privacy polygons already black. One that lies before the newest
        begins anew: a loop, or another stream.
        """
        height, width = rgb.shape[:2]
        factor = min(1.0, WIDTH_PX / width)
        even = (max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2))
        small = rgb if even == (width, height) else cv2.resize(rgb, even, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        with self._lock:
            if self._kept and time_ns <= self._kept[-1][0]:
                self._kept.clear()
                self.num_bytes = 0
            self._kept.append((time_ns, data.tobytes()))
            self.num_bytes += data.size
            while self._kept[0][0] < time_ns - self._window_ns:
                self.num_bytes -= len(self._kept.popleft()[1])
            while self.num_bytes > self._max_bytes and len(self._kept) > 1:
                self.num_bytes -= len(self._kept.popleft()[1])
                self.num_cut_short += 1

    def newest_ns(self) -> int | None:
        """Rule time of the newest picture; None: there is none."""
        with self._lock:
            return self._kept[-1][0] if self._kept else None

    def cut(self, from_ns: int, to_ns: int, max_bytes: int) -> Clip | None:
        """An H.264 MP4 of the pictures from `from_ns` to `to_ns`; None: there is none of that time. Blocks while it
        encodes.
        """
        with self._lock:
            wanted = [each for each in self._kept if from_ns <= each[0] <= to_ns]
        if not wanted:
            return None
        sizes = [self._decoded(data).shape for _, data in (wanted[0], wanted[-1])]
        if sizes[0] != sizes[1]:
            wanted = [each for each in wanted if self._decoded(each[1]).shape == sizes[1]]
        data, num_shown = _encoded(((time_ns, self._decoded(jpeg)) for time_ns, jpeg in wanted), len(wanted), max_bytes)
        return Clip(data, wanted[0][0], wanted[num_shown - 1][0], num_shown < len(wanted))

    def _decoded(self, data: bytes) -> np.ndarray:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert bgr is not None, "a JPEG of our own"
        return blacked_out(bgr, self._privacy) if self._privacy else bgr


def _encoded(pictures: Iterator[tuple[int, np.ndarray]], count: int, max_bytes: int) -> tuple[bytes, int]:
    """An MP4, and how many of the pictures fit into it; at least one."""
    name, options = next(each for each in _ENCODERS if each[0] in av.codecs_available)
    buffer, zero_ns, total, num_shown = io.BytesIO(), None, 0, 0
    with av.open(buffer, "w", format="mp4") as output:
        stream: VideoStream | None = None
        for time_ns, bgr in pictures:
            if stream is None:
                zero_ns, stream = time_ns, _stream(output, name, options, bgr)
            frame = av.VideoFrame.from_ndarray(bgr, "bgr24")
            frame.pts, frame.time_base = round((time_ns - (zero_ns or 0)) * _TICKS / 1e9), Fraction(1, _TICKS)
            packets = stream.encode(frame)
            output.mux(packets)
            num_shown += 1
            total += sum(packet.size for packet in packets)
            if total > max_bytes * (1 - 1 / (count + 1)):
                break
        if stream is not None:
            output.mux(stream.encode())
    return buffer.getvalue(), num_shown


def _stream(output: OutputContainer, name: str, options: dict[str, str], first: np.ndarray) -> VideoStream:
    stream = cast("VideoStream", output.add_stream(name, rate=25, options=options))
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base, context.thread_count = Fraction(1, _TICKS), 1
    context.gop_size, context.max_b_frames = 12, 0
    return stream
