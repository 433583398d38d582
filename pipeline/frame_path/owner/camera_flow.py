"""One camera under one lease, from the decoded frame to its settlement.

The reader calls `stamp`, then one of `admit`, `unchanged`, `sampled_out`, `undecodable`, `pass_over`; the dispatcher
`candidate` and `take`; the publishing lane `attach`, then `send` and `accept`. What concerns one frame alone is said
to its `book`.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from operators.frames import Item, Ticket, Times
from pipeline.clock import Clock
from pipeline.frame_path.owner.batching import Candidate
from pipeline.frame_path.owner.camera_state import CameraStatus, Details, RuleClock
from pipeline.frame_path.owner.frame_book import FrameBook
from pipeline.frame_path.owner.full_size import FullSize
from pipeline.frame_path.owner.handles import OwnedCamera
from pipeline.frame_path.owner.ledger import Ledger, ledger_path
from pipeline.frame_path.owner.mailbox import Frame, Mailbox
from pipeline.frame_path.owner.positions import ResumeLine
from pipeline.frame_path.owner.stamping import Stamping
from pipeline.frame_path.owner.tapes import Tapes
from pipeline.frame_path.owner.ticks import Ticks
from pipeline.frame_path.owner.wishes import Wishes
from pipeline.messages import (
    Attachment,
    CameraReceipt,
    CameraSnapshot,
    CameraState,
    Entry,
    Gone,
    LostReason,
)
from pipeline.sources.base import Decoded, Undecodable

UNSETTLED_WINDOW = 256
"""Frames of a replayable camera that may be unsettled; then its reader waits."""
LIVE_WINDOW = 32
"""Results of a live camera that may wait for a lost publisher; then nothing more of it is analysed."""
MAILBOX_CAPACITY = 16
"""Of a replayable camera; more than one batch, so that a model's worker never waits for the reader."""


