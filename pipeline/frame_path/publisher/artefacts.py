"""Immutable artefacts on disk, named with their version: empty views and banks."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_NAME = re.compile(r"[a-z][a-z0-9_]*/[A-Za-z0-9][A-Za-z0-9_.-]*")
_VERSIONED = re.compile(rf"({_NAME.pattern})@([1-9]\d*)")


KEPT_VERSIONS = 16
"""Of one name. Frames in flight name the two newest; the rest is for people who ask what an alert was judged by."""


class ArtefactStore:
    """A folder of `view/dock-03@12`, each written once and never changed.

    Any number of readers, also in other processes; writers of one name take turns. A crash leaves the old versions or
    the old and the new one, never half of one.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()

    def put(self, name: str, data: bytes) -> str:
        """Stores `data` as the next version of `name`, deletes all but the newest, and returns that version's name.

        Raises:
            ValueError: `name` is not such as `view/dock-03`.
        """
        if not _NAME.fullmatch(name):
            msg = f"artefact name: expected such as view/dock-03, got {name!r}"
            raise ValueError(msg)
        with self._lock:
            while True:
                versioned = f"{name}@{self._newest(name) + 1}"
                if write_once(self._root / versioned, data):
                    self._prune(name)
                    return versioned

    def get(self, versioned: str) -> bytes:
        """The bytes of one version.

        Raises:
            ValueError: `versioned` is not such as `view/dock-03@12`.
            FileNotFoundError: there is no such version.
        """
        if not _VERSIONED.fullmatch(versioned):
            msg = f"artefact name: expected a version such as view/dock-03@12, got {versioned!r}"
            raise ValueError(msg)
        path = self._root / versioned
        if not path.exists():
            newest = self.latest(versioned.rpartition("@")[0]) or "none"
            msg = f"artefact {versioned} is missing: the newest version is {newest} ({self._root})"
            raise FileNotFoundError(msg)
        return path.read_bytes()

    def keep(self, versioned: str, data: bytes) -> None:
        """A copy of what another store has, under the same name; deletes all but the newest of that name."""
        write_once(self._root / versioned, data)
        self._prune(versioned.rpartition("@")[0])

    def latest(self, name: str) -> str | None:
        """The newest version's name, None where there is none."""
        newest = self._newest(name)
        return f"{name}@{newest}" if newest else None

    def _newest(self, name: str) -> int:
        return max(self._versions(name), default=0)

    def _versions(self, name: str) -> list[int]:
        folder = (self._root / name).parent
        found = (_VERSIONED.fullmatch(f"{name.partition('/')[0]}/{path.name}") for path in folder.glob("*@*"))
        return sorted(int(match[2]) for match in found if match and match[1] == name)

    def _prune(self, name: str) -> None:
        for version in self._versions(name)[:-KEPT_VERSIONS]:
            (self._root / f"{name}@{version}").unlink(missing_ok=True)


def write_once(path: Path, data: bytes) -> bool:
    """Writes a file that appears whole or not at all, durable on return; False: it was there before."""
    with _written(path, data) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
    sync_folder(path.parent)
    return True


def write_whole(path: Path, data: bytes) -> None:
    """Writes or replaces a file; a crash leaves the old one or the new one. Durable on return."""
    with _written(path, data) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


@contextmanager
def _written(path: Path, data: bytes) -> Generator[Path]:
    """A durable file beside `path`, removed at the end if it still is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
