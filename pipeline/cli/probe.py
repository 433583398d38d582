"""`main.py probe SOURCE`: what a camera or a file really delivers."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Annotated

import typer

from pipeline.cli.app import UserError
from pipeline.cli.source_argument import SourceArgument, as_user_error, parse_source
from pipeline.errors import SourceError
from pipeline.sources.base import Decoded, EndOfStream, Feed, SourceInfo, Undecodable
from pipeline.sources.video_picture import VideoPicture

_MAX_FILE_FRAMES = 2000
_LABELS = {"size": "height x width"}
"""For people, who else read a size as width first."""


@dataclass(slots=True)
class Report:
    """What was claimed and what was measured."""

    source: str
    codec: str
    size: tuple[int, int] | None
    """(height, width) as shown."""
    declared_fps: float | None
    measured_fps: float | None = None
    """Of a camera by the clock, of a file by its presentation times."""
    decode_fps: float | None = None
    """Of a file: how fast this machine decodes it, on one thread."""
    keyframe_interval_seconds: float | None = None
    clock: str = ""
    first_frame_seconds: float | None = None
    """From the start of opening."""
    num_frames: int = 0
    num_undecodable: int = 0
    details: dict[str, str | int | float] = field(default_factory=dict[str, "str | int | float"])

    def lines(self) -> list[str]:
        told = {_LABELS.get(name, name): value for name, value in asdict(self).items() if value not in ({}, None)}
        return [f"{name:27}{_shown(value)}" for name, value in told.items()]


def probe(
    source: Annotated[str, typer.Argument(help="A file, rtsp(s):// or http(s):// address, or simulated:SEED.")],
    *,
    seconds: Annotated[float, typer.Option(help="How long to watch a camera.", min=0.5)] = 5.0,
    credentials: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Environment variable that holds user:password.")
    ] = None,
    transport: Annotated[str, typer.Option(help="RTSP over tcp or udp.")] = "tcp",
    ca_file: Annotated[str | None, typer.Option(help="Certificates to trust, for rtsps and https.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Open a camera or file once: codec, size, declared and measured rate, keyframe interval, clock."""
    argument = parse_source(source, credentials=credentials, transport=transport, ca_file=ca_file)
    try:
        report = measure(argument, seconds)
    except SourceError as error:
        raise as_user_error(error) from None
    typer.echo(json.dumps(asdict(report)) if as_json else "\n".join(report.lines()))
    if report.num_frames == 0:
        raise UserError(f"{argument.shown}: opened, but no frame could be decoded within {seconds:g} s", 1)


def measure(argument: SourceArgument, seconds: float) -> Report:
    """Reads for `seconds`, or a file to its end or 2000 frames.

    Raises:
        SourceError: redacted.
    """
    started = time.monotonic()
    feed = argument.feed("probe")
    info = feed.open({})
    try:
        return _watch(feed, info, argument.shown, started, seconds)
    finally:
        feed.close()


def _watch(feed: Feed, info: SourceInfo, shown: str, started: float, seconds: float) -> Report:
    report = Report(shown, info.codec, info.size, info.declared_fps, details=info.details)
    arrivals: list[float] = []
    times_ns: list[int] = []
    keyframes_ns: list[int] = []
    for event in feed.events(threading.Event()):
        now = time.monotonic()
        if isinstance(event, Undecodable):
            report.num_undecodable += 1
        if isinstance(event, Decoded):
            report.size, report.clock = event.picture.size, event.capture_clock
            arrivals.append(now)
            time_ns = event.rule_time_ns if event.rule_time_ns is not None else event.pts_ns
            if time_ns is not None:
                times_ns.append(time_ns)
                if isinstance(event.picture, VideoPicture) and event.picture.is_keyframe:
                    keyframes_ns.append(time_ns)
        is_over = len(arrivals) >= _MAX_FILE_FRAMES if feed.is_replayable else now - started >= seconds
        if is_over or isinstance(event, EndOfStream):
            break
    report.num_frames = len(arrivals)
    report.first_frame_seconds = round(arrivals[0] - started, 3) if arrivals else None
    by_clock = _rate(arrivals)
    by_stream = _rate([each / 1e9 for each in times_ns])
    report.measured_fps = by_stream if feed.is_replayable else by_clock
    report.decode_fps = by_clock if feed.is_replayable else None
    rate = _rate([each / 1e9 for each in keyframes_ns])
    report.keyframe_interval_seconds = round(1 / rate, 3) if rate else None
    return report


def _rate(times: list[float]) -> float | None:
    """Events per second, from the first to the last."""
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return round((len(times) - 1) / (times[-1] - times[0]), 2)


def _shown(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return "x".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return str(value)
