"""How far one camera is settled, and what became of every result at every sink."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.frame_path.publisher.state_db import StateDatabase
from pipeline.messages import Settlement, SinkLedger

Position = tuple[int, int]
"""(epoch, seq)."""


MAX_EPOCHS = 256
"""Loops or partitions that are remembered."""


@dataclass(slots=True)
class _Waiting:
    position: Position
    sinks: set[str]


class Settling:
    """Positions of one camera in the order of acceptance, each with the required sinks that have not settled it. Each
    epoch for itself: loops of a file follow each other, partitions of a topic go on side by side.
    """

    def __init__(self, upto: Mapping[int, int]) -> None:
        self.upto = dict(upto)
        """By epoch: every accepted seq up to here is settled."""
        self._order: dict[int, deque[_Waiting]] = {}
        self._open: dict[Position, _Waiting] = {}

    @property
    def newest(self) -> Position | None:
        """Of the highest epoch."""
        return max(self.upto.items(), default=None)

    def add(self, position: Position, sinks: Iterable[str]) -> None:
        """`position` is accepted and waits for `sinks`, maybe none; one that waits already is not added again."""
        if position in self._open:
            return
        waiting = _Waiting(position, set(sinks))
        self._order.setdefault(position[0], deque()).append(waiting)
        self._open[position] = waiting
        self._advance(position[0])

    def settle(self, position: Position, sink: str) -> None:
        """One sink is done with it."""
        if waiting := self._open.get(position):
            waiting.sinks.discard(sink)
            self._advance(position[0])

    def _advance(self, epoch: int) -> None:
        order = self._order[epoch]
        while order and not order[0].sinks:
            done = order.popleft().position
            self._open.pop(done, None)
            self.upto[epoch] = max(self.upto.get(epoch, done[1]), done[1])
        if not order:
            del self._order[epoch]
        for old in sorted(self.upto)[:-MAX_EPOCHS]:
            del self.upto[old]


@dataclass(slots=True)
class _Tally:
    offered: int = 0
    acknowledged: int = 0
    dead_lettered: int = 0
    dropped: Counter[str] = field(default_factory=Counter[str])

    @property
    def queued(self) -> int:
        return self.offered - self.acknowledged - self.dead_lettered - sum(self.dropped.values())


@dataclass(slots=True)
class Counted:
    """What one delivery adds, not yet committed: results per camera."""

    offered: Counter[str] = field(default_factory=Counter[str])
    repeated: Counter[str] = field(default_factory=Counter[str])
    """A new owner analysed again what an earlier one had published: counted, not published again."""


class SinkTallies:
    """Per sink and camera: `analysed + gated = acknowledged + dropped + dead_lettered + queued`.

    On disk as of the last transaction. Results that were queued in the memory of a publisher that was killed are
    counted as dropped, reason `publisher_died`. Not thread-safe.
    """

    def __init__(self, database: StateDatabase, sinks: Sequence[str], waiting: Mapping[tuple[str, str], int]) -> None:
        """`waiting`: results in the outbox by (sink, camera): these are queued still, whatever died."""
        self._database = database
        self._sinks = tuple(sinks)
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._changed: set[tuple[str, str]] = set()
        for sink, camera, offered, acknowledged, dead, dropped in database.rows("SELECT * FROM tallies"):
            if sink not in sinks:
                continue
            tally = _Tally(offered, acknowledged, dead, Counter(json.loads(dropped)))
            if gone := tally.queued - waiting.get((sink, camera), 0):
                tally.dropped["publisher_died"] += gone
                self._changed.add((sink, camera))
            self._tallies[sink, camera] = tally

    def settle(self, settlement: Settlement) -> None:
        """One result at one sink."""
        key = (settlement.sink, settlement.message.camera)
        tally = self._tallies.setdefault(key, _Tally())
        match settlement.outcome:
            case "acknowledged":
                tally.acknowledged += 1
            case "dead_lettered":
                tally.dead_lettered += 1
            case "dropped":
                tally.dropped[settlement.reason or "dropped"] += 1
        self._changed.add(key)

    def write(self, counted: Counted) -> None:
        """Within a transaction: what has changed, and what `counted` will add."""
        added = {(sink, camera) for camera in counted.offered | counted.repeated for sink in self._sinks}
        for sink, camera in self._changed | added:
            tally = self._tallies.get((sink, camera), _Tally())
            repeated = counted.repeated[camera]
            dropped = tally.dropped + Counter({"repeated": repeated})
            offered = tally.offered + counted.offered[camera] + repeated
            self._database.rows(
                "INSERT OR REPLACE INTO tallies VALUES (?, ?, ?, ?, ?, ?)",
                (sink, camera, offered, tally.acknowledged, tally.dead_lettered, json.dumps(dropped)),
            )

    def commit(self, counted: Counted) -> None:
        """After the transaction."""
        self._changed.clear()
        for camera in counted.offered | counted.repeated:
            for sink in self._sinks:
                tally = self._tallies.setdefault((sink, camera), _Tally())
                tally.offered += counted.offered[camera] + counted.repeated[camera]
                if counted.repeated[camera]:
                    tally.dropped["repeated"] += counted.repeated[camera]

    @property
    def has_changes(self) -> bool:
        return bool(self._changed)

    def ledgers(self) -> tuple[SinkLedger, ...]:
        """Now."""
        return tuple(
            SinkLedger(sink, camera, tally.acknowledged, dict(tally.dropped), tally.dead_lettered, tally.queued)
            for (sink, camera), tally in sorted(self._tallies.items())
        )
