"""A file's H.264 or H.265 as access units in Annex B, without decoding it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

import av.error
from av.bitstream import BitStreamFilterContext

from pipeline.errors import ConnectError
from pipeline.sources.video import VideoInput
from pipeline.sources.video_address import file_address
from pipeline.sources.video_errors import translate

_FILTERS = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
"""They put start codes and, before each keyframe, the parameter sets; Annex B passes as it is."""


def access_units(path: str, *, fast: bool = False) -> Iterator[bytes]:
    """One by one, in decoding order, in real time unless `fast`.

    Raises:
        ConnectError: no such file, or neither H.264 nor H.265 (`unsupported`).
        DecodeError: the container is damaged.
    """
    video = VideoInput.open("publish", file_address(path), open_timeout_seconds=None, read_timeout_seconds=None)
    try:
        codec = video.info().codec
        if codec not in _FILTERS:
            message = f"{path}: expected H.264 or H.265 for a bitstream, got {codec}. Send it as pictures instead."
            raise ConnectError(message, code="unsupported", where="publish")
        adapt = BitStreamFilterContext(_FILTERS[codec], video.stream)
        started, never = time.monotonic(), Event()
        for packet in video.packets():
            if not video.is_video(packet) or not packet.size:
                continue
            due_ns = video.pts_ns(packet.dts)
            if not fast and due_ns is not None:
                never.wait(max(0.0, due_ns / 1e9 - (time.monotonic() - started)))
            for whole in adapt.filter(packet):
                yield bytes(whole)
    except av.error.FFmpegError as error:
        raise translate(error, video.attempt()) from None
    finally:
        video.close()
