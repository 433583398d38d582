"""The demo while it runs: the pipeline, the foreign clients, the table and the contact sheet."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pipeline.cli.demo.memory import tree_bytes
from pipeline.cli.demo.recording import Recording
from pipeline.cli.demo.screen import Heard
from pipeline.cli.demo.sheet import Shot, draw_sheet
from pipeline.cli.demo.stage import KafkaCamera, Rates, RtspCamera, Servers
from pipeline.cli.demo.watcher import KafkaWatcher, RedisWatcher, Tally
from pipeline.cli.table import CameraTable
from pipeline.clock import SystemClock
from pipeline.config.loader import Config
from pipeline.control.model import ModelSpec
from pipeline.control.runtime import Run, started
from pipeline.control.snapshot import PipelineSnapshot

PREFIX = "vision"
SHEET_EVERY_SECONDS = 5.0
FIRST_SHEET_SECONDS = 5.0
_DRAIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Live:
    """What is played."""

    config: Config
    spec: ModelSpec
    servers: Servers
    docks: tuple[Recording, ...]
    others: tuple[Recording, ...]
    rates: Rates
    out: Path
    seconds: float

    def recording(self, camera: str) -> Recording:
        return next(each for each in (*self.docks, *self.others) if each.camera == camera)


@dataclass(slots=True)
class Played:
    """What came of it."""

    heard: Heard
    rtsp_started_ns: int = 0
    is_drained: bool = False
    peak_bytes: int = 0
    analysed_at: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """(monotonic seconds, frames analysed so far)."""
    final: PipelineSnapshot | None = None
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])


def run_live(live: Live, screen: IO[str]) -> Played:
    """Runs the pipeline for `live.seconds` from the first analysed frame, then drains it and reads everything back."""
    heard = Heard()
    table = CameraTable(heard.look, screen)
    heard.say = table.say
    played = Played(heard)
    with ExitStack() as stack:
        rtsp = RtspCamera(live.out / "dock-rtsp.mp4", live.servers.rtsp)
        kafka = KafkaCamera(live.out / "weighbridge.mp4", live.servers.kafka, live.rates.other)
        stack.callback(kafka.close)
        watchers = {
            "redis": RedisWatcher(live.servers.redis, PREFIX, list(live.config.cameras), heard.on_event),
            "kafka": KafkaWatcher([live.servers.kafka], PREFIX),
        }
        for watcher in watchers.values():
            watcher.start()

        def progress(what: str) -> None:
            table.say(f"  {what}")
            if what == "opening the cameras":
                kafka.start()

        def on_first() -> None:
            """The dock that is read over RTSP begins now, so that its visits are all seen, however slow the start."""
            rtsp.start(stack)
            played.rtsp_started_ns = rtsp.started_ns

        with started(live.config, live.spec, SystemClock(), progress) as running:
            with table:
                _play(live, running, played, table, on_first)
            table.say("draining")
            kafka.close()
            played.is_drained = running.supervisor.drain(_DRAIN_SECONDS)
            played.final = running.supervisor.snapshot()
        played.tallies = {name: watcher.close() for name, watcher in watchers.items()}
    return played


def _play(live: Live, running: Run, played: Played, table: CameraTable, on_first: Callable[[], None]) -> None:
    sheet = _Sheet(live, played, table.say)
    first: list[float] = []

    def seen(snapshot: PipelineSnapshot) -> None:
        now = time.monotonic()
        if not first and played.heard.first.is_set():
            first.append(now)
            on_first()
        played.analysed_at.append((now, sum(each.ledger.analysed for each in snapshot.cameras)))
        played.peak_bytes = max(played.peak_bytes, tree_bytes())
        table.show(snapshot)
        sheet.refresh(now)

    running.loop(seen, until=lambda: bool(first) and time.monotonic() - first[0] >= live.seconds)


class _Sheet:
    """Draws the contact sheet when it is due."""

    def __init__(self, live: Live, played: Played, say: Callable[[str], None]) -> None:
        self._live, self._played, self._say = live, played, say
        self._due = float("inf")
        self._num_drawn = 0

    def refresh(self, now: float) -> None:
        if self._due == float("inf"):
            if self._played.heard.first.is_set():
                self._due = now + FIRST_SHEET_SECONDS
            return
        if now < self._due:
            return
        self._due = now + SHEET_EVERY_SECONDS
        with self._played.heard.lock:
            newest = dict(self._played.heard.newest)
        path = self._live.out / "sheet.png"
        draw_sheet(
            [Shot(c, picture_of(self._live, self._played, body), body) for c, body in sorted(newest.items())], path
        )
        self._num_drawn += 1
        if self._num_drawn == 1:
            self._say(f"contact sheet: {path} (drawn again every {SHEET_EVERY_SECONDS:g} s)")


def seconds_of(live: Live, played: Played, body: dict[str, Any]) -> float:
    """Where in its camera's recording a published frame stands."""
    camera, times = body["camera"], body["times"]
    if camera == "dock-rtsp":
        return (times["rule_time_ns"] - played.rtsp_started_ns) / 1e9
    if camera == "weighbridge":
        return body["seq"] / live.rates.other
    return times["pts_ns"] / 1e9


def picture_of(live: Live, played: Played, body: dict[str, Any]) -> Any:
    """uint8 (360, 640, 3): the picture that a published frame was about."""
    return live.recording(body["camera"]).picture(max(0.0, seconds_of(live, played, body)))
