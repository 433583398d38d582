"""What must reach every sink waits here, on disk and in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import msgspec

from pipeline.frame_path.publisher.state_db import StateDatabase
from pipeline.messages import Kind, Message

KEPT_NEWEST: frozenset[Kind] = frozenset({"status", "state"})
"""Kinds of which, when the outbox is full, the newest of a key replaces the older ones."""

_ALERT_BYTES = 32 * 1024
"""What an alert may take: a preview of 16 KiB in base64, and its words."""


class Outbox:
    """Rows in order of commit; a row goes when the last sink that it waits for has settled it.

    Bounded in bytes over alerts, status, state, scene and dead letters. Results of replayable sources lie here too,
    until the required sinks have them: their number is bounded by the owner (256 a camera), so they do not count.
    Not thread-safe; every method that writes is called within a transaction of the database.
    """

    def __init__(self, database: StateDatabase, sinks: Sequence[str], max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes
        self._bits: dict[str, int] = {}
        self.refused = 0
        """Alerts, scene events and dead letters that found no room, ever."""
        with database.transaction():
            self._register(sinks)
        self.reload()

    def _register(self, sinks: Sequence[str]) -> None:
        """One bit per sink, for ever; rows stop waiting for sinks that are no longer there."""
        known = dict(self._database.rows("SELECT name, bit FROM sinks"))
        for name in sinks:
            if name not in known:
                known[name] = next(bit for bit in range(62) if bit not in known.values())
                self._database.rows("INSERT INTO sinks VALUES (?, ?)", (name, known[name]))
        for name in set(known) - set(sinks):
            self._database.rows("DELETE FROM sinks WHERE name = ?", (name,))
        self._bits = {name: 1 << known[name] for name in sinks}
        self._database.rows("UPDATE outbox SET waiting = waiting & ?", (sum(self._bits.values()),))
        self._database.rows("DELETE FROM outbox WHERE waiting = 0")

    def reload(self) -> None:
        """Reads the sums again, after a transaction that was rolled back."""
        totals = "SELECT count(*), coalesce(sum(CASE kind WHEN 'result' THEN 0 ELSE size END), 0) FROM outbox"
        self.num_rows, self.num_bytes = self._database.rows(totals)[0]
        stored = self._database.rows("SELECT value FROM counters WHERE name = 'refused'")
        self.refused = stored[0][0] if stored else 0

    @property
    def is_full(self) -> bool:
        """The next alert may be refused."""
        return self.num_bytes + _ALERT_BYTES > self._max_bytes

    def append(self, message: Message, waiting_for: Collection[str]) -> Message | None:
        """Stores a message until all of `waiting_for` have settled it.

        Returns:
            The message with its row, or None: no room; refused and counted. Status and state always find room, by
            replacing what is older.
        """
        has_room = message.kind == "result" or self.num_bytes + message.size <= self._max_bytes
        if not has_room and message.kind not in KEPT_NEWEST:
            self.refused += 1
            self._database.rows("INSERT OR REPLACE INTO counters VALUES ('refused', ?)", (self.refused,))
            return None
        if not has_room:
            self._drop_older(message)
        waiting = sum(self._bits[name] for name in waiting_for)
        row = self._database.insert(
            "INSERT INTO outbox (kind, camera, key, waiting, size, message) VALUES (?, ?, ?, ?, ?, ?)",
            (message.kind, message.camera, message.key, waiting, message.size, msgspec.msgpack.encode(message)),
        )
        self.num_rows += 1
        self.num_bytes += 0 if message.kind == "result" else message.size
        return replace(message, outbox=row)

    def _drop_older(self, message: Message) -> None:
        self._forget("DELETE FROM outbox WHERE kind = ? AND key = ? RETURNING kind, size", (message.kind, message.key))

    def settle(self, row: int, sink: str) -> None:
        """`sink` has it, or will never take it."""
        bit = self._bits.get(sink, 0)
        self._database.rows("UPDATE outbox SET waiting = waiting & ~? WHERE row = ?", (bit, row))
        self._forget("DELETE FROM outbox WHERE row = ? AND waiting = 0 RETURNING kind, size", (row,))

    def _forget(self, sql: str, values: Sequence[str | int]) -> None:
        for kind, size in self._database.rows(sql, values):
            self.num_rows -= 1
            self.num_bytes -= 0 if kind == "result" else size

    def after(self, row: int, sink: str, limit: int) -> list[Message]:
        """The next rows beyond `row` that wait for `sink`, oldest first."""
        found = self._database.rows(
            "SELECT row, message FROM outbox WHERE row > ? AND waiting & ? ORDER BY row LIMIT ?",
            (row, self._bits[sink], limit),
        )
        return [replace(_decode(blob), outbox=number) for number, blob in found]

    def oldest(self, kinds: Sequence[Kind]) -> Message | None:
        """The first row of these kinds that some sink has not settled."""
        marks = ", ".join("?" * len(kinds))
        sql = f"SELECT message FROM outbox WHERE kind IN ({marks}) ORDER BY row LIMIT 1"  # noqa: S608 - marks alone
        found = self._database.rows(sql, kinds)
        return _decode(found[0][0]) if found else None

    def waiting_results(self) -> list[tuple[Message, frozenset[str]]]:
        """Results that some sink has not settled, in order, with those sinks."""
        found = self._database.rows("SELECT message, waiting FROM outbox WHERE kind = 'result' ORDER BY row")
        return [(_decode(blob), self._names(waiting)) for blob, waiting in found]

    def _names(self, waiting: int) -> frozenset[str]:
        return frozenset(name for name, bit in self._bits.items() if waiting & bit)


_DECODER = msgspec.msgpack.Decoder(Message)


def _decode(blob: bytes) -> Message:
    return _DECODER.decode(blob)
