"""Where pieces of evidence lie: a folder, or a bucket behind fsspec."""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import fsspec

from pipeline.fetching.refusals import refusal
from pipeline.frame_path.publisher.artefacts import write_whole

SUFFIXES = (".jpg", ".mp4")
_DEPTH = 3
"""camera/rule/file."""
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss"})
"""They have no folders to make; a bucket that is named and not there is a mistake to tell, not one to create."""
_WHEN = ("LastModified", "mtime", "created", "updated", "last_modified")
"""What file systems call the time of writing."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One that is there."""

    path: str
    """Below the store."""
    written_ns: int
    num_bytes: int


class Shelf(Protocol):
    """Files by path; every method may block and raises OSError."""

    def put(self, path: str, data: bytes) -> str:
        """Stores a file, durable on return, and says where it lies; one that is there is replaced."""
        ...

    def get(self, path: str) -> bytes: ...

    def files(self) -> Iterator[StoredFile]:
        """All pieces of evidence, in no order; nothing where there is no store yet."""
        ...

    def delete(self, path: str) -> None:
        """It need not be there."""
        ...


def shelf_of(store: str) -> Shelf:
    """A folder, or what fsspec makes of an address such as `s3://bucket/prefix`.

    Raises:
        OSError: there is no such kind of store here.
    """
    return RemoteShelf(store) if is_remote(store) else LocalShelf(Path(store))


def store_complaint(store: str) -> str:
    """Why this machine cannot write there at all, without a look at the network; empty: it can."""
    if not is_remote(store):
        return ""
    kind = store.partition("://")[0]
    try:
        fsspec.get_filesystem_class(kind)
    except ValueError:
        return f"expected a folder or an address that fsspec knows such as s3://bucket/prefix, got {store!r}"
    except ImportError:
        return f"no library for {kind}:// is installed: for s3:// install dinostream[s3], for others what fsspec names"
    return ""


def is_remote(store: str) -> bool:
    return "://" in store


def read_evidence(location: str) -> bytes:
    """The file that a message names, by its path or address as it stands there.

    Raises:
        OSError: it is not there, or cannot be reached.
    """
    folder, _, name = location.rpartition("/")
    return shelf_of(folder or ".").get(name)


class LocalShelf:
    """A folder. A file appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, path: str, data: bytes) -> str:
        whole = self._root / path
        write_whole(whole, data)
        return str(whole)

    def get(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    def files(self) -> Iterator[StoredFile]:
        for suffix in SUFFIXES:
            for path in self._root.glob(f"*/*/*{suffix}"):
                found = path.stat()
                yield StoredFile(path.relative_to(self._root).as_posix(), found.st_mtime_ns, found.st_size)

    def delete(self, path: str) -> None:
        (self._root / path).unlink(missing_ok=True)


class RemoteShelf:
    """Objects below an address, by fsspec. Credentials are the library's own business: environment, files, roles."""

    def __init__(self, store: str) -> None:
        """Raises: OSError, where the library for this kind of store is not installed."""
        self._store = store.rstrip("/")
        with _translated(self._store):
            self._files, self._root = fsspec.core.url_to_fs(self._store)
        self._root = self._root.rstrip("/")
        self._is_of_objects = self._store.partition("://")[0] in _OBJECT_STORES

    def put(self, path: str, data: bytes) -> str:
        with _translated(self._store):
            if not self._is_of_objects:
                self._files.makedirs(f"{self._root}/{path}".rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(f"{self._root}/{path}", data)
        return f"{self._store}/{path}"

    def get(self, path: str) -> bytes:
        with _translated(self._store):
            return bytes(self._files.cat_file(f"{self._root}/{path}"))

    def files(self) -> Iterator[StoredFile]:
        with _translated(self._store):
            self._files.invalidate_cache()
            # `exists` of a bucket says no for whatever went wrong; a bucket that is not there is a mistake to tell
            there = self._is_of_objects or self._files.exists(self._root)
            found: dict[str, dict[str, Any]] = self._files.find(self._root, detail=True) if there else {}
        for name, about in found.items():
            path = name.removeprefix(self._root).lstrip("/")
            if path.endswith(SUFFIXES) and path.count("/") == _DEPTH - 1:
                yield StoredFile(path, _written_ns(about), int(about["size"]))

    def delete(self, path: str) -> None:
        with _translated(self._store):
            if self._files.exists(f"{self._root}/{path}"):
                self._files.rm_file(f"{self._root}/{path}")


def _written_ns(about: dict[str, Any]) -> int:
    """0 where the store does not say: then only the bound on bytes can tell that it may go, the oldest name first."""
    when = next((about[name] for name in _WHEN if about.get(name)), 0.0)
    seconds = when.timestamp() if isinstance(when, datetime) else float(when)
    return round(seconds * 1e9)


@contextmanager
def _translated(store: str) -> Generator[None]:
    """Every library behind fsspec has errors of its own; their texts may hold keys."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - botocore, aiohttp, google and others; translated
        number = error.errno if isinstance(error, OSError) and error.errno else _number_of(error)
        raise OSError(number, f"the store {refusal(store.partition('://')[0], error)}", store) from None


def _number_of(error: Exception) -> int:
    """OSError makes the right class of it."""
    if isinstance(error, ImportError):
        return errno.ENOSYS
    return errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EIO
