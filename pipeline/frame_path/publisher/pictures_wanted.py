"""Pictures and clips that alerts asked for and that are not announced yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pipeline.clock import Clock
from pipeline.frame_path.publisher.draft import Draft, Letterhead, Wanted
from pipeline.frame_path.publisher.evidence import EvidenceStore
from pipeline.frame_path.publisher.evidence_queue import Arrived, EvidenceQueue, Stored
from pipeline.frame_path.publisher.state_db import StateDatabase
from pipeline.frame_path.publisher.wire import encode_event
from pipeline.frame_path.publisher.wire_schema import EvidenceBody, WireClip
from pipeline.messages import ClipPart, Picture, PictureWanted

ASK_AGAIN_SECONDS = 2.0
GIVE_UP_SECONDS = 30.0
_SPARE_BYTES = 2**20
"""What a clip may have beyond what was asked for."""
Labels = Mapping[str, Mapping[str, str]]
"""Of every camera, by its name."""


class PicturesWanted:
    """Every picture and every clip gets exactly one `alert.evidence`: where it lies, or why there is none.

    On disk, so that a restart forgets nothing. Not thread-safe but for `write`; what says so is called within a
    transaction.
    """

    def __init__(self, database: StateDatabase, store: EvidenceStore, letterhead: Letterhead, clock: Clock) -> None:
        self._database = database
        self._queue = EvidenceQueue(store)
        self._letterhead = letterhead
        self._clock = clock
        self._since: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._wanted: dict[str, Wanted] = {}
        self._parts: dict[str, list[ClipPart]] = {}
        self.reload()

    def reload(self) -> None:
        """Reads the table again, at start and after a transaction that was rolled back."""
        blobs = self._database.rows("SELECT asked FROM wanted")
        found = [msgspec.msgpack.decode(blob, type=Wanted) for (blob,) in blobs]
        self._wanted = {each.event_id: each for each in found}
        now = self._clock.monotonic()
        self._since = {name: self._since.get(name, now) for name in self._wanted}

    @property
    def paths(self) -> Iterable[str]:
        """Below the store, of what is not announced yet."""
        return [each.path for each in self._wanted.values()]

    def add(self, wanted: Wanted) -> None:
        """An alert asks for a picture. Within a transaction."""
        row = (wanted.event_id, wanted.ticket.camera, msgspec.msgpack.encode(wanted))
        self._database.rows("INSERT OR REPLACE INTO wanted VALUES (?, ?, ?)", row)
        self._wanted[wanted.event_id] = wanted
        self._since[wanted.event_id] = self._clock.monotonic()

    def to_ask(self, camera: str) -> tuple[PictureWanted, ...]:
        """What the camera's owner is to send; asked again now and then, as receipts can get lost."""
        now = self._clock.monotonic()
        due = [
            each
            for name, each in self._wanted.items()
            if each.ticket.camera == camera
            and name not in self._queue
            and now - self._asked.get(name, -ASK_AGAIN_SECONDS) >= ASK_AGAIN_SECONDS
        ]
        self._asked.update((each.event_id, now) for each in due)
        return tuple(PictureWanted(each.event_id, each.ticket, each.drawing, each.clip) for each in due)

    # --- what comes --------------------------------------------------------------------------------------------------

    def receive(self, picture: Picture, labels: Mapping[str, str], draft: Draft) -> None:
        """A picture came; one that nobody waits for any more is let go. Within a transaction."""
        wanted = self._open(picture.event_id)
        if wanted is not None:
            missing = "" if picture.jpeg else "not_kept"
            self._arrive(Arrived(wanted, picture.jpeg, missing=missing), labels, draft)

    def receive_part(self, part: ClipPart, labels: Mapping[str, str], draft: Draft) -> None:
        """A piece of a clip came; the first one starts it anew. Within a transaction."""
        wanted = self._open(part.event_id)
        if wanted is None or wanted.clip is None:
            return
        if part.missing:
            self._arrive(Arrived(wanted, b"", part, part.missing), labels, draft)
            return
        parts = [] if part.index == 0 else self._parts.get(part.event_id, [])
        if part.index != len(parts):
            return  # of an earlier try, or sent twice
        self._parts[part.event_id] = parts = [*parts, part]
        self._since[part.event_id] = self._clock.monotonic()
        if sum(len(each.data) for each in parts) > wanted.clip.max_bytes + _SPARE_BYTES:
            self._arrive(Arrived(wanted, b"", part, "too_large"), labels, draft)
        elif len(parts) == part.count:
            data = b"".join(each.data for each in parts)
            self._arrive(Arrived(wanted, data, parts[0]), labels, draft)

    def write(self) -> None:
        """Beside any other call: puts what came into the store; `announce` says so."""
        self._queue.write()

    def announce(self, labels: Labels, draft: Draft) -> None:
        """What is written since the last time. Within a transaction."""
        for name, stored in self._queue.done.items():
            wanted = self._wanted.get(name)
            if wanted is None:
                self._queue.forget(name)  # announced by a transaction that went through
                continue
            self._close(stored, labels.get(wanted.ticket.camera, {}), draft)

    def give_up_late(self, labels: Labels, draft: Draft) -> None:
        """What has not come for too long. Within a transaction."""
        for name in self._late():
            wanted = self._wanted[name]
            self._arrive(Arrived(wanted, b"", missing="timeout"), labels.get(wanted.ticket.camera, {}), draft)

    def give_up_owner(self, camera: str, lease: int, labels: Mapping[str, str], draft: Draft) -> None:
        """A new owner is attached: it does not have the pictures of the earlier one. Within a transaction."""
        for name, wanted in list(self._wanted.items()):
            if wanted.ticket.camera == camera and wanted.ticket.lease < lease and name not in self._queue:
                self._arrive(Arrived(wanted, b"", missing="owner_died"), labels, draft)

    @property
    def is_due(self) -> bool:
        """Whether `announce` or `give_up_late` has something to say."""
        return bool(self._queue.done) or bool(self._late())

    # --- steps -------------------------------------------------------------------------------------------------------

    def _open(self, event_id: str) -> Wanted | None:
        return None if event_id in self._queue else self._wanted.get(event_id)

    def _late(self) -> list[str]:
        now = self._clock.monotonic()
        return [
            name
            for name, since in self._since.items()
            if name not in self._queue and now - since > _patience(self._wanted[name])
        ]

    def _arrive(self, arrived: Arrived, labels: Mapping[str, str], draft: Draft) -> None:
        """Announced at once where nothing is to be written; even where a picture is missing, its preview may be."""
        self._parts.pop(arrived.wanted.event_id, None)
        if not arrived.data and not arrived.wanted.preview:
            self._close(Stored(arrived, None, None), labels, draft)
        elif not self._queue.add(arrived):
            refused = Arrived(arrived.wanted, b"", arrived.part, "store_slow")
            self._close(Stored(refused, None, None), labels, draft)

    def _close(self, stored: Stored, labels: Mapping[str, str], draft: Draft) -> None:
        arrived, wanted = stored.arrived, stored.arrived.wanted
        camera, is_clip = wanted.ticket.camera, wanted.clip is not None
        event_id = f"{wanted.alert}/evidence{'/clip' if is_clip else ''}"
        body = EvidenceBody(
            id=event_id,
            camera=camera,
            labels=dict(labels),
            alert=wanted.alert,
            frame=wanted.ticket.id,
            of="clip" if is_clip else "picture",
            picture=None if is_clip else stored.file,
            clip=_wire_clip(stored) if is_clip else None,
            missing=None if stored.file is not None else arrived.missing or "store_unwritable",
            preview=stored.preview if stored.file is None else None,
            published_ns=draft.published_ns,
        )
        draft.messages.append(
            encode_event(
                body,
                event_id=event_id,
                kind="alert",
                event="alert.evidence",
                camera=camera,
                site=self._letterhead.site,
                time_ns=draft.published_ns,
            )
        )
        self._database.rows("DELETE FROM wanted WHERE event_id = ?", (wanted.event_id,))
        for known in (self._wanted, self._since, self._asked):
            known.pop(wanted.event_id, None)


def _patience(wanted: Wanted) -> float:
    """Seconds: a clip cannot come before its time is over."""
    span = wanted.clip
    return GIVE_UP_SECONDS + (0.0 if span is None else (span.to_ns - span.from_ns) / 1e9)


def _wire_clip(stored: Stored) -> WireClip | None:
    file, part = stored.file, stored.arrived.part
    if file is None or part is None:
        return None
    return WireClip(
        path=file.path,
        sha256=file.sha256,
        num_bytes=file.num_bytes,
        from_ns=part.from_ns,
        to_ns=part.to_ns,
        is_copied=part.is_copied,
        is_shortened=part.is_shortened,
    )
