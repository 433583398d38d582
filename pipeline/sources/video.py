"""An open container with one video stream: what live cameras and files have in common.

PyAV containers are opened, read and closed by one thread: closing from another is a crash of the process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.errors import ConnectError
from pipeline.sources.base import SourceInfo
from pipeline.sources.video_address import Address
from pipeline.sources.video_errors import ADVICE, Attempt, translate

MAX_FPS = 1000
"""A declared rate beyond this is a clock's (RTP counts 90,000 a second), not a camera's."""


class NoFrame(ValueError):
    """A packet could not be decoded."""


class VideoInput:
    """The first video stream of a container, decoded on one thread without frame threads, so that nothing is late."""

    def __init__(self, camera: str, address: Address, container: InputContainer, stream: VideoStream) -> None:
        self._camera = camera
        self._address = address
        self._container = container
        self.stream = stream
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = 1

    @classmethod
    def open(
        cls, camera: str, address: Address, *, open_timeout_seconds: float | None, read_timeout_seconds: float | None
    ) -> VideoInput:
        """Connects and reads the stream's headers.

        Raises:
            ConnectError: could not be opened, or holds no video.
        """
        started = time.monotonic()
        try:
            container = av.open(
                address.target, options=dict(address.options), timeout=(open_timeout_seconds, read_timeout_seconds)
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            attempt = Attempt(
                camera,
                address.shown,
                "open",
                waited_seconds=time.monotonic() - started,
                timeout_seconds=open_timeout_seconds or 0.0,
                has_name=not address.scheme or address.has_name(),
                is_tls=address.is_tls,
            )
            raise translate(error, attempt) from None
        stream = next(iter(container.streams.video), None)
        if stream is None or not stream.codec_context:
            container.close()
            raise ConnectError(
                f"could not open {address.shown}: expected a video stream, got none. {ADVICE['unsupported']}",
                code="unsupported",
                where=camera,
            )
        return cls(camera, address, container, stream)

    @property
    def period(self) -> Fraction:
        """Declared seconds per frame; 1/25 where nothing is declared."""
        rate = self._declared_rate()
        return 1 / rate if rate else Fraction(1, 25)

    def info(self) -> SourceInfo:
        context = self.stream.codec_context
        rate = self._declared_rate()
        details: dict[str, str | int | float] = {"format": self._container.format.name}
        if context.pix_fmt:
            details["pixel_format"] = context.pix_fmt
        if self.stream.frames:
            details["num_frames"] = self.stream.frames
        size = (context.height, context.width) if context.height and context.width else None
        return SourceInfo(context.name, size, float(rate) if rate else None, details)

    def _declared_rate(self) -> Fraction | None:
        claims = (self.stream.guessed_rate, self.stream.average_rate)
        return next((rate for rate in claims if rate and 0 < rate <= MAX_FPS), None)

    def packets(self) -> Iterator[Packet[Any]]:
        """All packets, also of other streams, and an empty one at the end that drains the decoder.

        Raises:
            av.error.ExitError: the read timeout passed; `packets` may be called again where the protocol allows it.
            av.error.FFmpegError: to be handed to `translate`.
        """
        return self._container.demux()

    def decode(self, packet: Packet[Any]) -> list[VideoFrame]:
        """Frames that `packet` completes, in presentation order; [] for other streams.

        Raises:
            NoFrame: the packet is no video; the message says what it is instead.
        """
        if not self.is_video(packet):
            return []
        try:
            return packet.decode()
        except av.error.FFmpegError as error:
            raise NoFrame(type(error).__name__) from None

    def is_video(self, packet: Packet[Any]) -> bool:
        return packet.stream.index == self.stream.index

    def pts_ns(self, pts: int | None) -> int | None:
        """Nanoseconds from the stream's own zero."""
        if pts is None or self.stream.time_base is None:
            return None
        return round((pts - (self.stream.start_time or 0)) * self.stream.time_base * 1_000_000_000)

    def seek(self, pts: int) -> None:
        """To the last keyframe at or before `pts`; decoding starts anew."""
        self._container.seek(pts, stream=self.stream, backward=True)

    def attempt(self, timeout_seconds: float = 0.0) -> Attempt:
        """For errors while reading."""
        return Attempt(self._camera, self._address.shown, "read", timeout_seconds=timeout_seconds)

    def close(self) -> None:
        self._container.close()
