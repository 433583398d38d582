"""A camera as a site sets it up: pose found, head fitted, empty view learnt, bank made, driven in. No exact depth."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.backbone.engine import EngineOutput
from operators.backbone.preprocess import place
from operators.camera import CameraSpec
from operators.frames import Item, Ticket, Times
from operators.geometry import FloorCamera
from operators.heads.config import DepthHead, HeadConfig, KnnHead
from operators.heads.depth_linear import DepthLinear
from operators.results import Analysis
from operators.retrieval.bank import Bank
from operators.retrieval.vectors import VectorSet
from operators.rules.config import RuleConfig
from operators.scene.config import Line
from operators.scene.empty_view import EmptyView, build_view
from operators.scene.residuals import MIN_READINGS, MeasuredMetres, Stop, measured
from operators.scene.view_learner import ViewLearner
from pipeline.simulation import KNOWN_KINDS, Rendered
from pipeline.simulation.standing import standing
from pipeline.simulation.training import placed
from tests.bench.alarm_clips import FPS, SAMPLES_APART_SECONDS, Site
from tests.bench.alarm_pixels import PixelView
from tests.bench.alarm_pose import SHAPE
from tests.bench.lanes import in_lanes

LINES: dict[str, Line] = {"dock": "here"}
PLAIN = {"measure": "distance_to(dock)", "enter": "< 3.0 m", "exit": "> 3.6 m", "hold": "600ms", "release": "1s"}
FORKLIFTS = {"of": {"head": "vehicles", "is": ["forklift"]}}
PER_CLASS = 20
"""Pictures a class in the bank."""
STOPS_METRES = (2.5, 3.5, 5.0)
READINGS_PER_STOP = 6
_LEAST_PATCHES = 4

Timed = tuple[float, Rendered]
"""(seconds, picture)."""


class OnePass(Engine):
    """Keeps each thread's last pass: a second analyzer of the same pictures costs none."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.backbone, "bf16" if engine.precision == "bf16" else "fp32")
        self._last = threading.local()

    def run(
        self,
        pixels: np.ndarray,
        taps: Sequence[int] = (),
        stop_after: int | None = None,
        normed: Sequence[int] = (),
        *,
        is_padded: bool = False,
    ) -> EngineOutput:
        asked = (tuple(taps), stop_after, tuple(normed), is_padded)
        before = getattr(self._last, "run", None)
        if before is not None and before[0] == asked and np.array_equal(before[1], pixels):
            return before[2]
        out = super().run(pixels, taps, stop_after, normed, is_padded=is_padded)
        self._last.run = (asked, pixels, out)
        return out


@dataclass(frozen=True)
class Looked:
    """What the analyzer said of one picture."""

    t: float
    rendered: Rendered
    item: Item
    analysis: Analysis


@dataclass(frozen=True)
class Camera:
    """A commissioned camera of one layout."""

    site: Site
    spec: CameraSpec
    analyzer: Analyzer
    view: EmptyView
    learner: ViewLearner
    stored: dict[str, bytes]
    """Artefacts by version."""
    pixels: PixelView
    num_stops: int = 0

    def look(self, pictures: Iterable[Timed]) -> Iterator[Looked]:
        """Two lanes of four pictures, against what is learnt, in order."""
        return in_lanes(pictures, self.look_at)

    def look_at(self, batch: Sequence[Timed], *, sample: bool = False) -> list[Looked]:
        """One batch; `sample`: for the learner."""
        items = [item_of(rendered, t, tuple(self.stored), sample=sample) for t, rendered in batch]
        analyses = self.analyzer.analyze(items)
        return [
            Looked(t, rendered, item, analysis)
            for (t, rendered), item, analysis in zip(batch, items, analyses, strict=True)
        ]

    def floor(self, analysis: Analysis) -> FloorCamera:
        """The geometry of one frame."""
        assert self.spec.view is not None
        return FloorCamera(self.spec.view, SHAPE, analysis.placement)


def item_of(rendered: Rendered, t: float, artefacts: tuple[str, ...], *, sample: bool = False) -> Item:
    """The picture as the reader would hand it over at rule time `t`."""
    pixels, placement = place(rendered.rgb, SHAPE)
    now = rule_time_ns(t)
    times = Times(now, now, now, "arrival", 0)
    return Item(Ticket("dock", 1, 0, now), times, placement, pixels, artefacts, wants_view_sample=sample)


def rule_time_ns(t: float) -> int:
    """Above 0, as every source's."""
    return round((t + 1.0) * 1e9)


def commission(engine: Engine, head: DepthLinear, spec: CameraSpec, site: Site, *, is_whole: bool = True) -> Camera:
    """Everything that a site does before the rule is armed.

    Args:
        engine: The backbone.
        head: Its depth head for this camera.
        spec: With the view that was found.
        site: The layout.
        is_whole: With a bank and drive-ins; else pose, head and empty view alone.
    """
    camera = learn_view(engine, head, replace(spec, heads=("depth", "embedding")), site)
    if not is_whole:
        return replace(camera, spec=replace(spec, rules={"close": rule()}))
    bank = make_bank(camera, engine)
    metres, num_stops = drive_in(camera)
    whole = replace(
        spec,
        heads=("depth", "vehicles"),
        metres=metres,
        rules={"close": rule(), "critical": rule(severity="critical"), "forklift": rule(**FORKLIFTS)},
    )
    stored = {**camera.stored, "head/vehicles@1": bank.to_bytes()}
    heads: dict[str, HeadConfig] = {"depth": DepthHead(kind="depth"), "vehicles": KnnHead(kind="knn", bank="vehicles")}
    analyzer = Analyzer(engine, heads, [whole], stored.__getitem__, {"depth": head})
    return replace(camera, spec=whole, analyzer=analyzer, stored=stored, num_stops=num_stops)


