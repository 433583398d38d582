"""What waits for the publisher, and what the publisher has but the required sinks have not acknowledged yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from operators.frames import Ticket
from operators.results import Analysis
from pipeline.frame_path.owner.ledger import Fate
from pipeline.messages import Analysed, Entry, Gone, Reused, Status

Position = tuple[int, int]

_MAX_STATUS = 32
"""States that wait for a lost publisher; beyond it the oldest are forgotten, since only the newest still matters."""
_ENTRY_BYTES = 512


@dataclass(slots=True)
class Parcel:
    """One entry on its way."""

    entry: Entry | None
    """None: let go at the receipt."""
    num_bytes: int
    ticket: Ticket | None = None
    ingest_ns: int = 0
    fate: Fate | None = None
    """What the ledger counts once the publisher has it; None: nothing (a status, a frame that is gone)."""
    is_counted: bool = False


class Outgoing:
    """Two queues of one camera, in order. Not thread-safe: the caller holds the owner's lock."""

    def __init__(self, *, keeps_bodies: bool) -> None:
        self._keeps_bodies = keeps_bodies
        self._waiting: deque[Parcel] = deque()
        self._unsettled: deque[Parcel] = deque()
        self._num_sent = 0

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def num_unsettled(self) -> int:
        """Accepted, not settled."""
        return len(self._unsettled)

    @property
    def positions(self) -> Iterator[Position]:
        """Of the frames that are not settled, oldest first."""
        return (each.ticket.position for each in (*self._unsettled, *self._waiting) if each.ticket is not None)

    def add(self, entry: Entry) -> None:
        """Queues behind everything else."""
        self._waiting.append(_parcel(entry))
        states = [each for each in self._waiting if isinstance(each.entry, Status)]
        if len(states) > _MAX_STATUS and self._num_sent == 0:
            self._waiting.remove(states[0])

    def send(self, budget_bytes: int, most: int | None = None) -> Iterator[Entry]:
        """The next entries that fit, at least one and at most `most`; they stay until `accept` or `give_back`."""
        self._num_sent = 0
        for parcel in self._waiting:
            if self._num_sent and (parcel.num_bytes > budget_bytes or self._num_sent == most):
                return
            budget_bytes -= parcel.num_bytes
            self._num_sent += 1
            assert parcel.entry is not None, "a body is let go only once it is accepted"
            yield parcel.entry

    def give_back(self) -> None:
        """The call failed: nothing is known of what was sent."""
        self._num_sent = 0

    def give_up(self, reason: str) -> Parcel | None:
        """The entry that goes out next never will: a frame is announced as gone in its place, anything else is dropped.

        Returns:
            What it was; None: nothing can be given up, it was such an announcement itself.
        """
        refused = self._waiting[0]
        if isinstance(refused.entry, Gone) and refused.entry.reason == reason:
            return None
        self._waiting.popleft()
        if refused.ticket is not None:
            self._waiting.appendleft(_parcel(Gone(refused.ticket, reason)))
        return refused

    def accept(self, upto: Position | None) -> list[Parcel]:
        """The publisher has what was sent, frames up to `upto`; returns the frames that it accepted for the first
        time. Entries without a frame are never sent twice.
        """
        sent = [self._waiting.popleft() for _ in range(self._num_sent)]
        self._num_sent = 0
        refused = [each for each in sent if each.fate is not None and not _is_upto(each, upto)]
        self._waiting.extendleft(reversed(refused))
        return self._accepted([each for each in sent if each not in refused])

    def accept_unheard(self, upto: Position | None) -> list[Parcel]:
        """After the loss of a publisher, the next one says how far the camera was; live cameras send no more of it."""
        accepted = [each for each in self._waiting if each.fate is not None and _is_upto(each, upto)]
        for each in accepted:
            self._waiting.remove(each)
        return self._accepted(accepted)

    def settle(self, upto: Iterable[Position]) -> int:
        """Lets go of what every required sink has, up to one position in each epoch; returns how many that was."""
        before, seqs = len(self._unsettled), dict(upto)
        self._unsettled = deque(each for each in self._unsettled if not _is_settled(each, seqs))
        return before - len(self._unsettled)

    def send_again(self) -> None:
        """Everything unsettled goes out once more, before the rest (replayable)."""
        self._waiting.extendleft(reversed(self._unsettled))
        self._unsettled.clear()

    def forget_unsettled(self) -> list[Parcel]:
        """Removes and returns what was accepted by a publisher that is no more (live)."""
        lost = [each for each in self._unsettled if each.fate is not None]
        self._unsettled.clear()
        return lost

    def clear(self) -> None:
        self._waiting.clear()
        self._unsettled.clear()
        self._num_sent = 0

    def _accepted(self, parcels: list[Parcel]) -> list[Parcel]:
        frames = [each for each in parcels if each.ticket is not None]
        first_time = [each for each in frames if each.fate is not None and not each.is_counted]
        for each in frames:
            each.is_counted = True
            if not self._keeps_bodies:
                each.entry = None
        self._unsettled.extend(frames)
        return first_time


def _parcel(entry: Entry) -> Parcel:
    match entry:
        case Analysed():
            return Parcel(
                entry,
                _ENTRY_BYTES + num_bytes(entry.analysis),
                entry.ticket,
                entry.analysis.times.ingest_ns,
                "analysed",
            )
        case Reused():
            return Parcel(entry, _ENTRY_BYTES, entry.ticket, entry.times.ingest_ns, "gated")
        case Gone():
            return Parcel(entry, _ENTRY_BYTES, entry.ticket)
        case _:
            return Parcel(entry, _ENTRY_BYTES)


def _is_upto(parcel: Parcel, upto: Position | None) -> bool:
    return parcel.ticket is not None and upto is not None and parcel.ticket.position <= upto


def _is_settled(parcel: Parcel, upto: Mapping[int, int]) -> bool:
    """What is gone waits for no sink."""
    if parcel.fate is None or parcel.ticket is None:
        return True
    return parcel.ticket.seq <= upto.get(parcel.ticket.epoch, -1)


def num_bytes(analysis: Analysis) -> int:
    """Of the arrays and pictures in it."""
    sample = analysis.view_sample
    sizes = [
        analysis.embedding.nbytes if analysis.embedding is not None else 0,
        sum(each.vector.values.nbytes for each in analysis.labels if each.vector is not None),
        analysis.depth.metres.nbytes if analysis.depth is not None else 0,
        sum(each.mask.nbytes for each in analysis.subjects),
        len(analysis.preview or b""),
        len(analysis.picture or b""),
        sample.tokens.nbytes if sample is not None else 0,
        sample.log_depth.nbytes if sample is not None and sample.log_depth is not None else 0,
    ]
    return sum(sizes)
