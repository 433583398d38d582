"""Pictures that alerts asked for and that owners have not sent yet."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from pipeline.clock import Clock
from pipeline.frame_path.draft import Draft, Letterhead, Wanted
from pipeline.frame_path.evidence import EvidenceStore, preview_path
from pipeline.frame_path.state_db import StateDatabase
from pipeline.frame_path.wire import encode_event
from pipeline.frame_path.wire_schema import EvidenceBody, WirePicture
from pipeline.messages import Picture, PictureWanted

ASK_AGAIN_SECONDS = 2.0
GIVE_UP_SECONDS = 30.0
_LOG = logging.getLogger(__name__)


class PicturesWanted:
    """Every alert with evidence gets exactly one `alert.evidence`: its picture, or why there is none.

    On disk, so that a restart forgets nothing. Not thread-safe; what writes is called within a transaction.
    """

    def __init__(self, database: StateDatabase, store: EvidenceStore, letterhead: Letterhead, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._letterhead = letterhead
        self._clock = clock
        self._since: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._wanted: dict[str, Wanted] = {}
        self.reload()

    def reload(self) -> None:
        """Reads the table again, at start and after a transaction that was rolled back."""
        blobs = self._database.rows("SELECT asked FROM wanted")
        found = [msgspec.msgpack.decode(blob, type=Wanted) for (blob,) in blobs]
        self._wanted = {each.event_id: each for each in found}
        now = self._clock.monotonic()
        self._since = {name: self._since.get(name, now) for name in self._wanted}

    def add(self, wanted: Wanted) -> None:
        """An alert asks for a picture."""
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
            if each.ticket.camera == camera and now - self._asked.get(name, -ASK_AGAIN_SECONDS) >= ASK_AGAIN_SECONDS
        ]
        self._asked.update((each.event_id, now) for each in due)
        return tuple(PictureWanted(each.event_id, each.ticket, each.drawing) for each in due)

    def receive(self, picture: Picture, labels: Mapping[str, str], draft: Draft) -> None:
        """A picture came; one that nobody waits for any more is let go, since its alert has its evidence event."""
        wanted = self._wanted.get(picture.event_id)
        if wanted is None:
            return
        if not picture.jpeg:
            self._give_up(wanted, "not_kept", labels, draft)
            return
        stored = self._put(wanted.path, picture.jpeg)
        if wanted.preview:
            self._put(preview_path(wanted.path), wanted.preview)  # nothing is drawn on it: a bank may learn from it
        if stored is None:
            self._give_up(wanted, "store_unwritable", labels, draft)
        else:
            self._close(wanted, labels, draft, picture=stored)

    def give_up_late(self, labels: Mapping[str, Mapping[str, str]], draft: Draft) -> None:
        """Pictures that have not come for too long."""
        now = self._clock.monotonic()
        for name in [name for name, since in self._since.items() if now - since > GIVE_UP_SECONDS]:
            wanted = self._wanted[name]
            self._give_up(wanted, "timeout", labels.get(wanted.ticket.camera, {}), draft)

    def give_up_owner(self, camera: str, lease: int, labels: Mapping[str, str], draft: Draft) -> None:
        """A new owner is attached: it does not have the pictures of the earlier one."""
        for wanted in [each for each in self._wanted.values() if each.ticket.camera == camera]:
            if wanted.ticket.lease < lease:
                self._give_up(wanted, "owner_died", labels, draft)

    @property
    def num_late(self) -> int:
        """How many `give_up_late` would close."""
        now = self._clock.monotonic()
        return sum(now - since > GIVE_UP_SECONDS for since in self._since.values())

    def _give_up(self, wanted: Wanted, reason: str, labels: Mapping[str, str], draft: Draft) -> None:
        preview = self._put(preview_path(wanted.path), wanted.preview) if wanted.preview else None
        self._close(wanted, labels, draft, missing=reason, preview=preview)

    def _put(self, path: str, jpeg: bytes) -> WirePicture | None:
        try:
            return self._store.put(path, jpeg)
        except OSError as error:
            _LOG.error("evidence %s cannot be stored: %s", path, error.strerror)
            return None

    def _close(
        self,
        wanted: Wanted,
        labels: Mapping[str, str],
        draft: Draft,
        *,
        picture: WirePicture | None = None,
        missing: str | None = None,
        preview: WirePicture | None = None,
    ) -> None:
        event_id, camera = f"{wanted.event_id}/evidence", wanted.ticket.camera
        body = EvidenceBody(
            id=event_id,
            camera=camera,
            labels=dict(labels),
            alert=wanted.event_id,
            frame=wanted.ticket.id,
            picture=picture,
            missing=missing,
            preview=preview,
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
