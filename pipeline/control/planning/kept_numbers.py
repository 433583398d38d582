"""Numbers by name that were measured while running, kept over restarts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.clock import Clock
from pipeline.frame_path.publisher.artefacts import write_whole

KEEP_SECONDS = 60.0
"""Between two writes."""


class KeptNumbers:
    """A file of JSON, read at the start and written now and then. Not thread-safe."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._kept_at = clock.monotonic()

    def load(self) -> dict[str, float]:
        """What an earlier run kept; empty at first."""
        if not self._path.is_file():
            return {}
        return {str(name): float(number) for name, number in json.loads(self._path.read_text()).items()}

    def keep(self, numbers: Mapping[str, float]) -> None:
        """Writes them down if the last time is long enough ago."""
        if self._clock.monotonic() - self._kept_at >= KEEP_SECONDS:
            self._kept_at = self._clock.monotonic()
            write_whole(self._path, json.dumps(dict(numbers)).encode())