def rule(**more: object) -> RuleConfig:
    """The rule that is judged, or one that differs in `more`."""
    return RuleConfig.model_validate(PLAIN | more)


def learn_view(engine: Engine, head: DepthLinear, spec: CameraSpec, site: Site) -> Camera:
    """The empty view as the product learns it from pictures that come one by one; nobody tells it which light is on."""
    stored: dict[str, bytes] = {}
    heads: dict[str, HeadConfig] = {"depth": DepthHead(kind="depth")}
    analyzer = Analyzer(engine, heads, [spec], stored.__getitem__, {"depth": head})
    lights = site.empty_samples()
    flat = [picture for light in lights for picture in light]

    def one(batch: list[Timed]) -> list[Analysis]:
        return analyzer.analyze([item_of(picture, t, (), sample=True) for t, picture in batch])

    learner = ViewLearner(made_by=engine.backbone.fingerprint)
    for each in in_lanes(((SAMPLES_APART_SECONDS * at, picture) for at, picture in enumerate(flat)), one):
        assert each.view_sample is not None, "the item asked for it"
        learner, _ = learner.add(each.view_sample, each.ticket.position, each.times.rule_time_ns)
    view = build_view([light.samples for light in learner.learnt_lights()], learner.made_by)
    stored["view/dock@1"] = view.to_bytes()
    pixels = PixelView.of([[place(each.rgb, SHAPE)[0] for each in light] for light in lights], spec.grid)
    learner = replace(learner, position=None, last_sample_ns=None, last_lights=view.num_lights, samples_since=0)
    return Camera(site, spec, analyzer, view, learner, stored, pixels)


def make_bank(camera: Camera, engine: Engine) -> Bank:
    """Twenty pictures of each known kind, one mover each, masked by what the camera itself finds before its view."""
    classes = [index for index in range(len(KNOWN_KINDS)) for _ in range(PER_CLASS)]
    looked = list(camera.look(_one_mover_each(camera.site, classes)))
    things = [max(each.analysis.subjects, key=lambda s: s.mask.sum(), default=None) for each in looked]
    whole = np.stack([each.analysis.embedding for each in looked if each.analysis.embedding is not None])
    pooled = [(thing.embedding, of) for thing, of in zip(things, classes, strict=True) if thing is not None]
    return Bank(
        KNOWN_KINDS,
        VectorSet.of(engine.backbone.space(SHAPE), whole, np.array(classes)),
        VectorSet.of(
            engine.backbone.space(SHAPE, tap="patches", pooling="mask_mean"),
            np.stack([vector for vector, _ in pooled if vector is not None]),
            np.array([of for _, of in pooled]),
        ),
    )


def _one_mover_each(site: Site, classes: Sequence[int]) -> Iterator[Timed]:
    """Of lights and looks that no clip has."""
    for number, index in enumerate(classes):
        rng = np.random.default_rng([67, site.seed, number])
        while True:
            mover = placed(rng, KNOWN_KINDS[index], (1.6, 8.0))
            picture = site.picture([mover], int(rng.integers(2**31)), 0.0, number)
            if (picture.mover_map > 0).sum() >= _LEAST_PATCHES * 14 * 14:
                break
        yield float(number), picture


def drive_in(camera: Camera) -> tuple[MeasuredMetres | None, int]:
    """A forklift that stops at three distances known by tape; None: it was never well enough in view."""
    site, light = camera.site, camera.site.seed * 10 + 9
    vehicles = {metres: standing("forklift", metres, site.seed).states(0.0) for metres in STOPS_METRES}
    pictures = (
        (at / FPS, site.picture(vehicles[metres], light, at / FPS, at))
        for metres in STOPS_METRES
        for at in range(READINGS_PER_STOP)
    )
    looked = list(camera.look(pictures))
    stops: list[Stop] = []
    for number, metres in enumerate(STOPS_METRES):
        of = looked[number * READINGS_PER_STOP : (number + 1) * READINGS_PER_STOP]
        nearest = [read for each in of if (read := nearest_metres(each.analysis)) is not None]
        if len(nearest) >= MIN_READINGS:
            stops.append(Stop("dock", "here", metres, tuple(nearest), None, "2026-03-01T09:30:00Z", "forklift"))
    return (measured("bench", stops, is_fitted_here=True) if stops else None), len(stops)


def nearest_metres(analysis: Analysis, field: str = "metres") -> float | None:
    """Of the nearest subject to the dock; None: nobody is there."""
    found = [distance for subject in analysis.subjects for distance in subject.distances]
    nearest = min(found, key=lambda each: each.metres, default=None)
    return None if nearest is None else getattr(nearest, field)
