"""What every source promises, written once. Each implementation subclasses with its camera."""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.base import Decoded, EndOfStream, Feed, SourceInfo
from tests.clips import number_of

CAMERA = "gate"
CANARY = "c4n4ry@/:%&#"
STOP_SECONDS = 1.0
_PATIENCE_SECONDS = 30.0


@contextmanager
def opened(feed: Feed, resume: dict[str, str] | None = None) -> Iterator[SourceInfo]:
    try:
        yield feed.open(resume or {})
    finally:
        feed.close()


def take(feed: Feed, count: int, stop: threading.Event | None = None) -> list[Decoded]:
    """The next `count` frames; fewer where the stream ends."""
    frames: list[Decoded] = []
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for event in feed.events(stop or threading.Event()):
        if isinstance(event, Decoded):
            frames.append(event)
        if isinstance(event, EndOfStream) or len(frames) == count:
            return frames
        assert time.monotonic() < deadline, f"expected {count} frames, got {len(frames)}"
    return frames


def shown(frames: list[Decoded]) -> list[int]:
    return [number_of(frame.picture.rgb()) for frame in frames]


class SourceContract(ABC):
    """A camera whose frames show their own number, modulo the length of the clip."""

    length: int
    """Frames of the clip."""

    @abstractmethod
    def make(self) -> Feed:
        """A feed of CAMERA that is not open."""

    @abstractmethod
    def make_unreachable(self) -> Feed:
        """A feed that cannot be opened, with CANARY as its password where it has one."""

    def test_frames_come_in_order(self) -> None:
        feed = self.make()
        with opened(feed) as info:
            assert info.codec
            numbers = shown(take(feed, 12))
        steps = [(after - before) % self.length for before, after in itertools.pairwise(numbers)]
        assert steps == [1] * 11

    def test_frames_say_whose_they_are_and_by_which_clock(self) -> None:
        feed = self.make()
        with opened(feed):
            frames = take(feed, 3)
        for frame in frames:
            assert frame.camera == CAMERA
            assert frame.capture_clock in {"rtcp", "container", "kafka", "arrival"}
            assert (frame.capture_ns is None) == (frame.capture_clock == "arrival")
            assert frame.capture_uncertainty_ns > 0
            is_numbered = frame.epoch is not None and frame.seq is not None and frame.rule_time_ns is not None
            assert is_numbered == feed.is_replayable
            assert (frame.resume is not None) == feed.is_replayable

    def test_pictures_convert_to_any_size(self) -> None:
        feed = self.make()
        with opened(feed):
            picture = take(feed, 1)[0].picture
            full, small, luma = picture.rgb(), picture.rgb((28, 42)), picture.luma((9, 16))
        assert full.shape == (*picture.size, 3)
        assert small.shape == (28, 42, 3)
        assert luma.shape == (9, 16)
        assert {full.dtype, small.dtype, luma.dtype} == {np.dtype(np.uint8)}

    def test_stop_is_seen_within_a_second(self) -> None:
        feed, stop = self.make(), threading.Event()
        with opened(feed):
            take(feed, 3)
            begun = time.monotonic()
            threading.Timer(0.2, stop.set).start()
            for _ in feed.events(stop):
                assert time.monotonic() - begun < _PATIENCE_SECONDS
            assert time.monotonic() - begun < 0.2 + STOP_SECONDS

    def test_it_opens_again_after_close(self) -> None:
        feed = self.make()
        for _ in range(2):
            with opened(feed):
                assert len(take(feed, 2)) == 2
        feed.close()

    def test_failure_to_open_is_ours_and_says_nothing_secret(self) -> None:
        feed = self.make_unreachable()
        with pytest.raises(SourceError) as caught:
            feed.open({})
        feed.close()
        text = "".join(traceback.format_exception(caught.value)) + repr(caught.value.args)
        assert CANARY not in text
        assert "c4n4ry" not in text
        assert caught.value.code in {"refused", "not_found", "unauthorized", "timeout", "dns", "tls", "unsupported"}


class ReplayableContract(SourceContract):
    """Files and topics: every frame, again and again, under the same number."""

    def test_numbers_rise(self) -> None:
        feed = self.make()
        with opened(feed):
            frames = take(feed, 12)
        positions = [(frame.epoch, frame.seq) for frame in frames]
        assert positions == sorted(set(positions))
        times = [frame.rule_time_ns or 0 for frame in frames]
        assert times == sorted(times)

    def test_a_second_reading_repeats_every_id(self) -> None:
        first, second = self._read(), self._read()
        assert first == second

    def test_resuming_begins_with_the_frame_named(self) -> None:
        feed = self.make()
        with opened(feed):
            frames = take(feed, 20)
            told = [(frame.epoch, frame.seq) for frame in frames]
            numbers = shown(frames)
        for at in (0, 7, 13):
            again = self.make()
            with opened(again, {CAMERA: frames[at].resume or ""}):
                repeated = take(again, 20 - at)
                assert [(frame.epoch, frame.seq) for frame in repeated] == told[at:]
                assert shown(repeated) == numbers[at:]

    def _read(self) -> list[tuple[int | None, int | None, int | None, int]]:
        feed = self.make()
        with opened(feed):
            frames = take(feed, 15)
            numbers = shown(frames)
        return [
            (frame.epoch, frame.seq, frame.rule_time_ns, number) for frame, number in zip(frames, numbers, strict=True)
        ]
