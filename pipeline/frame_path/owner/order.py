"""Brings results back into camera order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from operators.frames import Ticket, Times
from operators.results import Analysis
from pipeline.messages import Analysed, Gone, Reused


@dataclass(slots=True)
class _Place:
    ticket: Ticket
    outcome: Analysis | Reused | Gone | None = None


Outcome = Analysed | Reused | Gone


class Order:
    """A place for each ticketed frame, in ticket order. Not thread-safe: the caller holds the owner's lock.

    An unchanged picture stands or falls with the frame whose analysis it reuses.
    """

    def __init__(self) -> None:
        self._places: dict[tuple[int, int], _Place] = {}
        self._drops: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, ticket: Ticket) -> bool:
        return ticket.position in self._places

    @property
    def positions(self) -> Iterator[tuple[int, int]]:
        """Of the frames without a way out yet, oldest first."""
        return iter(self._places)

    def expect(self, ticket: Ticket) -> None:
        """A frame was admitted; its result will come."""
        self._places[ticket.position] = _Place(ticket)

    def reuse(self, ticket: Ticket, times: Times, of: Ticket) -> None:
        """A frame shows what `of` showed."""
        self._places[ticket.position] = _Place(ticket, Reused(ticket, times, of))

    def resolve(self, analysis: Analysis) -> None:
        """The result of an expected frame."""
        self._places[analysis.ticket.position].outcome = analysis

    def announce(self, gone: Gone) -> None:
        """Something that was never a picture takes its place in the order."""
        self._places[gone.ticket.position] = _Place(gone.ticket, gone)

    def gone(self, ticket: Ticket, reason: str) -> list[Ticket]:
        """An expected frame has no result; returns it and those that fall with it."""
        fallen = [ticket, *self._reusing(ticket)]
        for each in fallen:
            self._places[each.position].outcome = Gone(each, reason)
            self.count(reason)
        return fallen

    def cut(self, ticket: Ticket, reason: str) -> list[Ticket]:
        """Dropped by policy: the place closes without a word; returns it and those that fall with it."""
        cut = [ticket, *self._reusing(ticket)]
        for each in cut:
            del self._places[each.position]
            self.count(reason)
        return cut

    def take_ready(self) -> Iterator[Outcome]:
        """Removes and yields what is next, as far as it is known; each result says what was dropped before it."""
        while self._places:
            position, place = next(iter(self._places.items()))
            if place.outcome is None:
                return
            del self._places[position]
            if isinstance(place.outcome, Gone):
                yield place.outcome
                continue
            drops, self._drops = self._drops, {}
            if isinstance(place.outcome, Reused):
                yield replace(place.outcome, drops=drops)
            else:
                yield Analysed(place.outcome, drops)

    def _reusing(self, ticket: Ticket) -> list[Ticket]:
        return [
            each.ticket
            for each in self._places.values()
            if isinstance(each.outcome, Reused) and each.outcome.of == ticket
        ]

    def count(self, reason: str) -> None:
        """A decoded frame will have no result."""
        self._drops[reason] = self._drops.get(reason, 0) + 1
