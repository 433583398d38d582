"""Who may publish for a camera: a number that only rises, kept on disk."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pipeline.clock import Clock
from pipeline.errors import PipelineError


class LeaseBook:
    """Leases are `max(previous + 1, unix milliseconds)`, so they rise even if the file is lost.

    Used by the supervisor alone, which is alone by the lock on `state_dir`.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Reads what is there.

        Raises:
            PipelineError: the file is not what we wrote; it names the file and what to do.
        """
        self._path = path
        self._clock = clock
        self._leases: dict[str, int] = {}
        if path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                self._leases = {str(camera): int(lease) for camera, lease in found.items()}
            except (ValueError, AttributeError, TypeError):
                msg = (
                    f"{path} is damaged: expected a JSON map of cameras to leases. "
                    "Remove it; leases then start from the clock"
                )
                raise PipelineError(msg, code="damaged_state") from None

    def next_of(self, cameras: Sequence[str]) -> dict[str, int]:
        """A lease for each, higher than any before; all on disk, in one write, before they are returned."""
        now = self._clock.wall_ns() // 1_000_000
        found = {camera: max(self._leases.get(camera, 0) + 1, now) for camera in cameras}
        self._leases |= found
        fresh = self._path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(json.dumps(self._leases))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        return found


class StateLock:
    """One pipeline per `state_dir`: held while the process lives, released by the kernel if it dies."""

    def __init__(self, state_dir: Path) -> None:
        """Takes the lock.

        Raises:
            PipelineError: another process holds it; it names the process.
        """
        state_dir.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (state_dir / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            msg = (
                f"{state_dir} is in use by process {holder}: expected it to be free. "
                "Stop that pipeline, or give this one its own runtime.state_dir"
            )
            raise PipelineError(msg, code="state_in_use") from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Gives it back."""
        self._file.close()
