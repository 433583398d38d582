"""`simulated: dock`: a live camera over a loading dock that does not exist."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from operators.scene.config import ViewConfig
from pipeline.clock import Clock, SystemClock
from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.movers import Kind
from pipeline.simulation.pose import POSES, Pose
from pipeline.simulation.rendered import Rendered
from pipeline.simulation.schedule import Schedule
from pipeline.simulation.training import KNOWN_KINDS
from pipeline.sources.base import Decoded, Event, Quiet, SourceInfo
from pipeline.sources.config import SourceConfig
from pipeline.sources.picture import ArrayPicture

SIZE = (360, 640)
"""(height, width) of simulated pictures."""
_ENDLESS_SECONDS = 60.0
"""Length of the schedule that is repeated where none is asked for."""
_POSES = tuple(POSES[name] for name in ("P0", "P1", "P2", "P3"))
_LONGEST_WAIT_SECONDS = 0.5
_STOP_METRES = (1.6, 2.2)
"""Wide margins: every approach is clearly nearer than 3 m, with its body still in the picture."""

_CLEAR_KINDS: tuple[Kind, ...] = ("forklift", "truck")
"""Large enough that nobody argues about their distance."""


def pose_for(seed: int) -> Pose:
    """How the camera of `{simulated: dock, seed: ...}` hangs; cheap."""
    return _POSES[seed % len(_POSES)]


def dock_for(seed: int, schedule_seconds: float | None = None) -> tuple[DockScene, Schedule, ViewConfig]:
    """The dock of a seed: what `{simulated: dock, seed: ...}` shows, and how its camera hangs.

    Two approaches and a near miss. With `schedule_seconds` they come once in that time, forklifts and trucks only,
    and then nobody; without, once a minute for ever, people too. A new scene at each call: scenes belong to one thread.
    """
    pose = pose_for(seed)
    schedule = Schedule.approaches(
        seed,
        _ENDLESS_SECONDS if schedule_seconds is None else schedule_seconds,
        kinds=KNOWN_KINDS if schedule_seconds is None else _CLEAR_KINDS,
        pose=pose,
        stop_metres=_STOP_METRES,
        is_repeated=schedule_seconds is None,
    )
    return DockScene(seed, pose, SIZE), schedule, pose.view()


def frame_at(scene: DockScene, schedule: Schedule, seconds: float) -> Rendered:
    """The frame of a dock `seconds` after its feed's start, with its truth: a pure function of seed and time."""
    noise_seed = round(seconds * 1000)
    return scene.render(schedule.states(seconds), Light.drift(scene.seed, seconds), noise_seed)


@dataclass(slots=True)
class _Camera:
    scene: DockScene
    schedule: Schedule
    fps: float
    frame: int = 0
    """The next one."""

    @property
    def due(self) -> float:
        """Seconds after the feed's start."""
        return self.frame / self.fps


class SimulatedFeed:
    """`pipeline.sources.base.Feed` of simulated docks, paced by a clock.

    Live: no positions; a frame that is already overtaken when its turn comes is not rendered, as a camera would not
    wait either. `pts_ns` counts from the first `open`, so that reopening does not start the schedule again, and with
    it `frame_at(*dock_for(seed, schedule_seconds)[:2], pts_ns / 1e9)` gives the frame and its truth again.
    """

    is_replayable = False

    def __init__(self, cameras: Mapping[str, SourceConfig], clock: Clock | None = None) -> None:
        """Takes cameras whose `simulated` is set; renders nothing yet."""
        self.cameras = tuple(cameras)
        self._configs = dict(cameras)
        self._clock = clock or SystemClock()
        self._docks: dict[str, _Camera] = {}
        self._started: float | None = None

    def open(self, resume: dict[str, str]) -> SourceInfo:  # noqa: ARG002 - a live source cannot be rewound
        """Builds the scenes at the first call; never fails."""
        if self._started is None:
            for camera, config in self._configs.items():
                scene, schedule, _ = dock_for(config.seed, config.schedule_seconds)
                self._docks[camera] = _Camera(scene, schedule, config.fps)
            self._started = self._clock.monotonic()
        rates = {config.fps for config in self._configs.values()}
        return SourceInfo("simulated", SIZE, rates.pop() if len(rates) == 1 else None)

    def events(self, stop: threading.Event) -> Iterator[Event]:
        """Frames of all cameras in the order of their times, until `stop`."""
        assert self._started is not None, "open comes first"
        while not stop.is_set():
            camera, dock = min(self._docks.items(), key=lambda entry: entry[1].due)
            wait = self._started + dock.due - self._clock.monotonic()
            if wait > _LONGEST_WAIT_SECONDS:
                self._clock.wait(stop, _LONGEST_WAIT_SECONDS)
                yield Quiet()
                continue
            if wait > 0 and self._clock.wait(stop, wait):
                return
            behind = int((self._clock.monotonic() - self._started - dock.due) * dock.fps)
            dock.frame += max(0, behind)
            seconds = dock.due
            dock.frame += 1
            yield _decoded(camera, frame_at(dock.scene, dock.schedule, seconds).rgb, round(seconds * 1e9))

    def commit(self, positions: dict[str, str]) -> None:
        """Nothing to keep: the source is live."""

    def close(self) -> None:
        """Nothing to release; the time goes on."""


def _decoded(camera: str, rgb: np.ndarray, pts_ns: int) -> Decoded:
    return Decoded(
        camera=camera,
        picture=ArrayPicture(rgb),
        epoch=None,
        seq=None,
        pts_ns=pts_ns,
        rule_time_ns=None,
        capture_ns=None,
        capture_clock="arrival",
        capture_uncertainty_ns=0,
    )
