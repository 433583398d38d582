"""A live camera: RTSP(S) over TCP or UDP, or HTTP(S)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

from operators.frames import CaptureClock
from pipeline.clock import Clock, SystemClock
from pipeline.errors import ConnectError, DecodeError, SourceError
from pipeline.secrets import Secrets
from pipeline.sources.base import Decoded, Event, Quiet, SourceInfo, Undecodable
from pipeline.sources.config import SourceConfig
from pipeline.sources.tape import PacketTape
from pipeline.sources.video import NoFrame, VideoInput
from pipeline.sources.video_address import live_address
from pipeline.sources.video_errors import ADVICE, Attempt, stalled
from pipeline.sources.video_picture import Converter, VideoPicture
from pipeline.sources.video_pump import Pump

_QUIET_SECONDS = 0.5
_GRACE_SECONDS = 1.0
"""For opening, beyond `open_timeout`: name servers know no timeout of ours."""
_LAST_RESORT = 2.0
"""Times `stall_after`: when a read that nobody waits for any more ends by itself."""
_HOPELESS_PACKETS = 100
"""Undecodable packets in a row after which the stream is opened anew."""
_RTCP_UNCERTAINTY_NS = 50_000_000
"""Of a sender report against the camera's own clock; how far that clock is off is not known."""
_ARRIVAL_UNCERTAINTY_NS = 1_000_000_000
"""Network, jitter buffer and decoder."""


class LiveFeed:
    """One camera of which only the present matters. Implements `pipeline.sources.base.Feed`.

    Stalls are seen after `stall_after`; the end of the stream is `ConnectError` with code `ended`.
    """

    is_replayable = False

    def __init__(self, camera: str, config: SourceConfig, secrets: Secrets, clock: Clock | None = None) -> None:
        self.cameras = (camera,)
        self._camera = camera
        self._config = config
        self._secrets = secrets
        self._clock = clock or SystemClock()
        self._shown = ""
        self._pump: Pump | None = None
        self._converter = Converter()
        self._tape: PacketTape | None = None

    def record(self, tape: PacketTape) -> None:
        """Its packets go there too, from the next `open` on."""
        self._tape = tape

    def open(self, resume: dict[str, str]) -> SourceInfo:
        """Connects within `open_timeout`; a live camera cannot go back, so `resume` is not looked at.

        Raises:
            ConnectError: with one of the codes of `pipeline.sources.video_errors`.
        """
        del resume
        self.close()
        config = self._config
        address = live_address(self._camera, config, self._secrets)

        def open_video() -> VideoInput:
            return VideoInput.open(
                self._camera,
                address,
                open_timeout_seconds=config.open_timeout,
                read_timeout_seconds=_LAST_RESORT * config.stall_after,
            )

        decoder = LiveDecoder(self._camera, self._converter, self._tape)
        self._shown = address.shown
        self._pump = Pump(open_video, decoder.events)
        match self._pump.take(config.open_timeout + _GRACE_SECONDS):
            case SourceInfo() as info:
                return info
            case SourceError() as error:
                self.close()
                raise error
            case _:
                self.close()
                message = f"could not open {address.shown}: expected video, got no answer. {ADVICE['timeout']}"
                raise ConnectError(message, code="timeout", where=self._camera)

    def events(self, stop: threading.Event) -> Iterator[Event]:
        """Frames as they come.

        Raises:
            StreamStalled: no packet for `stall_after`.
            ConnectError: the stream ended (`ended`).
            DecodeError: packets come, but nothing in them can be decoded.
        """
        assert self._pump is not None, "open comes before events"
        stall_after = self._config.stall_after
        heard = self._clock.monotonic()
        while not stop.is_set():
            item = self._pump.take(min(_QUIET_SECONDS, stall_after / 4))
            if isinstance(item, SourceError):
                raise item
            now = self._clock.monotonic()
            if item is not None:
                heard = now
            elif now - heard >= stall_after:
                attempt = Attempt(self._camera, self._shown, "read", timeout_seconds=stall_after)
                raise stalled(attempt)
            if not isinstance(item, SourceInfo):
                yield item or Quiet()

    def commit(self, positions: dict[str, str]) -> None:
        """Nothing to remember."""

    def close(self) -> None:
        if self._pump is not None:
            self._pump.stop()
            self._pump = None


class LiveDecoder:
    """One session's packets to events. On the pump's thread."""

    def __init__(self, camera: str, converter: Converter, tape: PacketTape | None = None) -> None:
        self._camera = camera
        self._converter = converter
        self._tape = tape
        self._capture_offset_ns: int | None = None
        """Camera's wall clock minus presentation time, from the last sender report."""
        self._undecodable_in_a_row = 0

    def events(self, video: VideoInput) -> Iterator[Event]:
        """Until the stream ends; `Quiet` says that packets come of which none is a picture yet.

        Raises:
            DecodeError: nothing can be decoded any more.
            av.error.FFmpegError: the read failed or timed out.
        """
        told = time.monotonic()
        session = self._tape.begin() if self._tape is not None else 0
        for packet in video.packets():
            if not video.is_video(packet):
                continue
            if self._tape is not None:
                self._tape.add(packet, video.stream, session)
            for event in self._events_of(video, packet):
                told = time.monotonic()
                yield event
            if time.monotonic() - told >= _QUIET_SECONDS:
                told = time.monotonic()
                yield Quiet(has_packets=True)

    def _events_of(self, video: VideoInput, packet: Packet[Any]) -> Iterator[Event]:
        self._read_sender_report(video, packet)
        try:
            frames = video.decode(packet)
        except NoFrame as error:
            reason = str(error)
        else:
            for frame in frames:
                self._undecodable_in_a_row = 0
                yield self._decoded(video, frame)
            return
        self._undecodable_in_a_row += 1
        if self._undecodable_in_a_row >= _HOPELESS_PACKETS:
            message = (
                f"{video.attempt().address}: expected video, got {self._undecodable_in_a_row} packets in a row that "
                f"could not be decoded. {ADVICE['unsupported']}"
            )
            raise DecodeError(message, code="undecodable", where=self._camera)
        yield Undecodable(self._camera, reason)

    def _read_sender_report(self, video: VideoInput, packet: Packet[Any]) -> None:
        """`prft`: microseconds of the camera's wall clock at this packet's presentation time, once RTCP said so."""
        if packet.pts is None or not packet.has_sidedata("prft"):
            return
        report = bytes(packet.get_sidedata("prft"))
        pts_ns = video.pts_ns(packet.pts)
        if len(report) >= 8 and pts_ns is not None:
            self._capture_offset_ns = int.from_bytes(report[:8], "little", signed=True) * 1000 - pts_ns

    def _decoded(self, video: VideoInput, frame: VideoFrame) -> Decoded:
        pts_ns = video.pts_ns(frame.pts)
        capture_ns: int | None = None
        clock: CaptureClock = "arrival"
        if pts_ns is not None and self._capture_offset_ns is not None:
            capture_ns, clock = pts_ns + self._capture_offset_ns, "rtcp"
        return Decoded(
            camera=self._camera,
            picture=VideoPicture(frame, self._converter),
            epoch=None,
            seq=None,
            pts_ns=pts_ns,
            rule_time_ns=None,
            capture_ns=capture_ns,
            capture_clock=clock,
            capture_uncertainty_ns=_RTCP_UNCERTAINTY_NS if clock == "rtcp" else _ARRIVAL_UNCERTAINTY_NS,
        )
