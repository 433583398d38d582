"""What a publisher does, one call at a time: lease, order, rules, one transaction, receipts."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from pipeline.clock import Clock
from pipeline.frame_path.publisher.action_request import Acted, ActionRequest
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.book_shelf import BookShelf
from pipeline.frame_path.publisher.collection import Collected, Collections
from pipeline.frame_path.publisher.draft import Draft, Letterhead
from pipeline.frame_path.publisher.entries import camera_of, enter_into, lease_of
from pipeline.frame_path.publisher.evidence import StillNamed
from pipeline.frame_path.publisher.gathering import Outcome
from pipeline.frame_path.publisher.offers import Offers
from pipeline.frame_path.publisher.published import PublishedCamera, PublisherSnapshot
from pipeline.frame_path.publisher.records import Records
from pipeline.frame_path.publisher.thumbnails import Thumbnails
from pipeline.messages import Attachment, CameraReceipt, Delivery, Receipt, Settlement
from pipeline.sinks.base import Sink

_LOG = logging.getLogger(__name__)


class Desk:
    """The publisher without threads: its caller serialises every call but `on_settled`."""

    def __init__(
        self,
        records: Records,
        sinks: Sequence[Sink],
        *,
        letterhead: Letterhead,
        artefacts: ArtefactStore,
        thumbnails: Thumbnails,
        clock: Clock,
    ) -> None:
        self._records = records
        self._thumbnails = thumbnails
        self._clock = clock
        self._offers = {sink.name: Offers(sink, records.outbox, records.newest_row) for sink in sinks}
        self._shelf = BookShelf(records, self._offers, letterhead=letterhead, artefacts=artefacts, clock=clock)
        self._settled: deque[Settlement] = deque()
        self._num_fenced = 0
        self._collections = Collections()

    def change(self, cameras: Sequence[PublishedCamera]) -> None:
        """Answers for these cameras, as they are configured now, and for no others."""
        self.drain_settled()
        self._thumbnails.allow_only({each.spec.camera: each.thumbnail_seconds for each in cameras})
        self._shelf.change(cameras)
        self._collections.keep_only({each.spec.camera for each in cameras})

    def leave_unknown(self) -> None:
        """After a start: cameras that are stored and no longer configured."""
        self._shelf.leave_unknown()

    # --- calls of owners ---------------------------------------------------------------------------------------------

    def attach(self, camera: str, lease: int) -> Attachment:
        """An owner takes a camera over; lower leases are fenced from here on."""
        self.drain_settled()
        book = self._shelf.book(camera)
        is_fenced = lease < book.stored.lease
        if not is_fenced:

            def enter(draft: Draft) -> None:
                book.attach(lease)
                self._records.pictures.give_up_owner(camera, lease, book.published.spec.labels, draft)

            self._shelf.transact(enter, [camera])
        return Attachment(
            camera=camera,
            lease=book.stored.lease,
            refused="fenced" if is_fenced else None,
            last_position=book.stored.last_position,
            settled_upto=tuple(book.settling.upto.items()),
            last_rule_time_ns=book.stored.rule_time_ns,
            artefacts=book.artefacts_now(),
            is_armed=book.is_armed,
            view_sample_wanted=book.wants_sample,
            is_thumbnail_due=self._thumbnails.is_due(camera, book.stored.rule_time_ns),
        )

    def publish_together(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Takes deliveries in one transaction; if that fails, each by itself, so that one that cannot be entered takes
        no other with it.
        """
        try:
            return [*self._publish(deliveries)]
        except Exception as error:
            if len(deliveries) == 1:
                raise
            _LOG.info("%d deliveries are written one by one, since together they failed: %s", len(deliveries), error)
        outcomes: list[Outcome] = []
        for delivery in deliveries:
            try:
                outcomes += self._publish([delivery])
            except Exception as error:  # noqa: BLE001 - it is the answer to whoever sent this one
                outcomes.append(error)
        return outcomes

    def _publish(self, deliveries: Sequence[Delivery]) -> list[Receipt]:
        """All of them or nothing."""
        self.drain_settled()
        pairs = [(each, self._fenced(each)) for each in deliveries]
        labels = self._shelf.labels
        accepted = [
            (camera, entry) for each, out in pairs for entry in each.entries if (camera := camera_of(entry)) not in out
        ]

        def enter(draft: Draft) -> None:
            for camera, entry in accepted:
                enter_into(self._shelf.book(camera), entry, draft)
            for each in deliveries:
                for picture in each.pictures:
                    self._records.pictures.receive(picture, labels.get(picture.ticket.camera, {}), draft)
                for part in each.clips:
                    self._records.pictures.receive_part(part, labels.get(part.ticket.camera, {}), draft)

        self._shelf.transact(
            enter, list(dict.fromkeys(name for each, out in pairs for name in _cameras_of(each) if name not in out))
        )
        self._num_fenced += sum(camera_of(entry) in out for each, out in pairs for entry in each.entries)
        self._collections.see([entry for _, entry in accepted])
        self._thumbnails.see([entry for _, entry in accepted])
        return [
            Receipt(tuple(self._receipt(name, is_fenced=name in out) for name in _cameras_of(each)))
            for each, out in pairs
        ]

    def _fenced(self, delivery: Delivery) -> set[str]:
        """Cameras of the delivery whose owner is superseded, or that are no longer published here."""
        gone = {name for name in _cameras_of(delivery) if self._shelf.is_gone(name)}
        by_entry = [(camera_of(entry), entry) for entry in delivery.entries]
        return gone | {
            name
            for name, entry in by_entry
            if name not in gone and lease_of(entry) < self._shelf.book(name).stored.lease
        }

    def _receipt(self, camera: str, *, is_fenced: bool) -> CameraReceipt:
        if is_fenced:
            return CameraReceipt(camera, None, (), refused="fenced")
        book = self._shelf.book(camera)
        return CameraReceipt(
            camera=camera,
            accepted_upto=book.stored.last_position,
            settled_upto=tuple(each for each in book.settling.upto.items() if each[0] in book.stored.delivered),
            artefacts=book.views.announced + book.heads.announced,
            view_sample_wanted=book.wants_sample,
            pictures_wanted=self._records.pictures.to_ask(camera),
            is_armed=book.is_armed,
            is_collecting=camera in self._collections,
            is_thumbnail_due=self._thumbnails.is_due(camera, book.stored.rule_time_ns),
        )

    # --- calls of the supervisor -------------------------------------------------------------------------------------

    def adopt(self, version: str) -> None:
        """Every camera with the head of `head/vehicles@8` is asked with it from its next frame on."""
        for book in self._shelf:
            book.heads.adopt(version)

    def collect(self, camera: str) -> None:
        """Keeps the pictures of the frames to come, until `collected`."""
        self._shelf.book(camera)
        self._collections.begin(camera)

    def collected(self, camera: str) -> Collected:
        """Ends a collection."""
        return self._collections.end(camera)

    def act(self, camera: str, request: ActionRequest) -> Acted:
        """What a person asks: state and event are one transaction, as for everything else."""
        book = self._shelf.book(camera)
        book.actions.check(request)
        done: list[Acted] = []
        self._shelf.transact(lambda draft: done.append(book.actions.carry_out(request, draft)), [camera])
        return done[0]

    def teach_view(self, camera: str, seconds: float, *, is_anew: bool) -> None:
        """The camera's next frames show the empty place."""
        book = self._shelf.book(camera)
        self._shelf.transact(lambda draft: book.teach_view(seconds, draft, is_anew=is_anew), [camera])

    # --- what comes back from sinks ----------------------------------------------------------------------------------

    def on_settled(self, settlements: Sequence[Settlement]) -> bool:
        """On a sink's thread, beside any other call; returns whether a backlog may move now."""
        self._settled.extend(settlements)
        return any(offers.has_backlog for offers in self._offers.values())

    def drain_settled(self) -> None:
        """Notes what the sinks have settled; on disk with the next transaction."""
        while self._settled:
            settlement = self._settled.popleft()
            message = settlement.message
            self._records.settle(settlement)
            settling = self._shelf.settling(message.camera)
            if settling is not None and message.ticket is not None:
                settling.settle(message.ticket.position, settlement.sink)

    def turn(self) -> bool:
        """What needs no owner: settled rows leave the disk, late pictures are given up, mutes end, backlogs move.

        Returns:
            Whether a backlog can go on at once.
        """
        self.write_settled()
        self._expire()
        can_go_on = [offers.catch_up() for offers in self._offers.values()]
        return any(can_go_on)

    def _expire(self) -> None:
        """What people have set ends by the wall clock also on a camera that sends nothing."""
        now_ns = self._clock.wall_ns()
        due = [book for book in self._shelf if book.actions.is_due(now_ns)]

        def enter(draft: Draft) -> None:
            for book in due:
                book.actions.expire(book.stored.rule_time_ns, draft)

        if due:
            self._shelf.transact(enter, [book.camera for book in due])

    def write_settled(self) -> None:
        """Settled rows leave the disk, stored evidence is announced, what is late is given up."""
        self.drain_settled()
        if self._records.has_unwritten:
            labels = self._shelf.labels

            def enter(draft: Draft) -> None:
                self._records.pictures.announce(labels, draft)
                self._records.pictures.give_up_late(labels, draft)

            self._shelf.transact(enter, [])

    def still_named(self) -> StillNamed:
        """Evidence that must not be deleted yet."""
        memories = (memory for book in self._shelf for memory in book.stored.rules.values())
        return self._records.still_named(memory.opened for memory in memories if memory.opened is not None)

    # --- for people --------------------------------------------------------------------------------------------------

    def snapshot(self, sinks: Sequence[Sink]) -> PublisherSnapshot:
        """Now."""
        self.drain_settled()
        outbox = self._records.outbox
        books = {book.camera: book for book in self._shelf}
        return PublisherSnapshot(
            sinks=[sink.health() for sink in sinks],
            ledgers=list(self._records.tallies.ledgers()),
            outbox_rows=outbox.num_rows,
            outbox_bytes=outbox.num_bytes,
            is_outbox_full=outbox.is_full,
            alerts_refused=outbox.refused,
            active=[alert for book in books.values() for alert in book.active_alerts()],
            rules={name: book.rule_values() for name, book in books.items()},
            views={name: book.views.newest for name, book in books.items()},
            view_lights={name: book.view_lights for name, book in books.items()},
            scenes={name: scene for name, book in books.items() if (scene := book.scene_now) is not None},
            heads={name: dict(book.stored.heads) for name, book in books.items() if book.stored.heads},
            actions={name: book.stored.actions for name, book in books.items() if book.stored.actions.is_any},
            retries=sum(book.retries for book in books.values()),
            thumbnails=self._thumbnails.counts(),
            fenced=self._num_fenced,
        )


def _cameras_of(delivery: Delivery) -> list[str]:
    """Each once, in order."""
    named = (*delivery.pictures, *delivery.clips)
    return list(dict.fromkeys([*map(camera_of, delivery.entries), *(each.ticket.camera for each in named)]))
