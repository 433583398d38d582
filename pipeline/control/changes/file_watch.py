"""What has the configuration read again without anybody asking over HTTP: SIGHUP, and the file itself."""

from __future__ import annotations

import hashlib
import signal
import threading
from pathlib import Path
from types import FrameType


def hangups() -> threading.Event:
    """Set by each SIGHUP from now on, which ends the process no more."""
    asked = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked.set()

    signal.signal(signal.SIGHUP, on_signal)
    return asked


class FileWatch:
    """Whether a file or folder says something else than before. Looks at times and sizes, and reads only then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._stamped()
        self._known = self._seen = self._digest()

    def has_changed(self) -> bool:
        """True once a change, as soon as two looks have found the same: it may be written in parts."""
        stamp = self._stamped()
        if stamp != self._stamp:
            self._stamp = stamp
            digest = self._digest()
            has_settled = digest == self._seen
            self._seen = digest
            if not has_settled:
                return False
        if self._seen == self._known:
            return False
        self._known = self._seen
        return True

    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        return sorted([*self._path.glob("*.y*ml"), *(self._path / "cameras").glob("*.y*ml")])

    def _stamped(self) -> list[tuple[str, int, int]]:
        found: list[tuple[str, int, int]] = []
        for file in self._files():
            try:
                about = file.stat()
            except OSError:  # being replaced: the next look finds the new one
                continue
            found.append((str(file), about.st_mtime_ns, about.st_size))
        return found

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for file in self._files():
            try:
                text = file.read_bytes()
            except OSError:
                continue
            digest.update(str(file).encode() + b"\0" + text + b"\0")
        return digest.hexdigest()