class CameraFlow:
    """Not thread-safe: whoever calls holds the owner's lock."""

    def __init__(
        self,
        owned: OwnedCamera,
        state_dir: Path,
        clock: Clock,
        newest_read: dict[int, tuple[int, str]] | None = None,
    ) -> None:
        """`newest_read` is shared by the cameras of one feed; see `ResumeLine`."""
        self.owned = owned
        self.camera = owned.camera
        self.lease = owned.lease
        ledger = Ledger(ledger_path(state_dir, self.camera, self.lease), self.camera, self.lease)
        self.book = FrameBook(ledger, clock, is_replayable=owned.is_replayable)
        self.status = CameraStatus(self.camera, self.lease, clock)
        self.resumes = ResumeLine(newest_read)
        self.room = threading.Event()
        """Set whenever a waiting reader should look again."""
        self.attached = threading.Event()
        """Set once a publisher knows this lease, or never will."""
        self.is_over = False
        """Fenced or refused: nothing of this lease counts any more."""
        self._clock = clock
        capacity = MAILBOX_CAPACITY if owned.is_replayable else 1
        self._mailbox = Mailbox(capacity, newest_wins=not owned.is_replayable)
        self.tapes = Tapes(owned) if owned.clip is not None else None
        """Only where a rule wants clips."""
        self._stamping = Stamping(self.camera, self.lease, clock)
        self._wishes = Wishes()
        self._is_looking = False
        self._ticks = Ticks(self.status, self.book, clock, is_replayable=owned.is_replayable)
        self.book.say(self.status.now())

    # --- the reader ---------------------------------------------------------------------------------------------

    def stamp(self, decoded: Decoded) -> tuple[Ticket, Times]:
        """The name and times of a frame in hand. No tick overtakes it until it is said what becomes of it."""
        self._is_looking = True
        ticket, times = self._stamping.stamp(decoded)
        if self.tapes is not None:
            self.tapes.note(times)
        self.book.meters.frame(self._clock.monotonic(), times.ingest_ns)
        return ticket, times

    def pass_over(self) -> None:
        """The stamped frame is not taken in: this owner has it already, or stops and never received it."""
        self._is_looking = False

    def is_repeated(self, ticket: Ticket) -> bool:
        """A replayable source came back to a frame that this owner answers for already."""
        return self.owned.is_replayable and self._stamping.is_repeated(ticket)

    @property
    def reference(self) -> Ticket | None:
        """The frame that an unchanged picture may stand for; None: each picture must be analysed."""
        is_full = self.book.num_pending + self.book.num_waiting >= LIVE_WINDOW
        return None if self._wishes.needs_analysis or is_full else self.book.reference

    @property
    def has_room(self) -> bool:
        """Whether a frame may be admitted; live cameras always have room."""
        return self._mailbox.has_room and (not self.owned.is_replayable or self.book.num_open < UNSETTLED_WINDOW)

    @property
    def is_blocked_by_sink(self) -> bool:
        """There is no room because results are not acknowledged, not because the model is slow."""
        return not self.has_room and self.book.num_pending < UNSETTLED_WINDOW // 2 and self._mailbox.has_room

    def sampled_out(self, ticket: Ticket, resume: str | None) -> None:
        """Decoded, but not of the wanted rate."""
        self._read(ticket, resume)
        self.book.dropped("sampled_out")

    def unchanged(self, ticket: Ticket, times: Times, of: Ticket, resume: str | None) -> None:
        """Shows what `of` showed."""
        self._read(ticket, resume)
        self.book.reuse(ticket, times, of)

    def admit(self, frame: Frame, resume: str | None) -> None:
        """Waits for its turn from here on."""
        self._read(frame.ticket, resume)
        for replaced in self._mailbox.put(frame):
            self.book.cut(replaced.ticket, "replaced")
        self.book.expect(frame.ticket)
        if frame.full_size is not None:
            self.book.pictures.keep(frame.ticket, FullSize(frame.full_size, frame.placement))

    def undecodable(self, event: Undecodable) -> None:
        """Counted; a replayable source's is announced in its place, to be dead-lettered."""
        self._is_looking = False
        if event.epoch is None or event.seq is None:
            self.book.ledger.undecodable()
            return
        ticket = Ticket(self.camera, self.lease, event.epoch, event.seq)
        if self.is_repeated(ticket):
            return
        self._read(ticket, event.resume)
        self.book.ledger.undecodable()
        self.book.announce(Gone(ticket, f"undecodable: {event.reason}"))

    def change(self, state: CameraState, code: str = "", reason: str = "", details: Details | None = None) -> None:
        """The camera's state; published if it is news."""
        status = self.status.change(state, code, reason, details)
        if status is not None and not self.is_over:
            self.book.say(status)

    def _read(self, ticket: Ticket, resume: str | None) -> None:
        self._is_looking = False
        self._stamping.read(ticket)
        if self.owned.is_replayable:
            self.resumes.add(ticket.position, resume)

    # --- the dispatcher -----------------------------------------------------------------------------------------

    def candidate(self, now: float) -> Candidate | None:
        """Its next frame, if one may be analysed now; what is too old is dropped on the way."""
        self.expire(now)
        is_full = not self.owned.is_replayable and self.book.num_waiting >= LIVE_WINDOW
        return None if is_full else self._mailbox.candidate(self.owned)

    def take(self) -> tuple[Item, float]:
        """The next frame as an item, and the monotonic time at which it was admitted."""
        frame = self._mailbox.take()
        self.room.set()
        wants_sample = self._wishes.is_sample_wanted and self.book.sample_in_flight is None
        if wants_sample:
            self.book.sample_in_flight, self._wishes.is_sample_wanted = frame.ticket, False
        artefacts = self._wishes.versions.at(frame.ticket.position)
        item = frame.item(
            artefacts,
            wants_preview=self.owned.wants_evidence,
            wants_view_sample=wants_sample,
            wants_picture=self._wishes.is_collecting,
            wants_thumbnail=self._wishes.is_thumbnail_due,
        )
        return item, frame.admitted_at

    def is_stale(self, admitted_at: float, now: float) -> bool:
        """Too old to be worth analysing; replayable frames never are."""
        return not self.owned.is_replayable and now - admitted_at > self.owned.sample.max_age

    def expire(self, now: float) -> None:
        """Drops what is too old in the mailbox."""
        frame = self._mailbox.oldest
        while frame is not None and self.is_stale(frame.admitted_at, now):
            self.book.cut(self._mailbox.take().ticket, "stale")
            frame = self._mailbox.oldest

    # --- the publishing lane ------------------------------------------------------------------------------------

    def attach(self, attachment: Attachment, *, is_new_publisher: bool) -> None:
        """A publisher knows this lease: for the first time, or after the loss of one."""
        if attachment.refused is not None:
            self.fence()
            return
        self._wishes.attached(attachment, is_first=not self.attached.is_set())
        if self.attached.is_set():
            self.book.move(attachment, is_new_publisher=is_new_publisher)
        else:
            self._stamping.rule_clock = RuleClock(self._clock, attachment.last_rule_time_ns + 1)
        self.room.set()
        self.attached.set()

    def fence(self) -> None:
        """A higher lease is attached: stop, commit nothing."""
        self.is_over = True
        self.lose_all("fenced")
        self.change("failed", code="fenced", reason="another owner has taken this camera over")
        self.attached.set()

    def refuse(self, why: str) -> None:
        """The publisher takes nothing of this camera, not even that a frame is gone: it stops, others go on."""
        self.lose_all("publish_error")
        self.change("failed", code="publish_error", reason=why)
        self.is_over = True
        self.attached.set()

    def lose_all(self, reason: LostReason) -> None:
        """Everything in flight ends here."""
        self._mailbox.clear()
        self.book.lose_all(reason)
        self.room.set()

    def send(self, budget_bytes: int, most: int | None = None) -> list[Entry]:
        """What goes out next, in order, at most `most` entries, or a tick where there is nothing; to be answered by
        `accept` or `give_back`.
        """
        entries: list[Entry] = [*self.book.send(budget_bytes, most)]
        if not entries and not self.is_over:
            tick = self._ticks.due(self._stamping.rule_clock, is_looking=self._is_looking)
            entries = [] if tick is None else [tick]
        if entries:
            self._ticks.sent()
        return entries

    def accept(self, receipt: CameraReceipt) -> None:
        """The answer to what was sent."""
        if receipt.refused is not None:
            self.fence()
            return
        self.book.accept(receipt.accepted_upto)
        if self.book.settle(receipt.settled_upto):
            self.room.set()
        self._wishes.received(receipt, has_sample_in_flight=self.book.sample_in_flight is not None)

    def newly_settled(self) -> list[str]:
        """Positions that the source may forget, one for each epoch that moved; last the one to begin from."""
        is_silent = self.is_over or not self.owned.is_replayable
        return [] if is_silent else self.resumes.settled(self.book.first_open)

    # --- for everybody ------------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Nothing is in flight; of a replayable camera, nothing is unsettled either."""
        return not (self.book.num_open if self.owned.is_replayable else self.book.num_pending + self.book.num_waiting)

    def snapshot(self) -> CameraSnapshot:
        """Now."""
        seen = self.book.meters.snapshot(self.status, self.book.ledger.snapshot(), self._clock.monotonic())
        if self.tapes is None:
            return seen
        return replace(seen, tape_bytes=self.tapes.num_bytes, tape_cut_short=self.tapes.num_cut_short)
