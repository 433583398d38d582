"""What reading each camera was measured to cost, kept over restarts: the next plan goes by it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.clock import Clock
from pipeline.control.planning.reading_growth import Reading
from pipeline.frame_path.publisher.artefacts import write_whole
from pipeline.messages import CameraSnapshot

KEEP_SECONDS = 60.0


class ReadingCosts:
    """Cores by camera. The supervisor's loop owns it."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._path = state_dir / "reading_cores.json"
        self._clock = clock
        self._kept_at = clock.monotonic()
        self._cores: dict[str, float] = {}
        self.now = Reading()
        """Of the cameras that are read now; not kept."""
        if self._path.is_file():
            self._cores = {str(name): float(cores) for name, cores in json.loads(self._path.read_text()).items()}

    @property
    def cores(self) -> Mapping[str, float]:
        return self._cores

    def note(self, cameras: Iterable[CameraSnapshot]) -> None:
        """What owners told; written down now and then."""
        live = [each for each in cameras if each.state == "live"]
        used = {each.camera: each.reading_cores for each in live if each.reading_cores is not None}
        wanted = {each.camera: each.reading_wants for each in live if each.reading_wants is not None}
        self._cores |= used
        self.now = Reading(used, wanted)
        if self._clock.monotonic() - self._kept_at >= KEEP_SECONDS:
            self._kept_at = self._clock.monotonic()
            write_whole(self._path, json.dumps({name: round(cores, 4) for name, cores in self._cores.items()}).encode())
