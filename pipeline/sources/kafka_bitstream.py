"""H.264 and H.265 in Kafka messages: chunks of Annex B or MPEG-TS to numbered frames.

A message holds whole access units. Decoding starts at a message that begins with a keyframe and its parameter sets,
with a fresh decoder each time, so that what a message yields depends on nothing before the last such message: a second
reading from there gives the same frames the same numbers.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import av.error
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from pipeline.sources.kafka_position import FRAME_BITS

_NAL = re.compile(rb"\x00\x00\x01(.)(.)", re.DOTALL)
_H264_IDR, _H264_SPS = 5, 7
_HEVC_INTRA, _HEVC_VPS = range(16, 22), 32
"""NAL unit types. Source: ITU-T H.264 table 7-1, H.265 table 7-1; below 32 H.265 types are slices."""
_HEVC_BASE_LAYER = 1
"""Second byte of an H.265 NAL header: layer 0, temporal layer 0."""
_TS_PACKET_BYTES, _TS_SYNC = 188, 0x47
_DEFAULT_PERIOD = Fraction(1, 25)
_CODECS = {"h264": "h264", "hevc": "hevc"}


class NotABitstream(ValueError):
    """The chunk cannot be decoded, or not yet."""


@dataclass(frozen=True, slots=True)
class ChunkFrame:
    """One frame and its place in the topic."""

    frame: VideoFrame
    seq: int
    keyframe_offset: int
    """Of the chunk to start from in order to decode it again."""
    since_chunk_ns: int
    """Presentation time after the chunk's first frame."""


class BitstreamDecoder:
    """The decoder of one camera's chunks. One thread."""

    def __init__(self) -> None:
        self._context: VideoCodecContext | None = None
        self._keyframe_offset = 0
        self._offset = 0
        self._num_frames = 0
        """Numbers given out in the chunk `_offset`."""
        self._first_pts: int | None = None

    def decode(self, chunk: bytes, offset: int) -> Iterator[ChunkFrame]:
        """Frames that `chunk` completes, first those of the chunk before that waited for their turn.

        Raises:
            NotABitstream: no keyframe has come yet, or the chunk is damaged.
        """
        try:
            elementary, packets = _split(chunk)
        except NotABitstream:
            self._begin(offset)
            raise
        codec = _codec_of_keyframe(elementary)
        if codec is not None:
            yield from self._drain()
            self._context = cast(VideoCodecContext, CodecContext.create(codec, "r"))
            self._context.thread_count = 1
            self._keyframe_offset = offset
        self._begin(offset)
        if self._context is None:
            raise NotABitstream("expected a keyframe with its parameter sets first, got none yet")
        try:
            for packet in packets if packets is not None else _parsed(self._context, elementary):
                yield from self._numbered(self._context.decode(packet))
        except av.error.FFmpegError as error:
            raise NotABitstream(f"expected {self._context.name}, got {type(error).__name__}") from None

    def keyframe_offset(self, offset: int) -> int:
        """Of the chunk to start from to come to `offset` in the same state."""
        return self._keyframe_offset if self._context is not None else offset

    def take_seq(self) -> int:
        """A number for what could not be decoded, between the frames around it."""
        seq = self._offset << FRAME_BITS | self._num_frames
        self._num_frames += 1
        return seq

    def _begin(self, offset: int) -> None:
        self._offset, self._num_frames, self._first_pts = offset, 0, None

    def _drain(self) -> Iterator[ChunkFrame]:
        if self._context is None:
            return
        try:
            frames = self._context.decode(None)
        except av.error.FFmpegError:
            return  # the chunk that is at fault was counted when it came
        yield from self._numbered(frames)

    def _numbered(self, frames: list[VideoFrame]) -> Iterator[ChunkFrame]:
        assert self._context is not None
        rate = self._context.framerate
        period = 1 / rate if rate else _DEFAULT_PERIOD
        for frame in frames:
            if self._num_frames >= 1 << FRAME_BITS:
                raise NotABitstream(f"expected fewer than {1 << FRAME_BITS} frames in a chunk")
            if self._first_pts is None:
                self._first_pts = frame.pts
            since = self._num_frames * period
            if frame.pts is not None and self._first_pts is not None and frame.time_base:
                since = max(Fraction(0), (frame.pts - self._first_pts) * frame.time_base)
            yield ChunkFrame(frame, self.take_seq(), self._keyframe_offset, round(since * 1_000_000_000))


def _parsed(context: VideoCodecContext, elementary: bytes) -> list[Packet[Any]]:
    """Whole access units; the second call gives the one that the parser still holds."""
    return [*context.parse(elementary), *context.parse(None)]


def _split(chunk: bytes) -> tuple[bytes, list[Packet[Any]] | None]:
    """The chunk's Annex B bytes, and its packets where a container delimits them.

    Raises:
        NotABitstream: neither Annex B nor MPEG-TS.
    """
    if chunk[:3] == b"\x00\x00\x01" or chunk[:4] == b"\x00\x00\x00\x01":
        return chunk, None
    if chunk[:1] != bytes([_TS_SYNC]) or len(chunk) % _TS_PACKET_BYTES:
        raise NotABitstream(f"expected Annex B or MPEG-TS, got {len(chunk)} bytes that begin with {chunk[:4].hex()}")
    try:
        with av.open(io.BytesIO(chunk), "r", format="mpegts") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context.name not in _CODECS:
                raise NotABitstream("expected H.264 or H.265 in MPEG-TS, got none")
            packets = [packet for packet in container.demux(stream) if packet.size]
    except av.error.FFmpegError as error:
        raise NotABitstream(f"expected MPEG-TS with its program tables, got {type(error).__name__}") from None
    return b"".join(bytes(packet) for packet in packets), packets


def _codec_of_keyframe(elementary: bytes) -> str | None:
    """`h264` or `hevc` where the chunk begins with a keyframe and its parameter sets."""
    is_hevc = has_sets = False
    for found in _NAL.finditer(elementary):
        header, second = found[1][0], found[2][0]
        hevc_type, h264_type = header >> 1 & 0x3F, header & 0x1F
        if not has_sets:
            is_hevc = hevc_type == _HEVC_VPS and second == _HEVC_BASE_LAYER
            has_sets = is_hevc or h264_type == _H264_SPS
            is_slice = h264_type in {1, _H264_IDR} or (hevc_type < _HEVC_VPS and second == _HEVC_BASE_LAYER)
            if is_slice and not has_sets:
                return None
        elif is_hevc and hevc_type < _HEVC_VPS:
            return "hevc" if hevc_type in _HEVC_INTRA else None
        elif not is_hevc and h264_type in {1, _H264_IDR}:
            return "h264" if h264_type == _H264_IDR else None
    return None
