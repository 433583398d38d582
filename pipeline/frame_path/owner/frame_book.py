"""Each ticketed frame of one camera, from its place in the order to its settlement, and the ledger of all."""

from __future__ import annotations

from collections.abc import Iterable

from operators.frames import Ticket, Times
from operators.results import Analysis
from pipeline.clock import Clock
from pipeline.frame_path.owner.full_size import FullSizePictures
from pipeline.frame_path.owner.ledger import Fate, Ledger
from pipeline.frame_path.owner.meters import CameraMeters
from pipeline.frame_path.owner.order import Order
from pipeline.frame_path.owner.outgoing import Outgoing, Parcel
from pipeline.messages import Analysed, Attachment, Entry, Gone, LostReason, Reused

Position = tuple[int, int]


class FrameBook:
    """Answers for the frames of one camera under one lease. Not thread-safe: the caller holds the owner's lock.

    Live: a body is let go at the receipt, its ticket stays until settled. Replayable: bodies stay until settled.
    """

    def __init__(self, ledger: Ledger, clock: Clock, *, is_replayable: bool) -> None:
        self.ledger = ledger
        self.meters = CameraMeters()
        self.pictures = FullSizePictures()
        self.sample_in_flight: Ticket | None = None
        """The frame from which the publisher will get the view sample that it asked for."""
        self.last_rule_time_ns: int | None = None
        """Of the last result that is ready to go out."""
        self.reference: Ticket | None = None
        """The frame admitted last, unless it died: what an unchanged picture may stand for."""
        self._clock = clock
        self._is_replayable = is_replayable
        self._order = Order()
        self._outgoing = Outgoing(keeps_bodies=is_replayable)

    def __contains__(self, ticket: Ticket) -> bool:
        return ticket in self._order

    @property
    def num_pending(self) -> int:
        """Frames without a way out yet."""
        return len(self._order)

    @property
    def num_waiting(self) -> int:
        """Entries that the publisher does not have yet."""
        return self._outgoing.num_waiting

    @property
    def num_unsettled(self) -> int:
        """Entries that the publisher has and some required sink has not."""
        return self._outgoing.num_unsettled

    @property
    def num_open(self) -> int:
        """All of them."""
        return self.num_pending + self.num_waiting + self.num_unsettled

    @property
    def first_open(self) -> dict[int, int]:
        """By epoch the seq of its oldest frame that is not settled; first the epoch of the oldest of all."""
        found: dict[int, int] = {}
        for epoch, seq in (*self._outgoing.positions, *self._order.positions):
            found.setdefault(epoch, seq)
        return found

    # --- one frame ----------------------------------------------------------------------------------------------

    def dropped(self, fate: Fate) -> None:
        """A decoded frame that never got a place."""
        self.ledger.drop(fate)
        self._order.count(fate)

    def expect(self, ticket: Ticket) -> None:
        """Admitted; a result will come."""
        self.ledger.enter(ticket)
        self._order.expect(ticket)
        self.reference = ticket

    def reuse(self, ticket: Ticket, times: Times, of: Ticket) -> None:
        """Shows what `of` showed."""
        self.ledger.enter(ticket)
        self._order.reuse(ticket, times, of)
        self._collect()

    def announce(self, gone: Gone) -> None:
        """Something undecodable takes its place in the order."""
        self._order.announce(gone)
        self._collect()

    def say(self, entry: Entry) -> None:
        """An entry without a frame."""
        self._outgoing.add(entry)

    def cut(self, ticket: Ticket, fate: Fate) -> None:
        """Admitted, then dropped by policy."""
        for each in self._order.cut(ticket, fate):
            self.ledger.leave(each, fate)
            self._let_go(each)
        self._collect()

    def resolve(self, analysis: Analysis) -> None:
        """The result of an admitted frame; one that nobody waits for any more is ignored."""
        if analysis.ticket in self._order:
            self._order.resolve(analysis)
            self._collect()

    def lose(self, ticket: Ticket, reason: LostReason) -> None:
        """An admitted frame will have no result."""
        if ticket not in self._order:
            return
        for each in self._order.gone(ticket, reason):
            self.ledger.leave(each, reason)
            self._let_go(each)
        self._collect()

    def lose_all(self, reason: LostReason) -> None:
        """Everything in flight ends here, and nothing more goes out."""
        self.ledger.leave_all(reason)
        self._order = Order()
        self._outgoing.clear()
        self.pictures.clear()
        self.reference = self.sample_in_flight = None

    # --- the publisher ------------------------------------------------------------------------------------------

    def send(self, budget_bytes: int, most: int | None = None) -> list[Entry]:
        """What goes out next, in order; to be answered by `accept` or `give_back`."""
        return list(self._outgoing.send(budget_bytes, most))

    def give_up(self, reason: LostReason) -> bool:
        """The publisher will never take what goes out next: a frame is lost and announced as gone, anything else is
        dropped. False: it was such an announcement.
        """
        refused = self._outgoing.give_up(reason)
        if refused is None:
            return False
        if refused.ticket is not None and refused.fate is not None:
            if refused.is_counted:  # an earlier publisher had it
                self.ledger.retract(refused.fate, reason)
            else:
                self.ledger.leave(refused.ticket, reason)
            self._order.count(reason)
            self._let_go(refused.ticket)
        return True

    def give_back(self) -> None:
        """The call failed; what was sent goes out again."""
        self._outgoing.give_back()

    def accept(self, upto: Position | None) -> None:
        """The publisher has what was sent."""
        self._count(self._outgoing.accept(upto))

    def settle(self, upto: Iterable[Position]) -> int:
        """Every required sink has the frames up to here; returns how many are let go."""
        return self._outgoing.settle(upto)

    def move(self, attachment: Attachment, *, is_new_publisher: bool) -> None:
        """A publisher answers again after a loss.

        Replayable: a new one gets everything unsettled once more. Live: what the lost one had accepted is not sent
        again, and what of it no required sink had acknowledged counts as lost, since nobody can tell.
        """
        if not self._is_replayable:
            self._count(self._outgoing.accept_unheard(attachment.last_position))
        self.settle(attachment.settled_upto)
        if not is_new_publisher:
            return
        if self._is_replayable:
            self._outgoing.send_again()
            return
        for parcel in self._outgoing.forget_unsettled():
            assert parcel.fate is not None
            self.ledger.retract(parcel.fate, "publisher_died")

    def _count(self, parcels: list[Parcel]) -> None:
        wall_ns = self._clock.wall_ns()
        for parcel in parcels:
            assert parcel.ticket is not None
            assert parcel.fate is not None
            self.ledger.leave(parcel.ticket, parcel.fate)
            self.meters.published((wall_ns - parcel.ingest_ns) / 1e9)
            self.pictures.accepted(parcel.ticket)
            if self.sample_in_flight == parcel.ticket:
                self.sample_in_flight = None

    def _let_go(self, ticket: Ticket) -> None:
        self.pictures.let_go(ticket)
        if self.reference == ticket:
            self.reference = None
        if self.sample_in_flight == ticket:
            self.sample_in_flight = None

    def _collect(self) -> None:
        for outcome in self._order.take_ready():
            self._outgoing.add(outcome)
            match outcome:
                case Analysed():
                    self.last_rule_time_ns = outcome.analysis.times.rule_time_ns
                case Reused():
                    self.last_rule_time_ns = outcome.times.rule_time_ns
                case Gone():
                    pass
