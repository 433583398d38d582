"""A class is added to a bank while everything runs: pictures, vectors, a new version, and all of its cameras use it.

The new version is in the artefact store and loaded by every analyzer before an owner asks for it; an analyzer that is
started meanwhile loads it with the first frame that names it. The folder of the bank holds it from then on, so that the
next start has it too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from operators.retrieval.bank import Bank, BankError
from operators.retrieval.build_bank import LabelledPicture
from operators.retrieval.vectors import SpaceMismatchError
from pipeline.clock import Clock
from pipeline.config.loader import Config
from pipeline.control.actors.starters import SupervisedWorker
from pipeline.control.banks.bank_folder import keep_pictures
from pipeline.control.banks.bank_pictures import (
    Gathered,
    alert_item,
    file_items,
    from_analyses,
    from_collection,
    nearest_to_line,
)
from pipeline.control.banks.bank_request import Added, AddRequest, banks_of, checked, mistake
from pipeline.control.snapshot import ActorKind
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.publisher import PublisherSnapshot

log = logging.getLogger(__name__)

LEARN_TIMEOUT_SECONDS = 60.0
IN_USE_SECONDS = 5.0
"""How long the answer waits for the first results of the new version."""
LOOK_SECONDS = 0.1


class Crew(Protocol):
    """Whom the supervisor knows; thread-safe."""

    def running(self, kind: ActorKind) -> list[SupervisedWorker]: ...
    def publisher_of(self, camera: str) -> SupervisedWorker: ...


class BankAdditions:
    """One addition at a time; `add` is called on any thread and blocks until results name the new version."""

    def __init__(
        self, config: Callable[[], Config], artefacts: Path, crew: Crew, clock: Clock, stop: threading.Event
    ) -> None:
        """`config`: as it is now; `stop`: the run ends; collections end with it."""
        self._now = config
        self._store = ArtefactStore(artefacts)
        self._crew = crew
        self._clock = clock
        self._stop = stop
        self._turn = threading.Lock()

    @property
    def _config(self) -> Config:
        return self._now()

    def add(self, request: AddRequest) -> Added:
        """Collects or reads pictures, embeds them, and brings the new version to every camera with this bank.

        Raises:
            PipelineError: code `unknown`, `usage`, `empty`, `space`, `busy`: nothing was changed, whoever asks can
                mend it; any other: an actor did not answer.
        """
        asked = checked(request, self._config)
        if not self._turn.acquire(blocking=False):
            raise mistake("another addition is under way. Ask again when it is done", "busy")
        try:
            return self._add(asked)
        finally:
            self._turn.release()

    def _add(self, asked: AddRequest) -> Added:
        assert asked.camera is not None
        assert asked.head is not None
        gathered = self._gathered(asked, asked.camera)
        began = self._clock.monotonic()
        if not gathered.pictures:
            raise mistake(f"no picture for {asked.label}: {_why_empty(gathered.skipped, asked)}", "empty")
        folder = Path(banks_of(self._config)[asked.head])
        bank = self._joined(folder, gathered.pictures)
        pictures = [each if bank.pooled else replace(each, mask=None) for each in gathered.pictures]
        versions = self._released(folder, bank, pictures)
        first = self._in_use(versions)
        return Added(
            label=asked.label,
            head=asked.head,
            artefacts=versions,
            bank=str(folder),
            pictures=len(pictures),
            with_subject=sum(each.mask is not None for each in gathered.pictures),
            skipped=gathered.skipped,
            classes=dict(bank.counts()),
            seconds=round(self._clock.monotonic() - began, 3),
            valid_from=first,
            waiting=sorted(self._asked_with(versions) - set(first)),
        )

    # --- pictures ----------------------------------------------------------------------------------------------------

    def _gathered(self, asked: AddRequest, camera: str) -> Gathered:
        now = datetime.fromtimestamp(self._clock.wall_ns() / 1e9, UTC)
        clip = f"{camera}-{now:%Y%m%dT%H%M%S%f}"
        if asked.next_seconds is not None:
            publisher = self._crew.publisher_of(camera)
            publisher.call("collect", camera)
            self._clock.wait(self._stop, asked.next_seconds)
            return from_collection(asked.label, clip, publisher.call("collected", camera))
        view = self._view(camera)
        if asked.at_seconds is not None:
            items = file_items(self._config, camera, asked.at_seconds, view)
            return from_analyses(asked.label, clip, items, self._ask_analyzer("analyze", items))
        assert asked.alert is not None
        item = alert_item(self._config, asked.alert, view)
        spec, rule = self._config.camera_spec(camera), asked.alert.split("/")[1]
        found = [nearest_to_line(spec, rule, each) for each in self._ask_analyzer("analyze", [item])]
        return from_analyses(asked.label, clip, [item], found)

    def _view(self, camera: str) -> str | None:
        snapshot: PublisherSnapshot = self._crew.publisher_of(camera).call("snapshot")
        return snapshot.views.get(camera)

    def _ask_analyzer(self, method: str, argument: Any) -> Any:
        """By the first one that answers."""
        died: PipelineError | None = None
        for worker in self._crew.running("analyze"):
            try:
                return worker.call(method, argument, timeout_seconds=LEARN_TIMEOUT_SECONDS)
            except PipelineError as error:
                if error.code not in {"died", "timeout"}:
                    raise
                died = error
        raise died or PipelineError("no analyzer runs now. Ask again in a few seconds", code="not_running")

    # --- the new version ---------------------------------------------------------------------------------------------

    def _joined(self, folder: Path, pictures: Sequence[LabelledPicture]) -> Bank:
        learnt = Bank.from_bytes(self._ask_analyzer("learn", list(pictures)))
        try:
            return Bank.load(folder).joined(learnt)
        except (BankError, SpaceMismatchError) as error:
            raise mistake(f"{folder}: {error}", "space") from None

    def _released(self, folder: Path, bank: Bank, pictures: Sequence[LabelledPicture]) -> list[str]:
        """Store, analyzers, folder, publishers: in this order nobody names what somebody cannot load."""
        data = bank.to_bytes()
        heads = [name for name, path in banks_of(self._config).items() if Path(path).resolve() == folder.resolve()]
        try:
            versions = [self._store.put(f"head/{name}", data) for name in heads]
            self._each("analyze", lambda worker: [worker.call("load", version) for version in versions])
            keep_pictures(folder, pictures)
            bank.save(folder)
        except OSError as error:
            msg = f"the bank cannot be written: {error}. Free space"
            raise PipelineError(msg, code="state_unwritable") from None
        self._each("publish", lambda worker: [worker.call("adopt", version) for version in versions])
        return versions

    def _each(self, kind: ActorKind, tell: Callable[[SupervisedWorker], object]) -> None:
        """All answer; one that is gone finds the newest version when it is started again."""
        for worker in self._crew.running(kind):
            try:
                tell(worker)
            except PipelineError as error:
                if error.code not in {"died", "timeout"}:
                    raise
                log.warning("%s did not hear of the new version, and finds it when it is started: %s", kind, error)

    def _in_use(self, versions: Sequence[str]) -> dict[str, str]:
        """First frame by camera whose result names a new version."""
        cameras = self._asked_with(versions)
        deadline = self._clock.monotonic() + IN_USE_SECONDS
        while True:
            first = self._first_frames(versions)
            is_over = self._stop.is_set() or self._clock.monotonic() >= deadline
            if cameras <= set(first) or is_over:
                return first
            self._clock.wait(self._stop, LOOK_SECONDS)

    def _asked_with(self, versions: Sequence[str]) -> set[str]:
        """Cameras that have one of these heads."""
        heads = {version.rpartition("@")[0].removeprefix("head/") for version in versions}
        return {name for name in self._config.cameras if heads & set(self._config.camera_spec(name).heads)}

    def _first_frames(self, versions: Sequence[str]) -> dict[str, str]:
        snapshots: list[PublisherSnapshot] = []
        self._each("publish", lambda worker: snapshots.append(worker.call("snapshot")))
        return {
            camera: f"{camera}/{used.valid_from[0]}/{used.valid_from[1]}"
            for snapshot in snapshots
            for camera, heads in snapshot.heads.items()
            for used in heads.values()
            if used.name in versions
        }


def _why_empty(skipped: dict[str, int], asked: AddRequest) -> str:
    if not skipped:
        return f"{asked.camera} sent no frame in that time"
    reasons = ", ".join(f"{count} with {reason}" for reason, count in skipped.items())
    return f"expected frames with exactly one subject in front of the learnt view, got {reasons}"
