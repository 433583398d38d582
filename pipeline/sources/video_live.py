"""A live camera: RTSP(S) over TCP or UDP, or HTTP(S)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import av.error
from av.packet import Packet
from av.video.frame import VideoFrame

from operators.frames import CaptureClock
from pipeline.clock import Clock, SystemClock
from pipeline.errors import DecodeError
from pipeline.secrets import Secrets
from pipeline.sources.base import Decoded, Event, Quiet, SourceInfo, Undecodable
from pipeline.sources.config import SourceConfig
from pipeline.sources.video import NoFrame, VideoInput
from pipeline.sources.video_address import live_address
from pipeline.sources.video_errors import ADVICE, code_of, ended, stalled, translate
from pipeline.sources.video_picture import Converter, VideoPicture

_POLL_SECONDS = 0.5
"""How long one read may block, so that `stop` is seen; RTSP goes on after a read that timed out, HTTP does not."""
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
        self._video: VideoInput | None = None
        self._converter = Converter()
        self._capture_offset_ns: int | None = None
        """Camera's wall clock minus presentation time, from the last sender report."""
        self._undecodable_in_a_row = 0

    def open(self, resume: dict[str, str]) -> SourceInfo:
        """Connects within `open_timeout`; a live camera cannot go back, so `resume` is not looked at.

        Raises:
            ConnectError: with one of the codes of `pipeline.sources.video_errors`.
        """
        del resume
        self.close()
        address = live_address(self._camera, self._config, self._secrets)
        stall_after = self._config.stall_after
        self._video = VideoInput.open(
            self._camera,
            address,
            open_timeout_seconds=self._config.open_timeout,
            read_timeout_seconds=min(_POLL_SECONDS, stall_after / 4) if address.is_rtsp else stall_after,
        )
        self._capture_offset_ns = None
        self._undecodable_in_a_row = 0
        return self._video.info()

    def events(self, stop: threading.Event) -> Iterator[Event]:
        """Frames as they come.

        Raises:
            StreamStalled: no packet for `stall_after`.
            ConnectError: the stream ended (`ended`).
            DecodeError: packets come, but nothing in them can be decoded.
        """
        assert self._video is not None, "open comes before events"
        video = self._video
        heard = told = self._clock.monotonic()
        while not stop.is_set():
            try:
                for packet in video.packets():
                    now = self._clock.monotonic()
                    if stop.is_set():
                        return
                    if video.is_video(packet):
                        heard = now
                        for event in self._events_of(packet):
                            told = now
                            yield event
                    self._check_heard(heard)
                    if now - told > _POLL_SECONDS:
                        told = now
                        yield Quiet()
            except av.error.FFmpegError as error:
                if code_of(error) != "timeout":
                    raise translate(error, video.attempt()) from None
                self._check_heard(heard)
                told = self._clock.monotonic()
                yield Quiet()
            else:
                raise ended(video.attempt())

    def commit(self, positions: dict[str, str]) -> None:
        """Nothing to remember."""

    def close(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None

    def _check_heard(self, heard: float) -> None:
        assert self._video is not None
        if self._clock.monotonic() - heard >= self._config.stall_after:
            raise stalled(self._video.attempt(self._config.stall_after))

    def _events_of(self, packet: Packet[Any]) -> Iterator[Event]:
        assert self._video is not None
        self._read_sender_report(packet)
        try:
            frames = self._video.decode(packet)
        except NoFrame as error:
            self._undecodable_in_a_row += 1
            if self._undecodable_in_a_row >= _HOPELESS_PACKETS:
                message = (
                    f"{self._video.attempt().address}: expected video, got {self._undecodable_in_a_row} packets in a "
                    f"row that could not be decoded. {ADVICE['unsupported']}"
                )
                raise DecodeError(message, code="undecodable", where=self._camera) from None
            yield Undecodable(self._camera, str(error))
            return
        for frame in frames:
            self._undecodable_in_a_row = 0
            yield self._decoded(frame)

    def _read_sender_report(self, packet: Packet[Any]) -> None:
        """`prft`: microseconds of the camera's wall clock at this packet's presentation time, once RTCP said so."""
        if self._video is None or packet.pts is None or not packet.has_sidedata("prft"):
            return
        report = bytes(packet.get_sidedata("prft"))
        pts_ns = self._video.pts_ns(packet.pts)
        if len(report) >= 8 and pts_ns is not None:
            self._capture_offset_ns = int.from_bytes(report[:8], "little", signed=True) * 1000 - pts_ns

    def _decoded(self, frame: VideoFrame) -> Decoded:
        assert self._video is not None
        pts_ns = self._video.pts_ns(frame.pts)
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
