"""How many calls each owner may have in flight at each analyzer. Pure.

A call that waits inside an analyzer holds frames that no newer ones replace, so there should be few. Where owners are
few, each has calls at every analyzer. Where one call of each would be more than an analyzer needs, each owner calls
some analyzers only: half of its calls go to that of its own node, the others to those that are called least.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan, Wish

Credits = Mapping[tuple[str, str], int]
"""(decoder, analyzer) -> calls; pairs without any are left out."""
GPU_CALLS = 4
"""That keep a GPU busy: one is computed, one gathers, two are on their way."""
LEAST = 2
"""Analyzers of an owner, so that the loss of one does not stall it."""
FRAMES_A_CALL = 8
"""What one call carries at most of pictures of a usual size; see `BatchLimits.max_batch_bytes`."""
STICKY = 1.0
"""An owner keeps its number of calls while it is nearer than this to its share."""
UNEVEN = 2
"""So many calls more than at another analyzer are moved there; fewer are not worth it."""
_NONE: Credits = MappingProxyType({})


def share_credits(
    decoders: Sequence[DecoderPlan], analyzers: Sequence[AnalyzerPlan], wish: Wish, before: Credits = _NONE
) -> dict[tuple[str, str], int]:
    """Calls by owner and analyzer; what is there `before` stays where it still fits."""
    if len(analyzers) <= LEAST or all(len(decoders) <= _slots(each) for each in analyzers):
        return _at_every_analyzer(decoders, analyzers, wish)
    shares = _Shares(decoders, analyzers, wish, before)
    shares.trim()
    shares.go_home()
    shares.fill()
    shares.level()
    return shares.given


def _slots(analyzer: AnalyzerPlan) -> int:
    """Calls that an analyzer needs: one more than there are lanes, so that a lane never waits for a hop and little
    waits for a lane.
    """
    return GPU_CALLS if analyzer.gpus else analyzer.lanes + 1


def _at_every_analyzer(
    decoders: Sequence[DecoderPlan], analyzers: Sequence[AnalyzerPlan], wish: Wish
) -> dict[tuple[str, str], int]:
    """By wanted rates, so that a small owner's cameras do not starve and a large one's are not slowed."""
    wanted = {each.name: wish.rate_of(each.feeds) for each in decoders}
    total = sum(wanted.values()) or 1.0
    return {
        (owner, analyzer.name): max(1, round(_slots(analyzer) * rate / total))
        for analyzer in analyzers
        for owner, rate in wanted.items()
    }


def _calls_needed(
    decoders: Sequence[DecoderPlan], analyzers: Sequence[AnalyzerPlan], wish: Wish, before: Credits
) -> dict[str, int]:
    """By owner: its share of all calls that the analyzers need, by the calls a second that its cameras ask for. A call
    takes a frame of several cameras where batches are taken, so there an owner of many cameras needs no more.
    """
    batch = min(FRAMES_A_CALL, max(each.max_batch_size for each in analyzers))
    asked = {each.name: wish.rate_of(each.feeds) / max(1, min(batch, len(each.cameras))) for each in decoders}
    total = sum(asked.values()) or 1.0
    slots = sum(map(_slots, analyzers))
    had = dict.fromkeys(asked, 0)
    for (owner, _), count in before.items():
        if owner in had:
            had[owner] += count
    needed: dict[str, int] = {}
    for owner, rate in asked.items():
        share = max(float(LEAST), slots * rate / total)
        needed[owner] = had[owner] if abs(had[owner] - share) < STICKY else round(share)
        needed[owner] = max(LEAST, needed[owner])
    return needed


class _Shares:
    """The table while it is made: who calls whom, and how full each analyzer is."""

    def __init__(
        self, decoders: Sequence[DecoderPlan], analyzers: Sequence[AnalyzerPlan], wish: Wish, before: Credits
    ) -> None:
        self._needed = _calls_needed(decoders, analyzers, wish, before)
        slots = {each.name: _slots(each) for each in analyzers}
        full = sum(self._needed.values()) / sum(slots.values())
        self._fair = {name: count * full for name, count in slots.items()}
        """Calls at each analyzer, were they spread evenly over all lanes."""
        at_node: dict[str, list[str]] = {}
        for each in analyzers:
            if each.node is not None:
                at_node.setdefault(each.node, []).append(each.name)
        self._homes = {each.name: at_node.get(each.node or "", []) for each in decoders}
        """Of each owner, the analyzers of its node."""
        self.given: dict[tuple[str, str], int] = {}
        self._rows: dict[str, dict[str, int]] = {owner: {} for owner in self._needed}
        self._callers: dict[str, set[str]] = {name: set() for name in slots}
        self._filled = dict.fromkeys(slots, 0)
        self._fresh = slots.keys() - {name for _, name in before}
        """Analyzers that nobody has called."""
        for (owner, name), count in before.items():
            if owner in self._rows and name in slots:
                self._add(owner, name, count)

    def trim(self) -> None:
        """Owners that had more than they need give back where most is called; so do those that have lost all but one
        analyzer, for they get another.
        """
        for owner, row in self._rows.items():
            while self._missing(owner) < 0 or (len(row) == 1 and not self._missing(owner)):
                spare = [name for name in row if row[name] > 1 or len(row) > LEAST]
                has_many = self._at_home(owner) > self._needed[owner] // 2
                self._add(owner, max(spare, key=partial(self._spared_first, self._homes[owner], has_many)), -1)

    def go_home(self) -> None:
        """An owner calls the analyzer of its node first, where that has room: pictures need not travel. Half of its
        calls at most, so that it goes on without it; one call if the analyzer came to where the owner was.
        """
        for owner, row in self._rows.items():
            homes = self._homes[owner]
            if not homes:
                continue
            nearest = min(homes, key=self._rank)
            if not self._missing(owner) and not self._at_home(owner) and nearest in self._fresh:
                self._add(owner, max(row, key=self._rank), -1)
            while self._missing(owner) and self._at_home(owner) < self._needed[owner] // 2 and self._has_room(nearest):
                self._add(owner, nearest, 1)
                nearest = min(homes, key=self._rank)

    def fill(self) -> None:
        """What is still missing goes to the analyzers that are called least, one call of each owner after the other.
        Neighbours come after each other, so that theirs differ: where two analyzers are slow, few owners have both.
        """
        emptiest = [(self._excess(name), n, name) for n, name in enumerate(self._filled)]
        heapq.heapify(emptiest)
        lacking = sorted(self._rows, key=lambda owner: self._homes[owner])
        while lacking := [owner for owner in lacking if self._missing(owner) > 0]:
            for owner in lacking:
                self._call_the_emptiest(owner, emptiest)

    def level(self) -> None:
        """Calls move from analyzers that are called too often to those that came new, as few as will do."""
        while self._move_one():
            pass

    def _move_one(self) -> bool:
        """From the analyzer that is called most to the one that is called least, where an owner can move."""
        ranked = sorted(self._filled, key=self._rank)
        for taker in ranked:
            for giver in reversed(ranked):
                if self._excess(giver) - self._excess(taker) < UNEVEN:
                    break
                if movable := [owner for owner in self._callers[giver] if self._may_move(owner, giver, taker)]:
                    owner = min(movable, key=partial(self._moved_first, giver, taker))
                    self._add(owner, giver, -1)
                    self._add(owner, taker, 1)
                    return True
        return False

    # --- one owner, one analyzer --------------------------------------------------------------------------------

    def _call_the_emptiest(self, owner: str, emptiest: list[tuple[float, int, str]]) -> None:
        """One more call, where it has none yet if there is such a place."""
        row = self._rows[owner]
        passed: list[tuple[float, int, str]] = []
        while emptiest and emptiest[0][2] in row and len(row) < len(self._filled):
            passed.append(heapq.heappop(emptiest))
        _, n, name = heapq.heappop(emptiest)
        self._add(owner, name, 1)
        for each in (*passed, (self._excess(name), n, name)):
            heapq.heappush(emptiest, each)

    def _may_move(self, owner: str, giver: str, taker: str) -> bool:
        row = self._rows[owner]
        return taker not in row or row[giver] > 1 or len(row) > LEAST

    def _moved_first(self, giver: str, taker: str, owner: str) -> tuple[bool, bool, bool, str]:
        """Whoever does not call there yet, or comes home by it, and does not leave home; by name, so that the same plan
        comes again.
        """
        homes, row = self._homes[owner], self._rows[owner]
        return taker in row, taker not in homes, giver in homes and row[giver] == 1, owner

    def _spared_first(self, homes: Sequence[str], has_many: bool, name: str) -> tuple[bool, float]:
        return (name in homes) == has_many, self._excess(name)

    def _at_home(self, owner: str) -> int:
        row = self._rows[owner]
        return sum(row.get(name, 0) for name in self._homes[owner])

    def _missing(self, owner: str) -> int:
        return self._needed[owner] - sum(self._rows[owner].values())

    def _has_room(self, name: str) -> bool:
        return self._excess(name) < 0

    def _excess(self, name: str) -> float:
        """Calls there beyond its fair share."""
        return self._filled[name] - self._fair[name]

    def _rank(self, name: str) -> tuple[float, str]:
        return self._excess(name), name

    def _add(self, owner: str, name: str, count: int) -> None:
        row = self._rows[owner]
        now = row.get(name, 0) + count
        self._filled[name] += count
        if now:
            row[name] = self.given[owner, name] = now
            self._callers[name].add(owner)
        else:
            del row[name], self.given[owner, name]
            self._callers[name].discard(owner)
