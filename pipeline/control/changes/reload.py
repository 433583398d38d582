"""The configuration has changed while the pipeline runs: what of it is applied, and what is said of each camera."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pipeline.clock import Clock
from pipeline.config.changes import CameraChange
from pipeline.config.judged import Judged, judge, read_wanted
from pipeline.config.problems import ConfigError
from pipeline.control.changes.applied import Applied, CameraAnswer
from pipeline.control.changes.camera_models import with_cameras
from pipeline.control.changes.changeover import Changeover, Order
from pipeline.control.planning.specs import RunSpec
from pipeline.errors import PipelineError
from pipeline.sources.registry import group_feeds

WAIT_SECONDS = 90.0
LOOK_SECONDS = 0.5


class Crew(Protocol):
    """The supervisor; thread-safe."""

    @property
    def spec(self) -> RunSpec: ...
    def change(self, order: Order) -> Changeover: ...


class Reload:
    """`apply` is called on any thread and blocks until every actor that runs has the change."""

    def __init__(self, crew: Crew, clock: Clock, stop: threading.Event) -> None:
        """`stop`: the run ends, and waiting with it."""
        self._crew = crew
        self._clock = clock
        self._stop = stop
        self._turn = threading.Lock()

    @property
    def path(self) -> Path:
        """The file or folder that is read."""
        return self._crew.spec.config.path

    def apply(self, *, is_dry_run: bool = False, file: str | None = None) -> Applied:
        """Reads the file again and does what can be done.

        Args:
            is_dry_run: Says what would be done, and does nothing.
            file: The name of the file that whoever asks has in mind.

        Raises:
            PipelineError: code `usage`: the file as a whole is refused, with every mistake; `busy`: another change is
                under way; else the change was not carried out.
        """
        if file not in {None, self.path.name}:
            msg = f"this pipeline runs with {self.path}: expected that file, got {file}"
            raise PipelineError(msg, code="usage")
        if not self._turn.acquire(blocking=False):
            raise PipelineError("another change is under way. Ask again when it is done", code="busy")
        try:
            return self._apply(is_dry_run=is_dry_run)
        finally:
            self._turn.release()

    def _apply(self, *, is_dry_run: bool) -> Applied:
        running = self._crew.spec
        try:
            judged, spec = _compiled(running)
        except ConfigError as error:
            raise PipelineError(f"the configuration is refused as a whole:\n{error}", code="usage") from None
        changes = _with_shared(judged.changes, running, spec)
        answer = Applied(
            file=str(running.config.path.resolve()),
            cameras=_answers(changes, judged),
            restart=judged.sections,
            is_dry_run=is_dry_run,
        )
        if not is_dry_run and any(each.kind != "unchanged" for each in changes.values()):
            self._carry_out(Order(spec, _of_kind(changes, "changed"), _of_kind(changes, "reopened")))
        return answer

    def _carry_out(self, order: Order) -> None:
        change = self._crew.change(order)
        deadline = self._clock.monotonic() + WAIT_SECONDS
        while not self._clock.wait(change.done, LOOK_SECONDS):
            if self._stop.is_set():
                raise PipelineError("the run ends; the change counts from its next start on", code="stopped")
            if self._clock.monotonic() > deadline:
                msg = f"not every actor has answered within {WAIT_SECONDS:g} s; the change goes on, see /status"
                raise PipelineError(msg, code="timeout")
        if change.failure is not None:
            raise change.failure


def _compiled(running: RunSpec) -> tuple[Judged, RunSpec]:
    """Raises: ConfigError."""
    wanted = read_wanted(running.config.path)
    refused: dict[str, str] = {}
    restart: dict[str, str] = {}
    while True:
        judged = judge(running.config, wanted, refused, restart)
        moved = [camera for camera, each in judged.changes.items() if each.kind not in {"unchanged", "removed"}]
        compiled = with_cameras(running.model, judged.config, moved)
        if not compiled.refused and not compiled.restart:
            return judged, RunSpec(judged.config, compiled.model)
        refused |= compiled.refused
        restart |= compiled.restart


def _with_shared(changes: Mapping[str, CameraChange], running: RunSpec, spec: RunSpec) -> dict[str, CameraChange]:
    """Cameras of one feed are opened anew together."""
    before = {camera: feed for feed in _feeds(running) for camera in feed}
    found = dict(changes)
    for feed in _feeds(spec):
        is_other = any(before.get(camera) not in {None, feed} or changes[camera].kind == "reopened" for camera in feed)
        for camera in feed:
            if is_other and changes[camera].kind in {"unchanged", "changed"}:
                found[camera] = CameraChange("reopened", changes[camera].what or ("shared feed",))
    return found


def _feeds(spec: RunSpec) -> list[tuple[str, ...]]:
    return group_feeds({camera: each.source for camera, each in spec.cameras.items()})


def _of_kind(changes: Mapping[str, CameraChange], kind: str) -> frozenset[str]:
    return frozenset(camera for camera, each in changes.items() if each.kind == kind)


def _answers(changes: Mapping[str, CameraChange], judged: Judged) -> dict[str, CameraAnswer]:
    found: dict[str, CameraAnswer] = {}
    for camera, each in changes.items():
        if camera in judged.refused:
            found[camera] = CameraAnswer(outcome="refused", reason=judged.refused[camera])
        elif camera in judged.restart:
            found[camera] = CameraAnswer(outcome="needs_restart", reason=judged.restart[camera])
        elif each.kind == "unchanged":
            found[camera] = CameraAnswer(outcome="unchanged")
        else:
            found[camera] = CameraAnswer(outcome="applied", did=each.kind, what=each.what)
    return found
