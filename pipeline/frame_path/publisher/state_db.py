"""The publisher's memory on disk: one SQLite file, one writer, one transaction per call."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import PublishError

STATE_FILE = "publisher.sqlite"
"""In the folder of its publisher."""
LOCK_SECONDS = 5.0
"""A publisher that ends needs a moment."""
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE sinks (name TEXT PRIMARY KEY, bit INTEGER NOT NULL UNIQUE);
CREATE TABLE cameras (camera TEXT PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE learners (camera TEXT PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE outbox (
    row INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, camera TEXT NOT NULL, key TEXT NOT NULL,
    waiting INTEGER NOT NULL, size INTEGER NOT NULL, message BLOB NOT NULL
);
CREATE INDEX outbox_by_key ON outbox (kind, key);
CREATE TABLE tallies (
    sink TEXT NOT NULL, camera TEXT NOT NULL, offered INTEGER NOT NULL, acknowledged INTEGER NOT NULL,
    dead_lettered INTEGER NOT NULL, dropped TEXT NOT NULL, PRIMARY KEY (sink, camera)
);
CREATE TABLE wanted (event_id TEXT PRIMARY KEY, camera TEXT NOT NULL, asked BLOB NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class StateDatabase:
    """A connection whose caller serialises its use.

    Durable on commit (WAL, `synchronous=FULL`) and exclusive: while a process holds the file no other one can write, so
    a publisher that hangs cannot write beside its successor; the lock goes with the process.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates the file.

        Raises:
            PublishError: it cannot be opened, is held by another process (code `state_locked`), or was made by another
                version (code `state_version`).
        """
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
                self._connection.execute(f"PRAGMA {pragma}").fetchone()
            self._create()

    def _create(self) -> None:
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            self._connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif found != SCHEMA_VERSION:
            msg = f"stored state has another version: expected {SCHEMA_VERSION}, got {found} ({self._path})"
            raise PublishError(msg, code="state_version")

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing, durable at the end.

        Raises:
            PublishError: code `state_unwritable` (disk full, read-only, gone); nothing was written.
        """
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement and returns all its rows."""
        with self._translated():
            return self._connection.execute(sql, values).fetchall()

    def stream(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The same row by row, for what memory may not hold at once."""
        with self._translated():
            yield from self._connection.execute(sql, values)

    def define(self, name: str, function: Callable[[str], int]) -> None:
        """Lets statements call a function whose answer never changes."""
        with self._translated():
            self._connection.create_function(name, 1, function, deterministic=True)

    def insert(self, sql: str, values: Sequence[Any]) -> int:
        """Runs one INSERT and returns the row's number."""
        with self._translated():
            return self._connection.execute(sql, values).lastrowid or 0

    def close(self) -> None:
        """Folds the log into the file and lets it go. Idempotent."""
        with self._translated():
            self._connection.close()

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise translate(error, self._path) from None


def translate(error: sqlite3.Error, path: Path) -> PublishError:
    """SQLite's errors as ours: `state_locked` is another process, everything else `state_unwritable`."""
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        msg = f"state is held by another process ({path}). Stop the other publisher or give this one its own state_dir"
        return PublishError(msg, code="state_locked")
    msg = f"state cannot be written: {name}: {error} ({path}). Free disk space or check the permissions"
    return PublishError(msg, code="state_unwritable")
