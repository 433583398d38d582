"""A video file: every frame, in order, with numbers that a second reading repeats."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av.error
from av.packet import Packet
from av.video.frame import VideoFrame

from pipeline.clock import Clock, SystemClock
from pipeline.errors import ConnectError, DecodeError, SourceError
from pipeline.sources.base import Decoded, EndOfStream, Event, Quiet, SourceInfo, Undecodable
from pipeline.sources.config import SourceConfig
from pipeline.sources.tape import PacketTape
from pipeline.sources.video import NoFrame, VideoInput
from pipeline.sources.video_address import file_address
from pipeline.sources.video_errors import ADVICE
from pipeline.sources.video_picture import Converter, VideoPicture
from pipeline.sources.video_position import Anchor, FilePosition
from pipeline.sources.video_timeline import Timeline

_WAIT_SECONDS = 0.5
_FINAL = frozenset({"not_found", "unsupported"})
"""A file that is not there or no video stays so: the camera has failed. A camera on the network may come back."""


@dataclass(slots=True)
class _Round:
    """One reading of the file."""

    epoch: int
    timeline: Timeline
    seq: int = 0
    """Of the next event: decoded frames and undecodable packets count alike."""
    first_wanted: int = 0
    """Earlier ones are decoded again on the way and not told."""
    anchor: Anchor | None = None
    highest_pts: int | None = None
    num_decoded: int = 0
    seeking: Anchor | None = None
    """Frames before this keyframe are passed over, as they were before a seek."""

    def position(self) -> FilePosition:
        """Of the next event."""
        last_ns = -1 if self.timeline.last_ns is None else self.timeline.last_ns
        return FilePosition(self.epoch, self.seq, self.timeline.base_ns, last_ns, self.anchor)

    def move_anchor(self, frame: VideoFrame) -> None:
        """Before the frame is numbered: a keyframe later than all before it can be found again; disorder ends that."""
        if frame.pts is None or (self.highest_pts is not None and frame.pts <= self.highest_pts):
            self.anchor = None
            return
        self.highest_pts = frame.pts
        if frame.key_frame:
            self.anchor = Anchor(frame.pts, self.seq)


class FileFeed:
    """One file, read once or in a loop. Implements `pipeline.sources.base.Feed`.

    `epoch` is the round and `seq` the frame's index, counting packets that could not be decoded. Equal on repetition:
    resuming decodes from a keyframe whose index is known, or from the start where the file gives no such keyframe.
    """

    is_replayable = True

    def __init__(self, camera: str, config: SourceConfig, clock: Clock | None = None) -> None:
        self.cameras = (camera,)
        self._camera = camera
        self._config = config
        self._address = file_address(config.file or "")
        self._clock = clock or SystemClock()
        self._video: VideoInput | None = None
        self._converter = Converter()
        self._tape: PacketTape | None = None
        self._session = 0
        self._resume = FilePosition()
        self._began: tuple[float, int] | None = None
        """Real time: monotonic seconds and rule time of the first frame."""

    def open(self, resume: dict[str, str]) -> SourceInfo:
        """Opens the file; `resume` names the first frame to tell.

        Raises:
            ConnectError: not there (`not_found`), not video (`unsupported`), or not a position of ours.
        """
        try:
            self._resume = FilePosition.parse(resume.get(self._camera, "0:0"))
        except ValueError as error:
            message = f"cannot resume {self._address.shown}: {error}"
            raise _final(ConnectError(message, code="unsupported", where=self._camera)) from None
        return self._reopen().info()

    def events(self, stop: threading.Event) -> Iterator[Event]:
        """Every frame from the resumed one on, then `EndOfStream` unless the file is looped.

        Raises:
            DecodeError: not a single frame of the file could be decoded.
        """
        current = self._resumed_round(self._resume.anchor)
        while not stop.is_set():
            yield from self._one_round(current, stop)
            if stop.is_set():
                return
            if current.seeking is not None:  # the keyframe was not found: from the start, counting
                self._reopen()
                current = self._resumed_round(None)
                continue
            if current.num_decoded == 0:
                message = f"{self._address.shown}: expected video, got no frame. {ADVICE['unsupported']}"
                raise _final(DecodeError(message, code="undecodable", where=self._camera))
            if not self._config.loop:
                yield EndOfStream(self._camera)
                return
            current.timeline.begin_loop()
            current = _Round(current.epoch + 1, current.timeline)
            self._reopen()

    def record(self, tape: PacketTape) -> None:
        """Its packets go there too, from the next `open` on."""
        self._tape = tape

    def commit(self, positions: dict[str, str]) -> None:
        """Nothing to tell a file; the owner keeps positions."""

    def close(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None

    def _reopen(self) -> VideoInput:
        self.close()
        self._session = self._tape.begin() if self._tape is not None else 0
        try:
            self._video = VideoInput.open(
                self._camera, self._address, open_timeout_seconds=None, read_timeout_seconds=None
            )
        except SourceError as error:
            raise (_final(error) if error.code in _FINAL else error) from None
        return self._video

    def _resumed_round(self, anchor: Anchor | None) -> _Round:
        """The timeline stands where it stood before the wanted frame; frames on the way to it do not move it."""
        assert self._video is not None, "open comes before events"
        wanted = self._resume
        timeline = Timeline(self._period_ns(), wanted.base_ns, None if wanted.last_ns < 0 else wanted.last_ns)
        if anchor is None:
            return _Round(wanted.epoch, timeline, first_wanted=wanted.seq)
        self._video.seek(anchor.pts)
        return _Round(wanted.epoch, timeline, anchor.seq, wanted.seq, seeking=anchor)

    def _period_ns(self) -> int:
        assert self._video is not None
        return round(self._video.period * 1_000_000_000)

    def _one_round(self, current: _Round, stop: threading.Event) -> Iterator[Event]:
        """Reads to the end of the file. A damaged container ends it early, and that is counted too."""
        assert self._video is not None
        told = self._clock.monotonic()
        packets = self._video.packets()
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                yield self._undecodable(current, type(error).__name__)
                return
            if packet is None or stop.is_set():
                return
            for event in self._events_of(packet, current):
                if isinstance(event, Decoded) and self._config.pace == "realtime":
                    yield from self._wait_until_due(event, stop)
                told = self._clock.monotonic()
                yield event
                if stop.is_set():
                    return
            if self._clock.monotonic() - told > _WAIT_SECONDS:
                told = self._clock.monotonic()
                yield Quiet()

    def _events_of(self, packet: Packet[Any], current: _Round) -> Iterator[Event]:
        assert self._video is not None
        if self._tape is not None and self._video.is_video(packet):
            self._tape.add(packet, self._video.stream, self._session)
        try:
            frames = self._video.decode(packet)
        except NoFrame as error:
            if current.seeking is None:
                event = self._undecodable(current, str(error))
                if event.seq is not None and event.seq >= current.first_wanted:
                    yield event
            return
        for frame in frames:
            event = self._decoded(frame, current)
            if event is not None:
                yield event

    def _undecodable(self, current: _Round, reason: str) -> Undecodable:
        resume = str(current.position())
        seq, current.seq, current.anchor = current.seq, current.seq + 1, None
        return Undecodable(self._camera, reason, current.epoch, seq, resume)

    def _decoded(self, frame: VideoFrame, current: _Round) -> Decoded | None:
        """The frame as an event; None: it lies before the wanted one."""
        assert self._video is not None
        if current.seeking is not None:
            if frame.pts != current.seeking.pts:
                return None
            current.seeking = None
        current.move_anchor(frame)
        resume = str(current.position())
        seq, current.seq = current.seq, current.seq + 1
        current.num_decoded += 1
        if seq < current.first_wanted:
            return None
        pts_ns = self._video.pts_ns(frame.pts)
        rule_time_ns = current.timeline.at(pts_ns, seq)
        return Decoded(
            camera=self._camera,
            picture=VideoPicture(frame, self._converter),
            epoch=current.epoch,
            seq=seq,
            pts_ns=pts_ns,
            rule_time_ns=rule_time_ns,
            capture_ns=rule_time_ns,
            capture_clock="container",
            capture_uncertainty_ns=current.timeline.period_ns,
            resume=resume,
        )

    def _wait_until_due(self, event: Decoded, stop: threading.Event) -> Iterator[Event]:
        """Real time: the first frame is due at once, the others as far after it as their times say."""
        assert event.rule_time_ns is not None
        if self._began is None:
            self._began = (self._clock.monotonic(), event.rule_time_ns)
        due = self._began[0] + (event.rule_time_ns - self._began[1]) / 1_000_000_000
        while (left := due - self._clock.monotonic()) > 0:
            if self._clock.wait(stop, min(left, _WAIT_SECONDS)):
                return
            if left > _WAIT_SECONDS:
                yield Quiet()


def _final(error: SourceError) -> SourceError:
    """Opening the file again would say the same."""
    error.is_transient = False
    return error
