"""What reading each camera was measured to cost, kept over restarts: the next plan goes by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.clock import Clock
from pipeline.control.planning.kept_numbers import KeptNumbers
from pipeline.control.planning.reading_growth import Reading
from pipeline.messages import CameraSnapshot


class ReadingCosts:
    """Cores by camera. The supervisor's loop owns it."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._kept = KeptNumbers(state_dir / "reading_cores.json", clock)
        self._cores = self._kept.load()
        self.now = Reading()
        """Of the cameras that are read now; not kept."""

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
        self._kept.keep({name: round(cores, 4) for name, cores in self._cores.items()})
