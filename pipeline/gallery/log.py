"""The append-only end of the gallery: one file, a checksummed batch after the other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from pipeline.gallery.disk import sync_folder
from pipeline.gallery.records import MAGIC, Batch, framed, unframed


class Log:
    """The file that is written to. What `append` returned from survives a crash; a half-written batch is cut off."""

    def __init__(self, path: Path, file: BinaryIO, num_bytes: int) -> None:
        """Use `create` or `reopen`."""
        self.path = path
        self._file = file
        self.num_bytes = num_bytes

    @staticmethod
    def create(path: Path, head: Batch) -> Log:
        """A new file that begins with `head`; it is there as a whole or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(MAGIC + framed(head))
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync_folder(path.parent)
        return Log._at_end(path)

    @staticmethod
    def reopen(path: Path) -> tuple[Log, list[Batch], int]:
        """An existing file, what it holds, and how many bytes of a torn end were cut off.

        Raises:
            OSError: it cannot be read or written.
        """
        batches, end, size = read_log(path)
        if end < size:
            with path.open("r+b") as file:
                file.truncate(end)
                file.flush()
                os.fsync(file.fileno())
        return Log._at_end(path), batches, size - end

    @staticmethod
    def _at_end(path: Path) -> Log:
        file = path.open("ab", buffering=0)
        return Log(path, file, file.tell())

    def append(self, batch: Batch) -> None:
        """Durable on return. What an error left half-written is cut off again.

        Raises:
            OSError: the disk is full or gone.
        """
        data = memoryview(framed(batch))
        whole = self.num_bytes + len(data)
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fdatasync(self._file.fileno())
        except OSError:
            self._file.truncate(self.num_bytes)
            raise
        self.num_bytes = whole

    def close(self) -> None:
        """Idempotent."""
        self._file.close()


def read_log(path: Path) -> tuple[list[Batch], int, int]:
    """(batches, end of the last whole one, size of the file); changes nothing.

    Raises:
        OSError: it cannot be read, or is no log of a gallery.
    """
    data = path.read_bytes()
    if data[: len(MAGIC)] != MAGIC:
        raise OSError(f"{path} is no log of a gallery: expected {MAGIC.decode()} at its beginning")
    found = list(unframed(data))
    return [batch for batch, _ in found], found[-1][1] if found else len(MAGIC), len(data)
