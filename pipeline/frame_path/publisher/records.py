"""The publisher's transaction: what one call leaves on disk, and what then goes to which sink."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pipeline.clock import Clock
from pipeline.frame_path.publisher.camera_book import CameraBook
from pipeline.frame_path.publisher.draft import Draft, Letterhead
from pipeline.frame_path.publisher.evidence import EvidenceStore, StillNamed, picture_path
from pipeline.frame_path.publisher.outbox import Outbox
from pipeline.frame_path.publisher.pictures_wanted import PicturesWanted
from pipeline.frame_path.publisher.settling import Counted, SinkTallies
from pipeline.frame_path.publisher.state_db import StateDatabase
from pipeline.frame_path.publisher.stored_camera import StoredCamera
from pipeline.frame_path.publisher.wire_schema import AlertBody
from pipeline.messages import Kind, Message, Settlement

CLOCKS_APART_SECONDS = 120.0
"""Between a message and the file that it names: a write that took long, and the store's own clock."""
_NAMING: tuple[Kind, ...] = ("alert", "state", "dead_letter")


class Records:
    """Database, outbox, tallies and wanted pictures of one publisher. Not thread-safe."""

    def __init__(
        self,
        path: Path,
        sinks: Sequence[str],
        required: frozenset[str],
        max_bytes: int,
        *,
        evidence: EvidenceStore,
        letterhead: Letterhead,
        clock: Clock,
    ) -> None:
        """Opens or creates the file.

        Raises:
            PublishError: it cannot be opened, or another process holds it.
        """
        self._database = StateDatabase(path)
        self._sinks = tuple(sinks)
        self._required = required & set(sinks)
        self._unwritten: list[tuple[int, str]] = []
        self._letters: list[Message] = []
        self.outbox = Outbox(self._database, sinks, max_bytes)
        self.newest_row: int = self._database.rows("SELECT coalesce(max(row), 0) FROM outbox")[0][0]
        """As of this start: what lies up to here is offered again."""
        self._waiting = self.outbox.waiting_results()
        queued = Counter((sink, message.camera) for message, names in self._waiting for sink in names)
        self.tallies = SinkTallies(self._database, sinks, queued)
        self.pictures = PicturesWanted(self._database, evidence, letterhead, clock)
        self._evidence_store = letterhead.evidence_store

    @property
    def required(self) -> frozenset[str]:
        """Sinks that settle a frame."""
        return self._required

    def transaction(self) -> StateDatabase:
        """The database, whose `transaction` wraps everything that writes."""
        return self._database

    def load(self, camera: str) -> tuple[StoredCamera, bytes | None]:
        """What is stored of a camera, and of its view learner."""
        states = self._database.rows("SELECT state FROM cameras WHERE camera = ?", (camera,))
        learners = self._database.rows("SELECT state FROM learners WHERE camera = ?", (camera,))
        stored = StoredCamera.decode(states[0][0]) if states else StoredCamera()
        return stored, learners[0][0] if learners else None

    def stored_cameras(self) -> list[str]:
        """Every camera that this publisher ever had."""
        return [camera for (camera,) in self._database.rows("SELECT camera FROM cameras ORDER BY camera")]

    def restore_settling(self, book: CameraBook) -> None:
        """After a start: results that still wait in the outbox settle their frames."""
        for message, sinks in self._waiting:
            if message.camera == book.camera and message.ticket is not None:
                book.settling.add(message.ticket.position, sinks & self._required)
        for position in book.stored.accepted.items():
            book.settling.add(position, ())

    def settle(self, settlement: Settlement) -> None:
        """Notes what became of one message; on disk with the next `write`."""
        if settlement.message.ticket is not None:
            self.tallies.settle(settlement)
        if settlement.message.outbox is not None:
            self._unwritten.append((settlement.message.outbox, settlement.sink))
        if settlement.letter is not None:
            self._letters.append(settlement.letter)

    @property
    def has_unwritten(self) -> bool:
        return bool(self._unwritten or self._letters) or self.tallies.has_changes or self.pictures.is_due

    def write(self, draft: Draft, books: Mapping[str, CameraBook]) -> dict[str, list[Message]]:
        """Within a transaction: everything that the draft says, and what was settled meanwhile.

        Returns:
            By sink, what to hand over after the commit.
        """
        for wanted in draft.wanted:
            self.pictures.add(wanted)
        for camera, book in books.items():
            self._database.rows("INSERT OR REPLACE INTO cameras VALUES (?, ?)", (camera, book.snapshot_state()))
        for camera, learner in draft.learners.items():
            self._database.rows("INSERT OR REPLACE INTO learners VALUES (?, ?)", (camera, learner))
        for row, sink in self._unwritten:
            self.outbox.settle(row, sink)
        self.tallies.write(draft.counted)
        replayable = {camera for camera, book in books.items() if book.published.is_replayable}
        return self._store_messages([*draft.messages, *self._letters], replayable)

    def _store_messages(self, messages: Iterable[Message], replayable: set[str]) -> dict[str, list[Message]]:
        """Results of live cameras and of ticks wait in memory alone, those of replayable ones for the required sinks on
        disk, everything else for every sink on disk.
        """
        routed: dict[str, list[Message]] = {name: [] for name in self._sinks}
        for message in messages:
            if message.kind != "result":
                durable = frozenset(self._sinks)
            elif message.ticket is not None and message.camera in replayable:
                durable = self._required
            else:
                durable = frozenset[str]()
            stored = self.outbox.append(message, durable) if durable else None
            for name in self._sinks:
                if name not in durable:
                    routed[name].append(message)
                elif stored is not None:
                    routed[name].append(stored)
        return routed

    def still_named(self, opened: Iterable[AlertBody]) -> StillNamed:
        """Evidence that messages name which wait in the outbox, are about to be written, or are of `opened` alerts.

        A file is written seconds after its alert; so what is older than the oldest message that waits is named by none.
        """
        prefix = f"{self._evidence_store}/"
        paths = [each.evidence.removeprefix(prefix) for each in opened if each.evidence is not None]
        oldest = self.outbox.oldest(_NAMING)
        since_ns = None
        if oldest is not None:
            published = datetime.fromisoformat(oldest.attributes["time"]).timestamp()
            since_ns = round((published - CLOCKS_APART_SECONDS) * 1e9)
        return StillNamed(since_ns, frozenset((*paths, *map(picture_path, self.pictures.paths))))

    def commit(self, counted: Counted) -> None:
        """After the transaction."""
        self._unwritten.clear()
        self._letters.clear()
        self.tallies.commit(counted)

    def reload(self) -> None:
        """After a transaction that was rolled back."""
        self.outbox.reload()
        self.pictures.reload()

    def close(self) -> None:
        self._database.close()
