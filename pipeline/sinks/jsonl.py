"""Results and alerts into files, one JSON object a line."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import SinkError
from pipeline.messages import Message, Settlement
from pipeline.sinks import envelope
from pipeline.sinks.config import JsonlSinkConfig
from pipeline.sinks.names import destinations
from pipeline.sinks.queued import Delivered

_TAIL_BYTES = 2**20
_log = logging.getLogger(__name__)


class _LineFile:
    """One kind's file. A line is there whole or not at all once `append` is back."""

    def __init__(self, path: Path, rotate_bytes: int) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._file: BinaryIO | None = None
        self._size = 0

    def append(self, lines: Sequence[bytes], *, is_durable: bool) -> None:
        """Writes `lines`; `is_durable` waits for the disk. A failure leaves the file as it was."""
        data = b"".join(line + b"\n" for line in lines)
        file = self._file or self._open()
        if self._size and self._size + len(data) > self._rotate_bytes:
            self.close()
            self._path.rename(self._aside())
            file = self._open()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            if is_durable:
                os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), self._size)
            raise
        self._size += len(data)

    def _aside(self) -> Path:
        """`results-20261125T140102.123456Z.jsonl`: names sort by time."""
        return self._path.with_stem(f"{self._path.stem}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")

    def _open(self) -> BinaryIO:
        """Opens at the end, cutting off a line that a crash left torn: it was never settled, so it comes again."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("ab+", buffering=0)
        self._size = file.seek(0, os.SEEK_END)
        kept = _end_of_last_line(file, self._size)
        if kept < self._size:
            os.ftruncate(file.fileno(), kept)
            self._size = kept
        self._file = file
        return file

    def close(self) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def _end_of_last_line(file: BinaryIO, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - _TAIL_BYTES)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


class JsonLines:
    """A carrier for `QueuedSink`: a folder with `results.jsonl`, `alerts.jsonl`, `status.jsonl`, and so on.

    Delivery: settled when the operating system has the lines, and for messages with an outbox row when the disk has
    them (fsync once a batch); a power cut can therefore cost results of the last seconds, never an alert. A file that
    would outgrow `rotate` is first renamed after the time. Nothing is ever deleted.
    """

    def __init__(self, config: JsonlSinkConfig) -> None:
        self.name = "jsonl"
        self._folder = Path(config.path)
        self._rotate_bytes = config.rotate
        self._files: dict[str, _LineFile] = {}

    def check(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._translate(error) from None
        if not os.access(self._folder, os.W_OK):
            raise SinkError(f"{self._folder} cannot be written to: check its owner and mode", code="unwritable")

    def deliver(self, messages: Sequence[Message]) -> Delivered:
        per_file: dict[str, list[Message]] = {}
        for message in messages:
            per_file.setdefault(destinations("", message.kind, message.camera).file, []).append(message)
        settled: list[Settlement] = []
        for name, group in per_file.items():
            try:
                self._append(name, group)
            except OSError as error:
                return Delivered(settled, self._translate(error))
            settled += [Settlement(self.name, message, "acknowledged") for message in group]
        return Delivered(settled)

    def _append(self, name: str, messages: Sequence[Message]) -> None:
        if name not in self._files:
            self._files[name] = _LineFile(self._folder / f"{name}.jsonl", self._rotate_bytes)
        is_durable = any(message.outbox is not None for message in messages)
        self._files[name].append([envelope.line(message) for message in messages], is_durable=is_durable)

    def hurry(self, seconds: float) -> None:
        """Nothing to do: a disk answers or the process is stuck with it."""

    def close(self) -> None:
        for file in self._files.values():
            try:
                file.close()
            except OSError as error:
                _log.warning("%s", self._translate(error))
        self._files.clear()

    def _translate(self, error: OSError) -> SinkError:
        return SinkError(f"{self._folder} cannot be written to: {error.strerror or error}", code="unwritable")
