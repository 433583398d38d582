"""Cameras whose reading brought their process down, and how often."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pipeline.control.actors.actor_log import fault_path
from pipeline.faults import fatal_fault
from pipeline.frame_path.owner.reader import READER

ENOUGH = 2
"""So many crashes, and the camera reads in a process of its own: it then takes nobody else down with it."""


class Crashes:
    """What dead decode actors say that they died of. Counted as long as the supervisor lives."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._counts: Counter[str] = Counter()

    def note(self, decoder: str) -> tuple[str, str] | None:
        """(camera, fault) of an actor that has just died, counted; None: no camera is to blame."""
        found = fatal_fault(fault_path(self._state_dir, decoder))
        if found is None or not found[0].startswith(READER):
            return None
        camera = found[0].removeprefix(READER).partition(" ")[0]
        self._counts[camera] += 1
        return camera, found[1]

    def is_enough(self, camera: str) -> bool:
        return self._counts[camera] >= ENOUGH
