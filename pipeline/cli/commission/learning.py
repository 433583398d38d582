"""What the model learns of a camera while it is set up: a depth head for its view, and its empty view."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.camera import CameraSpec
from operators.frames import Item, Ticket, Times
from operators.results import ViewSample
from operators.scene.empty_view import build_view
from operators.scene.view_learner import ViewLearner
from pipeline.config.loader import Config
from pipeline.control.model import ModelSpec, build_analyzer, load_engine, model_spec
from pipeline.frame_path.owner.model_picture import model_picture
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.sources.picture import ArrayPicture

Progress = Callable[[str, int, int], None]
"""(what, done, of)."""


@dataclass(frozen=True, slots=True)
class LearntView:
    """An empty view that was stored."""

    version: str
    num_lights: int
    num_pictures: int


@dataclass(frozen=True, slots=True, repr=False)
class Fitted:
    """A camera's model, its depth head fitted."""

    config: Config
    spec: CameraSpec
    analyzer: Analyzer

    @property
    def artefacts(self) -> ArtefactStore:
        """Of the configuration's state."""
        return ArtefactStore(Path(self.config.runtime.state_dir) / "artefacts")


class Model:
    """Loads the weights once, at the first call that needs them. Blocks; not thread-safe."""

    def __init__(self) -> None:
        self._engine: Engine | None = None

    def fitted(self, config: Config, camera: str, progress: Progress) -> Fitted:
        """The camera's analyzer as `run` would build it; its depth head is fitted at its view where that is not done.

        Raises:
            WeightsError: the weights cannot be had.
            PipelineError: a bank or a head is missing, or the camera has no view to fit at.
            ConfigError: a threshold lies beyond what the depth head can tell.
        """
        alone = replace(config, cameras={camera: config.cameras[camera]})
        if self._engine is None:
            progress("loading the weights", 0, 1)
            self._engine = load_engine(config.model)
        spec: ModelSpec = model_spec(alone, self._engine, progress)
        analyzer = build_analyzer(spec, engine=self._engine)
        return Fitted(alone, spec.camera(camera), analyzer)


def learn_view(
    fitted: Fitted, pictures: Iterable[np.ndarray], count: int, progress: Progress, *, is_anew: bool = False
) -> LearntView:
    """Learns what the camera sees with nobody there, and stores it as the next version.

    Lights that were learnt before, by the same weights at the same size, are kept: once more under another light makes
    two of them.

    Args:
        fitted: The camera's model.
        pictures: uint8 (H, W, 3) RGB each, of the empty place.
        count: How many come.
        progress: Told after each.
        is_anew: Forget the lights that were learnt before.
    """
    made_by = fitted.analyzer.about.fingerprint
    store, camera = fitted.artefacts, fitted.spec.camera
    earlier = None if is_anew else _earlier(store, camera, made_by)
    learner = earlier or ViewLearner(made_by=made_by)
    samples: list[ViewSample] = []
    for rgb in pictures:
        samples.append(_sample(fitted, rgb))
        learner, _ = learner.add(samples[-1], (0, len(samples)), time.time_ns())
        progress("learning the empty view", len(samples), count)
    if not learner.learnt_lights():  # they differ too much to be one light by themselves; somebody says that they are
        learner = ViewLearner(made_by=made_by).seeded([samples])
    lights = learner.learnt_lights()
    view = build_view([light.samples for light in lights], made_by)
    learnt = replace(learner, position=None, last_sample_ns=None, last_lights=len(lights), samples_since=0)
    version = store.put(f"view/{camera}", view.to_bytes())
    store.put(f"learner/{camera}", learnt.to_bytes())
    return LearntView(version, len(lights), len(samples))


def _earlier(store: ArtefactStore, camera: str, made_by: str) -> ViewLearner | None:
    name = store.latest(f"learner/{camera}")
    learner = ViewLearner.from_bytes(store.get(name)) if name else None
    if learner is None or learner.made_by != made_by:
        return None
    return replace(learner, position=None, last_sample_ns=None)


def _sample(fitted: Fitted, rgb: np.ndarray) -> ViewSample:
    pixels, placement = model_picture(ArrayPicture(rgb), fitted.spec.shape, fitted.spec.privacy)
    now = time.time_ns()
    item = Item(
        Ticket(fitted.spec.camera, 0, 0, 0), Times(now, now, now, "arrival", 0), placement, pixels, (),
        wants_view_sample=True,
    )  # fmt: skip
    (analysis,) = fitted.analyzer.analyze([item])
    assert analysis.view_sample is not None, "the item asked for it"
    return analysis.view_sample
