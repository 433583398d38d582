"""Keeps secrets out of what this process and its children print."""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
from io import TextIOWrapper
from types import TracebackType
from typing import IO, Self

from pipeline.secrets import redact

IDLE_SECONDS = 0.2
"""Long enough for one write to follow another, short enough for a prompt."""
_CHUNK_BYTES = 1 << 16
_MAX_READS_AFTER_STOP = 64
"""A child that goes on writing does not keep us."""


class RedactingFilter(logging.Filter):
    """Redacts message, arguments and traceback of every record. Belongs on handlers: loggers do not filter what their
    children hand up.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        record.exc_info = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def redact_logs() -> None:
    """Puts the filter on every handler of the root logger; once is enough."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, RedactingFilter) for each in handler.filters):
            handler.addFilter(RedactingFilter())


class RedactedOutput:
    """While entered, everything that this process, its libraries and its children write to fd 1 and 2 is redacted line
    by line, tracebacks of foreign code and native libraries included.

    Our own screen writes to `terminal`, the real standard output, since a pipe is no terminal. On exit the descriptors
    are put back; a child that lives on writes into a closed pipe.
    """

    terminal: IO[str]

    def __init__(self, descriptors: tuple[int, ...] = (1, 2), idle_seconds: float = IDLE_SECONDS) -> None:
        """Nothing is moved yet. `idle_seconds`: an unfinished line is printed as it stands after this long."""
        self._descriptors = descriptors
        self._idle_seconds = idle_seconds
        self._saved: dict[int, int] = {}
        self._threads: list[threading.Thread] = []
        self._stop_read, self._stop_write = -1, -1

    def __enter__(self) -> Self:
        _flush()
        self._stop_read, self._stop_write = os.pipe()
        for descriptor in self._descriptors:
            original = os.dup(descriptor)
            self._saved[descriptor] = original
            read_end, write_end = os.pipe()
            os.dup2(write_end, descriptor)
            os.close(write_end)
            thread = threading.Thread(
                target=_pump,
                args=(read_end, original, self._stop_read, self._idle_seconds),
                name=f"redact-{descriptor}",
                daemon=True,
            )
            thread.start()
            self._threads.append(thread)
        terminal = os.dup(self._saved[self._descriptors[0]])
        self.terminal = TextIOWrapper(os.fdopen(terminal, "wb", 0), encoding="utf-8", write_through=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _flush()
        for descriptor, original in self._saved.items():
            os.dup2(original, descriptor)
        os.close(self._stop_write)
        for thread in self._threads:
            thread.join()
        self.terminal.close()
        for descriptor in (*self._saved.values(), self._stop_read):
            os.close(descriptor)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _pump(read_end: int, original: int, stop: int, idle_seconds: float) -> None:
    """Copies whole lines, redacted, until nobody can write any more or `stop` closes and nothing is left."""
    held, reads_left = b"", _MAX_READS_AFTER_STOP
    while True:
        ready, _, _ = select.select([read_end, stop], [], [], idle_seconds if held else None)
        chunk = os.read(read_end, _CHUNK_BYTES) if read_end in ready else None
        lines, newline, held = (held + (chunk or b"")).rpartition(b"\n")
        _write(original, lines + newline)
        if not chunk or len(held) > _CHUNK_BYTES:
            _write(original, held)
            held = b""
        reads_left -= stop in ready
        if chunk == b"" or (stop in ready and (chunk is None or reads_left == 0)):
            os.close(read_end)
            return


def _write(descriptor: int, data: bytes) -> None:
    if not data:
        return
    rest = redact(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    while rest:
        rest = rest[os.write(descriptor, rest) :]
