"""Teaches a camera's empty view: `scene learn` and `commission` alike."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from operators.frames import Item, Ticket, Times, nearest_shape
from operators.results import ViewSample
from operators.scene.empty_view import EmptyView, build_view
from operators.scene.view_learner import ViewLearner
from pipeline.cli.app import UserError
from pipeline.cli.camera_model import Fitted, Progress
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.running_pipeline import UNREACHABLE, RunningPipeline
from pipeline.config.loader import Config
from pipeline.control.banks.bank_pictures import file_items
from pipeline.control.serving.http_scene import SCENE_LEARN
from pipeline.control.view_lessons import MARGIN_SECONDS
from pipeline.errors import PipelineError
from pipeline.frame_path.owner.model_picture import model_picture
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.collection import evenly
from pipeline.sources.picture import ArrayPicture

PICTURES = 6
"""Of one light; a median of five survives two passers-by, and the first may be the one that somebody leaves in."""
ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """When the camera shows its place with nobody there."""

    seconds: float
    """Of a camera that sends by itself: from now on."""
    span: tuple[float, float] | None = None
    """Of a file: (begin, end) in seconds; None: its first `seconds`."""
    is_anew: bool = False
    """Forget the lights that were learnt before: the camera looks elsewhere, or is read otherwise now."""


@dataclass(frozen=True, slots=True)
class LearntView:
    """A version of an empty view."""

    version: str
    lumas: tuple[float, ...]
    """Mean brightness of each light that it knows, 0 to 255."""
    num_lights: int


def teach(fitted: Fitted, camera: Camera, lesson: Lesson, progress: Progress) -> LearntView:
    """Opens the camera, learns what it shows, and stores it as the next version in the configuration's state.

    Lights that were learnt before, by the same weights at the same size, are kept: once more under another light makes
    two of them.

    Raises:
        UserError: the camera cannot be opened, fails, or its file shows nothing there.
    """
    if camera.source.file is None:
        seen = _live(fitted, camera.pictures(PICTURES, lesson.seconds / PICTURES))
        return learn(fitted, seen, PICTURES, progress, is_anew=lesson.is_anew)
    try:
        items = file_items(fitted.config, camera.name, lesson.span or (0.0, lesson.seconds), None)
    except PipelineError as error:
        raise UserError(error.message) from None
    chosen = [replace(items[index], wants_view_sample=True) for index in evenly(len(items), PICTURES)]
    return learn(fitted, chosen, len(chosen), progress, is_anew=lesson.is_anew)


def learn(
    fitted: Fitted, items: Iterable[Item], count: int, progress: Progress, *, is_anew: bool = False
) -> LearntView:
    """The same from items of the empty place that want their view sample.

    Args:
        fitted: The camera's model.
        items: Of the empty place.
        count: How many come.
        progress: Told after each.
        is_anew: Forget the lights that were learnt before.
    """
    made_by = fitted.analyzer.about.fingerprint
    store, camera = fitted.artefacts, fitted.spec.camera
    earlier = None if is_anew else _earlier(store, camera, made_by)
    learner = earlier or ViewLearner(made_by=made_by)
    samples: list[ViewSample] = []
    for item in items:
        (analysis,) = fitted.analyzer.analyze([item])
        assert analysis.view_sample is not None, "the item asked for it"
        samples.append(analysis.view_sample)
        learner, _ = learner.add(samples[-1], (0, len(samples)), time.time_ns())
        progress("learning the empty view", len(samples), count)
    if not learner.learnt_lights():  # they differ too much to be one light by themselves; somebody says that they are
        learner = ViewLearner(made_by=made_by).seeded([samples])
    lights = learner.learnt_lights()
    view = build_view([light.samples for light in lights], made_by)
    learnt = replace(learner, position=None, last_sample_ns=None, last_lights=len(lights), samples_since=0)
    version = store.put(f"view/{camera}", view.to_bytes())
    store.put(f"learner/{camera}", learnt.to_bytes())
    return LearntView(version, view.lumas, len(lights))


def ask_running(config: Config, camera: str, lesson: Lesson) -> LearntView | None:
    """Has the running pipeline learn it from its own camera; None: none runs, as far as this machine can tell.

    Raises:
        UserError: it refuses, or sees too little.
    """
    served = config.runtime.http
    if served is None or served.token is None:
        return None
    pipeline = RunningPipeline(served.bind, config.secrets.resolve(served.token))
    request = {"camera": camera, "seconds": lesson.seconds, "is_anew": lesson.is_anew}
    wait_seconds = lesson.seconds + MARGIN_SECONDS + ANSWER_SECONDS
    try:
        answer: dict[str, Any] = pipeline.ask(
            SCENE_LEARN, request, wait_seconds=wait_seconds, failed=f"{camera}: nothing was learnt"
        )
    except UserError as error:
        if error.exit_code != UNREACHABLE or "does not answer" not in str(error):
            raise
        return None
    return LearntView(answer["view"], (), answer["lights"])


def known(store: ArtefactStore, camera: str) -> LearntView | None:
    """The newest version of a camera's empty view."""
    newest = store.latest(f"view/{camera}")
    if newest is None:
        return None
    view = EmptyView.from_bytes(store.get(newest))
    return LearntView(newest, view.lumas, view.num_lights)


def learnt_said(learnt: LearntView) -> str:
    """What is known, and whether a second light is still asked for."""
    of = "light" if learnt.num_lights == 1 else "lights"
    how = ", ".join(f"{luma:.0f}" for luma in learnt.lumas)
    said = f"{learnt.version} knows {learnt.num_lights} {of}{f' (brightness {how} of 255)' if how else ''}"
    if learnt.num_lights > 1:
        return said
    return (
        f"{said}. A second light is still asked for, such as dusk or with the lamps on: until then rules that need "
        "subjects stay unknown, unless they `accept: one_light`"
    )


def _live(fitted: Fitted, pictures: Iterator[np.ndarray]) -> Iterator[Item]:
    spec, shapes = fitted.spec, fitted.config.model.shapes
    for rgb in pictures:
        shape = nearest_shape((rgb.shape[0], rgb.shape[1]), shapes) if shapes else spec.shape
        pixels, placement = model_picture(ArrayPicture(rgb), shape, spec.privacy)
        now = time.time_ns()
        times = Times(now, now, now, "arrival", 0)
        yield Item(Ticket(spec.camera, 0, 0, 0), times, placement, pixels, (), wants_view_sample=True)


def _earlier(store: ArtefactStore, camera: str, made_by: str) -> ViewLearner | None:
    name = store.latest(f"learner/{camera}")
    learner = ViewLearner.from_bytes(store.get(name)) if name else None
    if learner is None or learner.made_by != made_by:
        return None
    return replace(learner, position=None, last_sample_ns=None)
