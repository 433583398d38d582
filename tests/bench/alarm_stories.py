"""Stories that one visit does not tell: parked at the threshold, stopped, gone below the picture, the next one soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from operators.results import Analysis
from operators.scene.change_gate import SIZE, ChangeGate
from pipeline.frame_path.owner.config import GateConfig
from pipeline.simulation.movers import MoverState, reach_metres
from tests.bench.alarm_camera import Camera, Timed, item_of, nearest_metres
from tests.bench.alarm_clips import ENTER_METRES, EXIT_METRES, FPS, Site
from tests.bench.alarm_watch import Alarm, Event, times
from tests.bench.lanes import in_lanes

PARKED_SECONDS = 1800.0
PARKED_FPS = 0.5
"""Of the parked story: its half hour is long, and two samples in a row then are a whole run."""
JITTER_METRES, JITTER_DEGREES = 0.02, 0.5
"""Of a thing that is parked, from sample to sample: an engine runs, a load settles, the mast of the camera sways."""
STOP_SECONDS = 20.0
SPEED = 1.5
"""Metres per second, of movers in these stories."""
SECOND_AFTER_SECONDS = 10.0
_FARTHEST_METRES = 12.0

Movers = Callable[[float], list[MoverState]]


@dataclass(frozen=True)
class Told:
    """How one story went."""

    name: str
    events: list[Event]
    num_analysed: int
    num_reused: int = 0

    def count(self, kind: str) -> int:
        """Starts or ends of the rule that is judged."""
        return len(times(self.events, "close", kind))

    @property
    def order(self) -> str:
        """Such as `start end start end`."""
        return " ".join(event.kind for event in self.events if event.rule == "close")


def parked(camera: Camera) -> Told:
    """A forklift that stands where this camera reads the threshold itself, for half an hour under a drifting light.

    The learner goes on: what is parked may become part of the view.
    """
    site, light = camera.site, camera.site.seed * 50 + 2001
    rng = np.random.default_rng([71, site.seed])
    stands = _where_it_reads(camera, ENTER_METRES, light)

    def movers(t: float) -> list[MoverState]:
        del t
        x, y = rng.normal(0, JITTER_METRES, 2)
        return [replace(stands, x=stands.x + x, y=stands.y + y, heading=stands.heading + rng.normal(0, JITTER_DEGREES))]

    alarm = Alarm(camera.spec, PARKED_FPS, camera.learner)
    stored, asked = dict(camera.stored), -1e9
    versions = 1

    def frames() -> Iterator[tuple[Timed, bool, tuple[str, ...]]]:
        nonlocal asked
        for timed in _pictures(site, movers, light, PARKED_SECONDS, PARKED_FPS):
            is_sample = alarm.wants_sample(timed[0]) and timed[0] - asked >= 8 / PARKED_FPS
            asked = timed[0] if is_sample else asked
            yield timed, is_sample, tuple(stored)

    def one(batch: list[tuple[Timed, bool, tuple[str, ...]]]) -> list[tuple[float, Analysis]]:
        items = [item_of(picture, t, names, sample=is_sample) for (t, picture), is_sample, names in batch]
        return [(t, each) for ((t, _), _, _), each in zip(batch, camera.analyzer.analyze(items), strict=True)]

    count = 0
    for t, analysis in in_lanes(frames(), one):
        count += 1
        view = alarm.see(analysis, t)
        if view is not None:
            versions += 1
            camera.stored[f"view/dock@{versions}"] = view.to_bytes()
            stored = {name: data for name, data in stored.items() if not name.startswith("view/")}
            stored[f"view/dock@{versions}"] = camera.stored[f"view/dock@{versions}"]
    return Told("parked", alarm.events, count)


def stopped(camera: Camera) -> Told:
    """A forklift stops at 1.8 m and stands: nothing in the picture changes, and the change gate skips what it may."""
    mover = _forklift(camera.site, 1.8)
    movers = _visit(mover, 1.0)
    alarm, gate = Alarm(camera.spec, FPS), ChangeGate(GateConfig(refresh=5.0))
    analysed = reused = 0
    last = None
    for t, picture in _pictures(camera.site, movers, camera.site.seed * 50 + 2002, _visit_seconds(mover), FPS):
        luma = cv2.resize(cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY), SIZE[::-1], interpolation=cv2.INTER_AREA)
        is_changed = gate.is_changed(luma, t)
        if is_changed or last is None or alarm.is_armed:
            (last,) = camera.look_at([(t, picture)])
            alarm.see(last.analysis, t)
            analysed += 1
        else:
            alarm.see_again(t)
            reused += 1
    return Told("stopped", alarm.events, analysed, reused)


def below(camera: Camera) -> Told:
    """A person who comes so near that the picture ends above him, stands there, and goes back."""
    mover = MoverState("person", 0.0, 0.7, 180.0, camera.site.seed)
    return _told("below", camera, _visit(mover, 1.0), 2003, _visit_seconds(mover))


def second(camera: Camera) -> Told:
    """Two forklifts: the second one is at the threshold 10 s after the first has left it, and they pass each other."""
    one, two = _forklift(camera.site, 1.8), _forklift(camera.site, 1.8)
    one, two = replace(one, x=-1.1), replace(two, x=1.1, appearance_seed=two.appearance_seed + 1)
    stop_seconds = 3.0
    first = _visit(one, 1.0, stop_seconds)
    travel = (EXIT_METRES - 1.8) / SPEED + SECOND_AFTER_SECONDS + (ENTER_METRES - 1.8) / SPEED
    comes_s = 1.0 + _travel_seconds(one) + stop_seconds + travel - _travel_seconds(two)
    other = _visit(two, comes_s, stop_seconds)
    seconds = comes_s + 2 * _travel_seconds(two) + stop_seconds + 4.0
    return _told("second", camera, lambda t: [*first(t), *other(t)], 2004, seconds)


def _told(name: str, camera: Camera, movers: Movers, light: int, seconds: float) -> Told:
    alarm, count = Alarm(camera.spec, FPS), 0
    for each in camera.look(_pictures(camera.site, movers, camera.site.seed * 50 + light, seconds, FPS)):
        alarm.see(each.analysis, each.t)
        count += 1
    return Told(name, alarm.events, count)


def _pictures(site: Site, movers: Movers, light: int, seconds: float, fps: float) -> Iterator[Timed]:
    for number, t in enumerate(np.arange(0.0, seconds, 1 / fps)):
        yield float(t), site.picture(movers(float(t)), light, float(t), number)


def _forklift(site: Site, metres: float) -> MoverState:
    """With its body so far from the edge."""
    return MoverState("forklift", 0.0, metres + reach_metres("forklift", site.seed)[0], 180.0, site.seed)


def _travel_seconds(mover: MoverState) -> float:
    return (_FARTHEST_METRES - mover.y) / SPEED


def _visit_seconds(mover: MoverState, stop_seconds: float = STOP_SECONDS) -> float:
    return 1.0 + 2 * _travel_seconds(mover) + stop_seconds + 4.0


def _visit(mover: MoverState, comes_s: float, stop_seconds: float = STOP_SECONDS) -> Movers:
    """Comes straight, stands as `mover`, goes back."""
    travel = _travel_seconds(mover)

    def movers(t: float) -> list[MoverState]:
        before, after = comes_s + travel - t, t - comes_s - travel - stop_seconds
        if before > travel or after > travel:
            return []
        turned = 180.0 if mover.kind == "person" and after > 0 else 0.0
        return [replace(mover, y=mover.y + SPEED * max(before, after, 0.0), heading=mover.heading + turned)]

    return movers


def _where_it_reads(camera: Camera, metres: float, light: int) -> MoverState:
    """A forklift so placed that this camera reads `metres`, as near as steps of 10 cm come to it."""
    steps = [_forklift(camera.site, body) for body in np.arange(2.2, 3.8, 0.1)]
    looked = camera.look((0.0, camera.site.picture([mover], light, 0.0, at)) for at, mover in enumerate(steps))
    read = [nearest_metres(each.analysis) for each in looked]
    return min(zip(steps, read, strict=True), key=lambda each: abs((each[1] or np.inf) - metres))[0]
