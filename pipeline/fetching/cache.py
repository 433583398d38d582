"""Copies on this machine of files with an address, by content: each is fetched once, whoever asks first."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.fetching.address import Address
from pipeline.fetching.transfer import opened

Say = Callable[[str], None]

TOLD_BYTES = 64 << 20
"""Smaller files are there before one has read that they come."""


class FileCache:
    """A folder of `SHA256/NAME`. Thread-safe, also between processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str, name: str) -> Path:
        """Where that content is, or would be."""
        return self._folder / sha256 / name

    def fetched(self, address: Address, say: Say) -> tuple[Path, str]:
        """The copy and its sha256; fetched if it is not here, resumed where its content is known beforehand.

        Raises:
            PipelineError: it cannot be had, or something else came than `address.sha256`.
        """
        key = address.sha256 or hashlib.sha256(address.url.encode()).hexdigest()
        with self.one_at_a_time(key):
            if address.sha256 and self.path(address.sha256, address.name).is_file():
                return self.path(address.sha256, address.name), address.sha256
            part = self._folder / f"{key}.part"
            if not address.sha256:
                part.unlink(missing_ok=True)  # its rest might be of another file by now
            was_begun = part.is_file()
            found = _download(address, part, say)
            if was_begun and address.sha256 != found:
                part.unlink()
                found = _download(address, part, say)
            return self.keep(part, found, address), found

    def keep(self, part: Path, found: str, address: Address) -> Path:
        """Gives a complete file its name; one that is not what was asked for is removed.

        Raises:
            PipelineError: it is not.
        """
        if address.sha256 not in {"", found}:
            part.unlink()
            raise PipelineError(
                f"{address.shown} is another file: expected sha256 {address.sha256}, got {found}. Correct the hash, or "
                "find out who changed the file",
                code="not_fetched",
            )
        path = self.path(found, address.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(path)
        return path

    @contextmanager
    def one_at_a_time(self, key: str) -> Generator[Path]:
        """The folder, while no other process fetches `key`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{key}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield self._folder


def _download(address: Address, part: Path, say: Say) -> str:
    """The sha256 of the whole file in `part`."""
    start = part.stat().st_size if part.is_file() else 0
    with opened(address, start) as coming:
        done, told = coming.start, 0
        with part.open("ab" if done else "wb") as file:
            for chunk in coming.chunks:
                file.write(chunk)
                done += len(chunk)
                if coming.total > TOLD_BYTES and 4 * done // coming.total > told:
                    told = 4 * done // coming.total
                    say(f"{address.shown}: {done >> 20} of {coming.total >> 20} MiB")
    if coming.total and done < coming.total:
        msg = f"{address.shown} broke off after {done} of {coming.total} bytes. Start again"
        raise PipelineError(msg, code="not_fetched")
    with part.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
