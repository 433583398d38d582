"""A camera's own packets of the last seconds, so that a clip of them needs no encoding.

Written by the thread that reads the stream, cut by another one.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import av
import av.error
from av.packet import Packet
from av.video.stream import VideoStream

COPIED_CODECS = frozenset({"h264", "hevc", "av1"})
"""What players expect in an MP4."""


@dataclass(frozen=True, slots=True, repr=False)
class Clip:
    """An MP4 and what it shows, in the stream's own time or in rule time, as whoever made it says."""

    data: bytes
    from_ns: int
    to_ns: int
    is_shortened: bool
    """Its end was left out to stay within the bytes."""

    def __repr__(self) -> str:
        return f"Clip({len(self.data)} B, {(self.to_ns - self.from_ns) / 1e9:.1f} s)"


@dataclass(frozen=True, slots=True, repr=False)
class _Taped:
    """One packet, as the stream told it."""

    data: bytes
    pts: int
    dts: int
    is_keyframe: bool


@runtime_checkable
class RecordsPackets(Protocol):
    """A feed of one camera that can hand over its packets."""

    def record(self, tape: PacketTape) -> None:
        """From the next `open` on."""
        ...


class PacketTape:
    """The newest packets of one stream from a keyframe on, bounded in time and in bytes. Thread-safe."""

    def __init__(self, window_seconds: float, max_bytes: int) -> None:
        self._window_seconds = window_seconds
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._header = b""
        self._time_base = Fraction(1, 1000)
        self._start = 0
        self._packets: deque[_Taped] = deque()
        self._session = 0
        self.num_bytes = 0
        self.num_cut_short = 0
        """How often the bound on bytes let something go that the time would have kept."""

    @property
    def is_running(self) -> bool:
        """Whether packets come that a clip can be made of."""
        return bool(self._header)

    def begin(self) -> int:
        """Another stream, or the same one from its start: what was kept is let go. Returns what `add` is to name."""
        with self._lock:
            self._header = b""
            self._packets.clear()
            self.num_bytes = 0
            self._session += 1
            return self._session

    def add(self, packet: Packet[Any], stream: VideoStream, session: int) -> None:
        """The next packet in decoding order. Ones without times, all before the first keyframe, and those of a session
        that is over are left out.
        """
        if packet.pts is None or packet.dts is None or not packet.size or stream.time_base is None:
            return
        if session != self._session:
            return
        if not self._header:
            if not packet.is_keyframe or stream.codec_context.name not in COPIED_CODECS:
                return
            header = _header(packet, stream)
            self._time_base, self._start = stream.time_base, stream.start_time or 0
        else:
            header = self._header
        with self._lock:
            self._header = header
            self._packets.append(_Taped(bytes(packet), packet.pts, packet.dts, packet.is_keyframe))
            self.num_bytes += packet.size
            if packet.is_keyframe:
                self._let_go(packet.dts)
            if self.num_bytes > self._max_bytes:
                self.num_cut_short += 1
                self._drop_first_group()

    def newest_ns(self) -> int | None:
        """Presentation time of the newest packet from the stream's zero; None: there is none."""
        with self._lock:
            return self._ns(self._packets[-1].pts) if self._packets else None

    def cut(self, from_ns: int, to_ns: int, max_bytes: int) -> Clip | None:
        """From the last keyframe at or before `from_ns`, else the first that is there, to `to_ns`. Blocks for
        milliseconds. None: nothing of that time is there, or it does not fit an MP4.
        """
        with self._lock:
            packets, header, time_base = list(self._packets), self._header, self._time_base
        if not packets or self._ns(packets[0].pts) > to_ns:
            return None
        starts = [n for n, each in enumerate(packets) if each.is_keyframe and self._ns(each.pts) <= from_ns]
        wanted = self._until(packets[starts[-1] if starts else 0 :], to_ns)
        kept = _within(wanted, max_bytes)
        try:
            data = _muxed(kept, header, time_base)
        except av.error.FFmpegError:
            return None
        shown = [self._ns(each.pts) for each in kept]
        return Clip(data, min(shown), max(shown), len(kept) < len(wanted))

    def _until(self, packets: list[_Taped], to_ns: int) -> list[_Taped]:
        """Up to the last one shown at or before `to_ns`, and those that close the gaps before what is shown later."""
        count = 1 + max(n for n, each in enumerate(packets) if self._ns(each.pts) <= to_ns)
        newest = max(each.pts for each in packets[:count])
        while count < len(packets) and packets[count].pts < newest:
            count += 1
        return packets[:count]

    def _ns(self, pts: int) -> int:
        return round((pts - self._start) * self._time_base * 1_000_000_000)

    def _let_go(self, newest_dts: int) -> None:
        """Groups that lie before a later keyframe which is old enough already."""
        oldest = newest_dts - int(self._window_seconds / self._time_base)
        while True:
            second = next((n for n, each in enumerate(self._packets) if n and each.is_keyframe), None)
            if second is None or self._packets[second].dts > oldest:
                return
            self._drop_first_group()

    def _drop_first_group(self) -> None:
        """Up to the next keyframe, or all."""
        while self._packets:
            self.num_bytes -= len(self._packets.popleft().data)
            if self._packets and self._packets[0].is_keyframe:
                return
        self._header = b""


def _header(packet: Packet[Any], stream: VideoStream) -> bytes:
    """An MP4 of one keyframe: what the stream's parameters are, when the stream itself is closed."""
    return _file(stream, [_Taped(bytes(packet), 0, 0, is_keyframe=True)], stream.time_base or Fraction(1, 1000))


def _muxed(packets: list[_Taped], header: bytes, time_base: Fraction) -> bytes:
    with av.open(io.BytesIO(header)) as template:
        return _file(template.streams.video[0], packets, time_base)


def _file(template: VideoStream, packets: list[_Taped], time_base: Fraction) -> bytes:
    buffer, zero, last = io.BytesIO(), packets[0].dts, None
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream_from_template(template)
        for each in packets:
            if last is not None and each.dts <= last:
                continue  # a camera's clock that went back
            last = each.dts
            packet = Packet(each.data)
            packet.pts, packet.dts, packet.time_base = each.pts - zero, each.dts - zero, time_base
            packet.is_keyframe, packet.stream = each.is_keyframe, stream
            output.mux(packet)
    return buffer.getvalue()


def _within(packets: list[_Taped], max_bytes: int) -> list[_Taped]:
    total, kept = 0, list[_Taped]()
    for each in packets:
        total += len(each.data)
        if kept and total > max_bytes:
            break
        kept.append(each)
    return kept
