"""From pictures to readings and episodes, as the pipeline does it; the controls are read from the same frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from operators.backbone.preprocess import place
from operators.camera import CameraSpec
from operators.heads.fit_depth import place_like
from operators.results import Analysis, Subject
from operators.rules.jumps import Trails
from operators.rules.measures import Reading
from operators.scene.corrected import corrected
from operators.scene.empty_view import EmptyView
from operators.scene.view_learner import ViewLearner
from pipeline.frame_path.publisher.judging import Judge, is_engaged
from pipeline.frame_path.publisher.scene_memory import SceneMemory
from pipeline.frame_path.publisher.stored_camera import RuleMemory
from pipeline.simulation.pose import POSES
from pipeline.simulation.training import training_frames
from tests.bench.alarm_camera import SHAPE, Camera, Looked, Timed, nearest_metres, rule_time_ns
from tests.bench.alarm_clips import Clip
from tests.bench.lanes import in_lanes


@dataclass(frozen=True)
class FrameScore:
    """One frame of a clip; metres, None: nobody was seen."""

    t: float
    truth: float | None
    """Exact p25 of the mover; None: not in view."""
    read: float | None
    floor: float | None
    """From the empty view's own depth in the same masks."""
    contact: float | None
    """Of the same subject, from where it meets the floor."""
    pixels: float | None
    """The contact point of what differs in pixels."""
    other: float | None
    """By a head of other poses."""
    num_subjects: int


@dataclass(frozen=True)
class Event:
    """The start or the end of an episode."""

    rule: str
    kind: str
    t: float


@dataclass(frozen=True)
class ClipScore:
    """What the alarm did in one clip."""

    clip: Clip
    frames: list[FrameScore]
    events: list[Event]
    floor_events: list[Event]
    other_events: list[Event]
    mover_errors: np.ndarray
    """float32, signed relative error of depth on a sample of the mover's pixels."""
    baseline_errors: np.ndarray

    def times(self, rule: str, kind: str) -> list[float]:
        """Seconds of the starts or the ends of one rule."""
        return times(self.events, rule, kind)


def times(events: Sequence[Event], rule: str, kind: str) -> list[float]:
    """Seconds of the starts or the ends of one rule."""
    return [event.t for event in events if (event.rule, event.kind) == (rule, kind)]


class Alarm:
    """What the publisher does with a camera's frames: tracks, jumps, rules, on a simulated clock."""

    def __init__(self, spec: CameraSpec, fps: float, learner: ViewLearner | None = None) -> None:
        self.events: list[Event] = []
        self._spec, self._period_ns = spec, round(1e9 / fps)
        self._memory, self._trails, self._judge = SceneMemory(spec, None, learner), Trails(), Judge(spec, "UTC")
        self._rules: dict[str, RuleMemory] = {}
        self._readings: dict[str, Reading] = {}
        self._last_ns = 0

    @property
    def is_armed(self) -> bool:
        """A rule is pending, active or releasing, or the next frame is wanted soon."""
        return is_engaged(self._rules) or self._trails.is_in_doubt

    def see(self, analysis: Analysis, t: float) -> EmptyView | None:
        """One frame; returns a new version of the empty view where one is due."""
        now = analysis.times.rule_time_ns
        analysis, held = self._memory.follow(corrected(analysis, self._spec.metres))
        self._trails, subjects = self._trails.step(analysis.subjects, now)
        analysis = replace(analysis, subjects=subjects)
        self._readings, self._last_ns = self._judge.read(analysis, held, self._memory.lost), now
        self._step(now, t)
        return self._memory.learn(analysis, held, is_armed=self.is_armed)[1]

    def see_again(self, t: float) -> None:
        """A frame that the change gate skipped: it shows what the last one showed."""
        now = rule_time_ns(t)
        self._memory.linger(self._last_ns, now)
        self._last_ns = now
        self._step(now, t)

    def _step(self, now: int, t: float) -> None:
        judged = self._judge.judge(self._rules, self._readings, now, self._period_ns)
        self._rules = judged.memories
        self.events += [Event(each.rule, each.kind, t) for each in judged.transitions]

    def wants_sample(self, t: float) -> bool:
        """Whether the learner asks for one."""
        return self._memory.wants_sample(rule_time_ns(t), is_armed=self.is_armed)


