"""From pictures to readings, as the pipeline does it, with the controls that must fail read from the same frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from operators.backbone import Engine
from operators.backbone.preprocess import place
from operators.camera import CameraSpec
from operators.frames import Placement, Ticket, Times, grid_of
from operators.geometry import FloorCamera
from operators.heads.depth_linear import DEPTH_BLOCKS, DepthLinear
from operators.heads.fit_depth import place_like
from operators.results import Analysis, Depth, Subject, ViewSample
from operators.rules.config import RuleConfig
from operators.rules.episodes import RuleState, step
from operators.rules.measures import parse_measure, read_measure
from operators.scene.empty_view import VIEW_BLOCK, EmptyView, build_view
from operators.scene.subjects import find_subjects, view_tokens
from operators.scene.tracks import Tracks
from pipeline.simulation.depth_heads import head_for_view
from pipeline.simulation.pose import POSES
from pipeline.simulation.rendered import Rendered
from pipeline.simulation.training import training_frames
from tests.bench.alarm_clips import FPS, Clip, Site
from tests.bench.lanes import in_lanes

SHAPE = (224, 392)
LINES = {"dock": "here"}
RULE = RuleConfig.model_validate(
    {"measure": "distance_to(dock)", "enter": "< 3.0 m", "exit": "> 3.6 m", "hold": "600ms", "release": "1s"}
)


@dataclass(frozen=True)
class Looked:
    """What the model said of one picture."""

    rendered: Rendered
    placement: Placement
    log_depth: np.ndarray
    """float32 (h, w)."""
    tokens: np.ndarray
    """float16 (N, D)."""
    depth_map: np.ndarray
    """float32 (H, W) metres per pixel."""


def look(engine: Engine, head: DepthLinear, pose: str, pictures: Iterable[Rendered]) -> Iterator[Looked]:
    """Run pictures through the model, four at a time, one batch ahead of what is drawn."""
    view = POSES[pose].view()

    def one(batch: list[Rendered]) -> list[Looked]:
        placed = [place(picture.rgb, SHAPE) for picture in batch]
        taps = engine.run(np.stack([pixels for pixels, _ in placed]), DEPTH_BLOCKS, DEPTH_BLOCKS[-1]).taps
        camera, grid = FloorCamera(view, SHAPE, placed[0][1]), grid_of(SHAPE, engine.backbone.arch.patch)
        depth = head.predict(taps, grid, camera.focal[1])
        maps = head.predict_map(taps, grid, SHAPE, camera.focal[1])
        tokens = view_tokens(taps[VIEW_BLOCK][1])
        return [
            Looked(picture, placed[row][1], np.log(depth[row]), tokens[row], maps[row])
            for row, picture in enumerate(batch)
        ]

    yield from in_lanes(pictures, one)


def fit_head(engine: Engine, pose: str, cache_dir: Path) -> DepthLinear:
    """The head for a pose as the product fits it: from layouts, lights and colours that no clip has."""
    return head_for_view(engine, POSES[pose].view(), SHAPE, cache_dir)


def median_depth(pose: str, count: int = 120) -> np.ndarray:
    """float32 (H, W): the per-pixel median of the training depth, a baseline that looks at no picture."""
    depths = []
    for picture in training_frames(count, POSES[pose], 4_000):
        placement = place(picture.rgb, SHAPE)[1]
        depths.append(place_like(picture.depth, placement).astype(np.float16))
    return np.median(np.stack(depths), axis=0).astype(np.float32)


def learn_view(engine: Engine, head: DepthLinear, site: Site) -> EmptyView:
    """The site's empty view under four lights."""
    lights = site.empty_samples()
    looked = iter(look(engine, head, site.pose, (picture for light in lights for picture in light)))
    samples = [
        [ViewSample(each.log_depth.astype(np.float16), each.tokens, 0.0) for each in islice(looked, len(light))]
        for light in lights
    ]
    return build_view(samples)


@dataclass(frozen=True)
class FrameScore:
    """One frame of a clip."""

    t: float
    truth: float | None
    """Metres, exact p25 of the mover; None: not in view."""
    read: float | None
    """Metres from the nearest subject in view."""
    floor: float | None
    """The same from the empty view's own depth in the same mask."""
    contact: float | None
    num_subjects: int


