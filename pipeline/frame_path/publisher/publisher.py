"""From deliveries of owners to events at sinks: the `Desk` behind one lock, and the thread that turns it.

One SQLite transaction for the deliveries that wait, and no broker in it: a call takes milliseconds whatever the sinks
do.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from operators.results import ModelInfo
from pipeline.clock import Clock
from pipeline.errors import PublishError
from pipeline.frame_path.publisher.action_request import Acted, ActionRequest
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.collection import Collected
from pipeline.frame_path.publisher.desk import Desk
from pipeline.frame_path.publisher.draft import Letterhead
from pipeline.frame_path.publisher.evidence import EvidenceStore
from pipeline.frame_path.publisher.gathering import Gathering, Outcome
from pipeline.frame_path.publisher.published import ActiveAlert, PublishedCamera, PublisherSnapshot, RuleValue
from pipeline.frame_path.publisher.records import Records
from pipeline.frame_path.publisher.thumbnails import Thumbnails
from pipeline.messages import Attachment, Delivery, Receipt, Settlement
from pipeline.sinks.base import Sink
from pipeline.sinks.config import EvidenceConfig, OutboxConfig

__all__ = ["ActiveAlert", "PublishedCamera", "Publisher", "PublisherSnapshot", "RuleValue"]

TURN_SECONDS = 0.25
CATCH_UP_SECONDS = 0.005
"""Between two parts of a backlog: lets owners in."""
CLOSE_MARGIN_SECONDS = 5.0
"""A sink that does not keep to its time is left behind."""
PRUNE_SECONDS = 60.0
_LOG = logging.getLogger(__name__)


class Publisher:
    """Publishes for its cameras. All public methods are thread-safe.

    `state_dir` belongs to this publisher alone; its artefacts lie in `state_dir/artefacts` unless given. A publisher
    that was killed goes on where it was: the transaction of a call is on disk before anything of it reaches a sink.
    """

    def __init__(  # noqa: PLR0917 - the contract with the control code, which names every argument
        self,
        cameras: Sequence[PublishedCamera],
        sinks: Sequence[Sink],
        required: frozenset[str],
        state_dir: Path,
        site: str,
        timezone: str,
        model: ModelInfo,
        outbox: OutboxConfig,
        evidence: EvidenceConfig,
        clock: Clock,
        artefacts: ArtefactStore | None = None,
        owns: Callable[[str], bool] = lambda _: True,
        run_dir: Path | None = None,
    ) -> None:
        """Opens the state. `owns`: of which cameras it deletes old evidence, where several share a store; `run_dir`:
        state of all publishers together, None: `state_dir`, since there is one.

        Raises:
            PublishError: it cannot be opened, or another process holds it (code `state_locked`).
        """
        self._clock = clock
        self._sinks = tuple(sinks)
        try:
            self._evidence = EvidenceStore(evidence, owns, state_dir=run_dir or state_dir)
        except OSError as error:
            msg = f"evidence store cannot be opened: {error.strerror} ({evidence.store})"
            raise PublishError(msg, code="evidence_store") from None
        letterhead = Letterhead(model, site, timezone, evidence.store.rstrip("/"))
        self._records = Records(
            state_dir / "publisher.sqlite",
            [sink.name for sink in sinks],
            required,
            outbox.max_bytes,
            evidence=self._evidence,
            letterhead=letterhead,
            clock=clock,
        )
        store = artefacts or ArtefactStore(state_dir / "artefacts")
        self._thumbnails = Thumbnails(self._evidence.thumbnails)
        self._desk = Desk(
            self._records, sinks, letterhead=letterhead, artefacts=store, thumbnails=self._thumbnails, clock=clock
        )
        self._lock = threading.Lock()
        self._gathering = Gathering(self._commit)
        self._wake = threading.Event()
        self._is_closing = False
        self._pruned = clock.monotonic()
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._desk.change(cameras)
        self._desk.leave_unknown()

    def start(self) -> None:
        """Starts the sinks, which are offered first what an earlier run could not deliver."""
        for sink in self._sinks:
            sink.start(self._on_settled)
        self.turn()
        self._thread.start()

    def change(self, cameras: Sequence[PublishedCamera]) -> None:
        """Answers for these cameras as they are configured now, and for no others; on disk when this returns.

        A camera that stays as it was is not touched. An episode goes on while its rule watches the same; else, and
        where rule or camera are gone, it ends with the reason (`rule_changed`, `rule_removed`, `camera_removed`).

        Raises:
            PublishError: the state cannot be written, or the publisher is closed.
        """
        with self._lock:
            self._require_open()
            self._desk.change(cameras)

    def attach(self, camera: str, lease: int) -> Attachment:
        """An owner takes a camera over; lower leases are fenced from here on.

        Raises:
            PublishError: the camera is not known here, the state cannot be written, or the publisher is closed.
        """
        with self._lock:
            self._require_open()
            return self._desk.attach(camera, lease)

    def publish(self, delivery: Delivery) -> Receipt:
        """Takes one delivery; when this returns it is on disk, and on its way to the sinks. Deliveries that come while
        another is written are written together.

        Raises:
            PublishError: as for `attach`; nothing of the delivery was taken, and it can be sent again.
        """
        return self._gathering.publish(delivery)

    def _commit(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        with self._lock:
            self._require_open()
            return self._desk.publish_together(deliveries)

    def adopt(self, version: str) -> None:
        """Cameras with the head of `head/vehicles@8` are asked with it from their next frame on.

        Raises:
            PublishError: the publisher is closed.
        """
        with self._lock:
            self._require_open()
            self._desk.adopt(version)

    def act(self, camera: str, request: ActionRequest) -> Acted:
        """A person mutes, acknowledges or arms; when this returns it is on disk, with its events.

        Raises:
            PublishError: code `unknown`, `usage` or `conflict`: nothing was changed, whoever asks can mend it; else as
                for `attach`.
        """
        with self._lock:
            self._require_open()
            return self._desk.act(camera, request)

    def teach_view(self, camera: str, seconds: float, *, is_anew: bool) -> None:
        """The camera's next frames show the empty place; on disk when this returns.

        Raises:
            PublishError: the camera has no empty view (code `usage`), or as for `attach`.
        """
        with self._lock:
            self._require_open()
            self._desk.teach_view(camera, seconds, is_anew=is_anew)

    def collect(self, camera: str) -> None:
        """Keeps pictures of the camera's frames to come, for a bank; an earlier collection of it is let go.

        Raises:
            PublishError: the camera is not known here, or the publisher is closed.
        """
        with self._lock:
            self._require_open()
            self._desk.collect(camera)

    def collected(self, camera: str) -> Collected:
        """Ends a collection, and returns what it brought.

        Raises:
            PublishError: none is under way, since this publisher was started meanwhile (code `not_collecting`).
        """
        with self._lock:
            return self._desk.collected(camera)

    def turn(self) -> bool:
        """One round of what needs no owner, as the publisher's thread does it four times a second.

        Returns:
            Whether a backlog can go on at once.

        Raises:
            PublishError: the state cannot be written.
        """
        with self._lock:
            can_go_on = self._desk.turn()
        self._thumbnails.write()
        self._write_evidence()
        return can_go_on

    def snapshot(self) -> PublisherSnapshot:
        """Now; also after `close`."""
        with self._lock:
            return self._desk.snapshot(self._sinks)

    def close(self, timeout_seconds: float) -> None:
        """Takes nothing more, lets the sinks deliver for at most this long, and closes the state. Idempotent."""
        with self._lock:
            if self._is_closing:
                return
            self._is_closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._write_evidence()
        closers = [threading.Thread(target=sink.close, args=(timeout_seconds,), daemon=True) for sink in self._sinks]
        for closer in closers:
            closer.start()
        deadline = self._clock.monotonic() + timeout_seconds + CLOSE_MARGIN_SECONDS
        for sink, closer in zip(self._sinks, closers, strict=True):
            closer.join(max(0.0, deadline - self._clock.monotonic()))
            if closer.is_alive():
                _LOG.warning("sink %s did not close within %.0f s", sink.name, timeout_seconds + CLOSE_MARGIN_SECONDS)
        self._thumbnails.write()
        with self._lock:
            self._desk.write_settled()
            self._records.close()

    def _on_settled(self, settlements: Sequence[Settlement]) -> None:
        """On a sink's thread: never waits for the lock, which is held while sinks are handed messages."""
        if self._desk.on_settled(settlements):
            self._wake.set()

    def _run(self) -> None:
        pause = TURN_SECONDS
        while not self._is_closing:
            self._clock.wait(self._wake, pause)
            self._wake.clear()
            if not self._is_closing:
                pause = CATCH_UP_SECONDS if self._turn_or_say_why() else TURN_SECONDS
                self._prune_evidence()

    def _turn_or_say_why(self) -> bool:
        """A turn that fails is tried again with the next one, and said once; owners meet the same at `publish`."""
        try:
            can_go_on = self.turn()
        except PublishError as error:
            if str(error) != self._trouble:
                _LOG.warning("publisher: %s", error)
            self._trouble = str(error)
            return False
        self._trouble = ""
        return can_go_on

    def _write_evidence(self) -> None:
        """The store may be slow: owners are answered meanwhile."""
        self._records.pictures.write()
        if self._records.pictures.is_due:
            with self._lock:
                self._desk.write_settled()

    def _prune_evidence(self) -> None:
        if self._clock.monotonic() - self._pruned < PRUNE_SECONDS:
            return
        self._pruned = self._clock.monotonic()
        try:
            with self._lock:
                still_named = self._desk.still_named()
            self._evidence.prune(self._clock.wall_ns(), still_named)
        except OSError as error:
            _LOG.warning("evidence store cannot be pruned: %s", error.strerror)

    def _require_open(self) -> None:
        if self._is_closing:
            raise PublishError("the publisher is closed", code="closed")
