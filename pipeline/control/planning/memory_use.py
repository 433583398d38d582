"""What readers and analyzers were measured to take of memory, kept over restarts: the next plan goes by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.clock import Clock
from pipeline.control.planning.kept_numbers import KeptNumbers
from pipeline.control.planning.memory import MIB, PROCESS_BYTES, MemoryNeeds
from pipeline.control.planning.plan import LaneUse
from pipeline.messages import CameraSnapshot


class MemoryUse:
    """The supervisor's loop owns it."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._kept = KeptNumbers(state_dir / "memory_bytes.json", clock)
        self._known = {name: int(found) for name, found in self._kept.load().items()}

    @property
    def needs(self) -> MemoryNeeds:
        """As measured, and as reckoned where it was not."""
        return MemoryNeeds(**{f"{name}_bytes": found for name, found in self._known.items()})

    def note(self, beats: Mapping[str, list[CameraSnapshot]], uses: Iterable[LaneUse]) -> None:
        """What actors told: by decoder its cameras, and each analyzer; written down now and then."""
        processes = [(each[0].process_bytes, len(each)) for each in beats.values() if each]
        told = [(found, count) for found, count in processes if found is not None]
        if told:
            above = sum(max(0, found - PROCESS_BYTES) for found, _ in told)
            self._known["reader"] = max(MIB, above // sum(count for _, count in told))
        if models := [each.process_bytes for each in uses if each.process_bytes]:
            self._known["analyzer"] = max(models)
        if self._known:
            self._kept.keep(self._known)