@dataclass(frozen=True)
class ClipScore:
    """What the alarm did in one clip."""

    clip: Clip
    frames: list[FrameScore]
    starts: list[float]
    floor_starts: list[float]
    mover_errors: np.ndarray
    """float32, signed relative error of depth on a sample of the mover's pixels."""
    baseline_errors: np.ndarray


def watch(engine: Engine, head: DepthLinear, view: EmptyView, baseline: np.ndarray, clip: Clip) -> ClipScore:
    """Plays one clip through subjects, tracks and the rule."""
    pose_view = POSES[clip.site.pose].view()
    frames: list[FrameScore] = []
    alarm, floor_alarm = Alarm(), Alarm()
    errors: list[np.ndarray] = []
    baselines: list[np.ndarray] = []
    floor_depth = np.exp(view.log_depth.astype(np.float64))
    for t, each in zip(clip.times(), look(engine, head, clip.site.pose, clip.frames()), strict=True):
        camera = FloorCamera(pose_view, SHAPE, each.placement)
        subjects = find_subjects(view, each.log_depth, each.tokens, camera, LINES)
        floor = camera.ground_distance(floor_depth)
        on_floor = [_at(subject, float(np.percentile(floor[subject.mask], 25))) for subject in subjects]
        alarm.see(subjects, each.log_depth, float(t))
        floor_alarm.see(on_floor, each.log_depth, float(t))
        truth = each.rendered.truth(0) if each.rendered.kinds else None
        nearest = subjects[0].distances[0] if subjects else None
        frames.append(
            FrameScore(
                t=float(t),
                truth=None if truth is None else truth.distance_p25,
                read=None if nearest is None else nearest.metres,
                floor=min((subject.distances[0].metres for subject in on_floor), default=None),
                contact=None if nearest is None else nearest.contact_metres,
                num_subjects=len(subjects),
            )
        )
        depth, movers = (
            place_like(each.rendered.depth, each.placement),
            place_like(each.rendered.kind_map, each.placement),
        )
        pixels = np.flatnonzero(movers.ravel() > 0)[::37]
        true = depth.ravel()[pixels]
        errors.append((each.depth_map.ravel()[pixels] - true) / true)
        baselines.append((baseline.ravel()[pixels] - true) / true)
    return ClipScore(clip, frames, alarm.starts, floor_alarm.starts, np.concatenate(errors), np.concatenate(baselines))


class Alarm:
    """Tracks and one rule on a simulated clock."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self._tracks, self._state = Tracks(), RuleState()
        self._camera = CameraSpec("dock", SHAPE, lines={"dock": "here"}, rules={"close": RULE})
        self._measure = parse_measure(RULE.measure)

    def see(self, subjects: list[Subject], log_depth: np.ndarray, t: float) -> None:
        now = int(t * 1e9)
        self._tracks, seen, held = self._tracks.step(subjects, now, self._camera.scene.absorb_after)
        reading = read_measure(self._measure, RULE, self._camera, _analysis(log_depth, seen, now), held)
        self._state, transitions = step("close", RULE, self._state, reading, now, period_ns=int(1e9 / FPS))
        self.starts += [t for transition in transitions if transition.kind == "start"]


def _at(subject: Subject, metres: float) -> Subject:
    line = subject.distances[0]
    return Subject(subject.box, subject.mask, (type(line)(line.line, metres, line.sigma_metres),))


def _analysis(log_depth: np.ndarray, subjects: tuple[Subject, ...], now: int) -> Analysis:
    metres = np.exp(log_depth).astype(np.float16)
    valid = float(np.isfinite(metres).mean())
    depth = Depth("depth", metres, float(np.nanpercentile(metres, 5)), float(np.nanmedian(metres)), valid, True)
    times = Times(now, now, now, "arrival", 0)
    place_of = Placement(SHAPE, SHAPE, (1.0, 1.0))
    return Analysis(Ticket("dock", 1, 1, now), times, place_of, "", None, depth, (), subjects, "view/dock@1")
