"""Pictures of a vehicle that stands: of a live camera for some seconds, of a span of a file, of a simulated dock."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from operators.scene.config import Line
from operators.units import parse_seconds
from pipeline.cli.app import UserError
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.source_argument import as_user_error
from pipeline.cli.tryout.watcher import Ended, Seen, Watcher
from pipeline.errors import SourceError
from pipeline.kafka_client import KafkaSecurity
from pipeline.simulation.movers import KINDS, Kind
from pipeline.simulation.standing import standing
from pipeline.sources.base import Decoded, EndOfStream, Feed
from pipeline.sources.registry import build_feed
from pipeline.sources.simulated import dock_for, frame_at

FPS = 2.0
"""Of readings: as a camera is watched."""
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds of a file."""

    begin: float
    end: float


def stop_pictures(
    camera: Camera, line: tuple[str, Line], vehicle: str, known_metres: float, *, seconds: float, span: Span | None
) -> Iterator[np.ndarray]:
    """uint8 (H, W, 3) RGB of a vehicle that stands, half a second apart.

    Args:
        camera: To be opened.
        line: (name, where it lies on the floor), from which it was measured.
        vehicle: Of a simulated dock: gives its looks.
        known_metres: Of a simulated dock: where it is put.
        seconds: How much to give, but for files.
        span: Of a file.

    Raises:
        UserError: the camera cannot be opened, fails, or ends before; no such place in a simulated dock.
    """
    if camera.source.simulated is None:
        return live(camera, seconds) if span is None else of_span(camera, span)
    if line[1] != "here":
        raise UserError(
            f"line {line[0]}: a simulated vehicle is put before the dock's edge: expected a line `here`, from which it "
            "can be measured, got one that is drawn"
        )
    return simulated(camera.source.seed, vehicle, known_metres, seconds)


def live(camera: Camera, seconds: float) -> Iterator[np.ndarray]:
    """uint8 (H, W, 3) RGB of a camera that sends by itself, for `seconds` from its first picture.

    Raises:
        UserError: the camera cannot be opened, or fails.
    """
    with Watcher(_feed(camera), seconds=seconds, fps=FPS) as watcher:
        while not isinstance(news := watcher.take(), Ended):
            if isinstance(news, Seen):
                yield news.rgb
        if news.error is not None:
            raise as_user_error(news.error)


def of_span(camera: Camera, span: Span) -> Iterator[np.ndarray]:
    """The same of a file; however slow the machine, none is left out.

    Raises:
        UserError: it cannot be opened, or ends before the span does.
    """
    feed = _feed(camera)
    newest, due = 0.0, span.begin
    first: float | None = None
    try:
        feed.open({})
        for event in feed.events(threading.Event()):
            if isinstance(event, EndOfStream):
                break
            if not isinstance(event, Decoded) or event.rule_time_ns is None:
                continue
            at = event.rule_time_ns / 1e9
            first = at if first is None else first
            newest = at - first
            if newest >= span.end:
                return
            if newest >= due:
                due += 1 / FPS
                yield event.picture.rgb()
    except SourceError as error:
        raise as_user_error(error) from None
    finally:
        feed.close()
    if newest < span.end - 1 / FPS:
        raise UserError(f"{camera.name}: ends after {newest:.0f} s: expected {span.begin:g} s to {span.end:g} s", 1)


def simulated(seed: int, vehicle: str, metres: float, seconds: float) -> Iterator[np.ndarray]:
    """The same of the dock of a seed, at which a vehicle is put with its body `metres` from the edge.

    Args:
        seed: Of the dock.
        vehicle: Its name gives its looks; `truck-2` is a truck, and what begins with no kind is a forklift.
        metres: To its body.
        seconds: How much to give.
    """
    scene, _, _ = dock_for(seed)
    named: list[Kind] = [kind for kind in KINDS if vehicle.startswith(kind)]
    schedule = standing(named[0] if named else "forklift", metres, crc32(vehicle.encode()))
    for number in range(max(1, round(seconds * FPS))):
        yield frame_at(scene, schedule, number / FPS).rgb


def parse_span_time(text: str, option: str) -> float:
    """`12s`, `1m` or `1:02.5` to seconds.

    Raises:
        UserError: it is none of these.
    """
    if found := _CLOCK.fullmatch(text.strip()):
        return int(found[1] or 0) * 3600 + int(found[2]) * 60 + float(found[3])
    try:
        return parse_seconds(text)
    except ValueError:
        raise UserError(f"{option}: expected a time in the file such as 12s or 1:02, got {text!r}") from None


def _feed(camera: Camera) -> Feed:
    """A file is read once, as fast as it can be."""
    source = camera.source
    if source.file is not None:
        source = source.model_copy(update={"pace": "as_fast_as_possible", "loop": False})
    return build_feed({camera.name: source}, camera.secrets, (), KafkaSecurity())
