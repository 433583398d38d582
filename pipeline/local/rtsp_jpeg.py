"""JPEG pictures over RTP: which of them the format can carry, and making others anew.

RFC 2435 sends no Huffman tables: the reader takes those of the JPEG standard. Pictures with tables of their own, with
another sampling of colour than 4:2:0 or 4:2:2, or with sides beyond 2040 pixels cannot be sent as they are: FFmpeg
sends nothing, and a reader waits for ever. Nor does it say that a picture has restart markers: of such a one a reader
gets the first rows and green below.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

MAX_SIDE_PX = 2040
"""Source: RFC 2435 section 3.1.5, sides in blocks of 8 pixels in one byte."""
_HUFFMAN_TABLES, _RESTART_INTERVAL, _START_OF_SCAN = 0xC4, 0xDD, 0xDA
"""Source: ITU-T T.81 table B.1."""
_FORMATS = ("yuvj420p", "yuvj422p")
_JPEG_RANGE = 2
"""FFmpeg's AVCOL_RANGE_JPEG."""
_QUALITY = "2"
"""FFmpeg's scale, 2 is its best for JPEG: the picture was lossy once before."""


def is_carried(jpeg: bytes, pixel_format: str) -> bool:
    """Whether FFmpeg sends this picture as it is; a JPEG without tables (as in some AVI files) has the standard ones.

    Args:
        jpeg: The whole picture.
        pixel_format: FFmpeg's name of its sampling.
    """
    standard = _standard_tables()
    has_own_tables = any(standard.get(name) != table for name, table in huffman_tables(jpeg).items())
    has_restarts = any(marker == _RESTART_INTERVAL and any(segment) for marker, segment in _segments(jpeg))
    return pixel_format in _FORMATS and not has_own_tables and not has_restarts


def huffman_tables(jpeg: bytes) -> dict[int, bytes]:
    """By class and number (0x00, 0x01, 0x10, 0x11): 16 counts and the symbols. Source: ITU-T T.81 section B.2.4.2."""
    tables: dict[int, bytes] = {}
    for marker, segment in _segments(jpeg):
        rest = segment if marker == _HUFFMAN_TABLES else b""
        while len(rest) > 17:
            length = 17 + sum(rest[1:17])
            tables[rest[0]] = rest[1:length]
            rest = rest[length:]
    return tables


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, contents) before the picture's data."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != _START_OF_SCAN:
        size = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        yield jpeg[at + 1], jpeg[at + 4 : at + 2 + size]
        at += 2 + size


@cache
def _standard_tables() -> dict[int, bytes]:
    """Those that FFmpeg writes when it is asked for the standard ones."""
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 16, 16, _FORMATS[0]
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"huffman": "default"}
    encoder.thread_count = 1
    frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24").reformat(format=_FORMATS[0])
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    return huffman_tables(bytes(packets[0]))


class JpegAgain:
    """Decodes pictures and encodes them so that RTP can carry them."""

    def __init__(self, output: OutputContainer, source: VideoStream) -> None:
        """Adds a stream to `output` for the pictures of `source`.

        Raises:
            ValueError: they are too large for RTP.
        """
        height, width = source.codec_context.height, source.codec_context.width
        if max(height, width) > MAX_SIDE_PX:
            raise ValueError(f"JPEG over RTP: expected sides of at most {MAX_SIDE_PX} pixels, got {height}x{width}")
        self.stream: VideoStream = output.add_stream("mjpeg", rate=source.average_rate or Fraction(25))
        self.stream.height, self.stream.width, self.stream.pix_fmt = height, width, _FORMATS[0]
        self.stream.codec_context.color_range = _JPEG_RANGE
        self.stream.codec_context.thread_count = 1  # several write restart markers
        self.stream.codec_context.time_base = source.time_base or Fraction(1, 90000)
        self.stream.options = {"huffman": "default", "qmin": _QUALITY, "qmax": _QUALITY}

    def encode(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """The packet's picture again, at its time."""
        for frame in packet.decode():
            again = frame.reformat(format=_FORMATS[0], dst_color_range=_JPEG_RANGE)
            again.pts, again.time_base = packet.pts, packet.time_base
            yield from self.stream.encode(again)