def watch(camera: Camera, clip: Clip, baseline: np.ndarray, other: Camera | None = None) -> ClipScore:
    """Plays one clip. `baseline`: see `median_depth`; `other`: the same camera with a head of other poses."""
    alarm, plain = Alarm(camera.spec, clip.fps), _only_plain(camera.spec)
    floor_alarm = Alarm(plain, clip.fps)
    other_alarm = Alarm(plain if other is None else other.spec, clip.fps)
    frames: list[FrameScore] = []
    errors: list[np.ndarray] = []
    baselines: list[np.ndarray] = []
    floor_depth = np.exp(camera.view.log_depth.astype(np.float64))
    for each, besides in _look(camera, other, clip):
        alarm.see(each.analysis, each.t)
        floor = camera.floor(each.analysis)
        on_floor = _at_depth(each.analysis, floor.ground_distance(floor_depth))
        floor_alarm.see(on_floor, each.t)
        if besides is not None:
            other_alarm.see(besides, each.t)
        truth = each.rendered.truth(0) if each.rendered.kinds else None
        frames.append(
            FrameScore(
                t=each.t,
                truth=None if truth is None else truth.distance_p25,
                read=nearest_metres(each.analysis),
                floor=nearest_metres(on_floor),
                contact=nearest_metres(each.analysis, "contact_metres"),
                pixels=camera.pixels.contact_metres(each.item.pixels, floor),
                other=None if besides is None else nearest_metres(besides),
                num_subjects=len(each.analysis.subjects),
            )
        )
        found, same = _mover_errors(each, baseline)
        errors.append(found)
        baselines.append(same)
    return ClipScore(
        clip,
        frames,
        alarm.events,
        floor_alarm.events,
        other_alarm.events,
        np.concatenate(errors),
        np.concatenate(baselines),
    )


def _only_plain(spec: CameraSpec) -> CameraSpec:
    return replace(spec, metres=None, rules={"close": spec.rules["close"]})


def _look(camera: Camera, other: Camera | None, clip: Clip) -> Iterator[tuple[Looked, Analysis | None]]:
    """Each picture by both, in one pass of the backbone."""

    def one(batch: list[Timed]) -> list[tuple[Looked, Analysis | None]]:
        looked = camera.look_at(batch)
        besides = [None] * len(batch) if other is None else [each.analysis for each in other.look_at(batch)]
        return list(zip(looked, besides, strict=True))

    return in_lanes(clip.frames(), one)


def _at_depth(analysis: Analysis, ground: np.ndarray) -> Analysis:
    """The same subjects, their distances read off another map of ground distances."""

    def moved(subject: Subject) -> Subject:
        metres = float(np.percentile(ground[subject.mask], 25))
        return replace(subject, distances=tuple(replace(each, metres=metres) for each in subject.distances))

    return replace(analysis, subjects=tuple(moved(each) for each in analysis.subjects))


def _mover_errors(looked: Looked, baseline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed relative errors on a sample of the mover's pixels: of the head, and of a map that looks at no picture."""
    assert looked.analysis.depth is not None
    placement = looked.analysis.placement
    movers = place_like(looked.rendered.kind_map, placement)
    pixels = np.flatnonzero(movers.ravel() > 0)[::37]
    true = place_like(looked.rendered.depth, placement).ravel()[pixels]
    logs = np.log(looked.analysis.depth.metres.astype(np.float32))
    read = np.exp(cv2.resize(logs, SHAPE[::-1], interpolation=cv2.INTER_LINEAR)).ravel()[pixels]
    return (read - true) / true, (baseline.ravel()[pixels] - true) / true


def median_depth(pose: str, count: int = 120) -> np.ndarray:
    """float32 (H, W): the per-pixel median of the training depth, a baseline that looks at no picture."""
    depths: list[np.ndarray] = []
    for picture in training_frames(count, POSES[pose], 4_000):
        placement = place(picture.rgb, SHAPE)[1]
        depths.append(place_like(picture.depth, placement).astype(np.float16))
    return np.median(np.stack(depths), axis=0).astype(np.float32)
