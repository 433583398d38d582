"""A person has a running camera's empty view taught: what is asked, and when it is learnt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from operators.scene.empty_view import EmptyView
from operators.spelling import did_you_mean
from pipeline.clock import Clock
from pipeline.config.loader import Config
from pipeline.control.actors.starters import SupervisedWorker
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.publisher import PublisherSnapshot

LEAST_SECONDS, MOST_SECONDS = 2.0, 600.0
MARGIN_SECONDS = 20.0
"""How much longer than asked frames may take to bring their samples."""
LOOK_SECONDS = 0.25


class LearnRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The next `seconds` of a camera show its empty place; travels as JSON."""

    camera: str
    seconds: float
    is_anew: bool = False
    """Forget every light learnt so far."""


class Learnt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    view: str
    lights: int


class Crew(Protocol):
    """Whom the supervisor knows; thread-safe."""

    def publisher_of(self, camera: str) -> SupervisedWorker: ...


class ViewLessons:
    """`learn` is called on any thread and blocks until a new version of the view is there."""

    def __init__(
        self, config: Callable[[], Config], artefacts: Path, crew: Crew, clock: Clock, stop: threading.Event
    ) -> None:
        """`config`: as it is now; `stop`: the run ends, and waiting with it."""
        self._config = config
        self._store = ArtefactStore(artefacts)
        self._crew = crew
        self._clock = clock
        self._stop = stop

    def learn(self, asked: LearnRequest) -> Learnt:
        """Teaches the view from the camera's next frames.

        Raises:
            PipelineError: code `unknown`, `usage`, `empty`: whoever asks can mend it; any other: the publisher did not
                answer.
        """
        camera, cameras = asked.camera, tuple(self._config().cameras)
        if camera not in cameras:
            hint = did_you_mean(camera, cameras)
            msg = f"unknown camera {camera!r}: expected one of {', '.join(cameras)}{hint}"
            raise PipelineError(msg, code="unknown")
        if not LEAST_SECONDS <= asked.seconds <= MOST_SECONDS:
            msg = f"seconds: expected {LEAST_SECONDS:g} to {MOST_SECONDS:g}, got {asked.seconds:g}"
            raise PipelineError(msg, code="usage")
        publisher = self._crew.publisher_of(camera)
        before = self._view(publisher, camera)
        publisher.call("teach_view", camera, asked.seconds, asked.is_anew)
        deadline = self._clock.monotonic() + asked.seconds + MARGIN_SECONDS
        while self._clock.monotonic() < deadline and not self._clock.wait(self._stop, LOOK_SECONDS):
            view = self._view(publisher, camera)
            if view is not None and view != before:
                return Learnt(view=view, lights=EmptyView.from_bytes(self._store.get(view)).num_lights)
        msg = (
            f"{camera} showed too few pictures within {asked.seconds + MARGIN_SECONDS:.0f} s: expected five, in one "
            "light. It goes on learning as frames come; is the camera live?"
        )
        raise PipelineError(msg, code="empty")

    def _view(self, publisher: SupervisedWorker, camera: str) -> str | None:
        snapshot: PublisherSnapshot = publisher.call("snapshot")
        return snapshot.views.get(camera)
