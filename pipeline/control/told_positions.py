"""How far replayable sources are settled, kept where the state is: owners on other machines tell it in their beats."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.frame_path.owner.ledger import ledger_path
from pipeline.frame_path.owner.positions import PositionFile
from pipeline.messages import CameraSnapshot

log = logging.getLogger(__name__)

Feed = Sequence[str]


class ToldPositions:
    """The files of positions in `state_dir`. Owners that see that folder write there themselves; for all others this
    does, so that a camera goes on elsewhere from where it was, a second back at most. The supervisor's loop owns it.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._written: dict[str, Mapping[str, str]] = {}
        """By feed: what lies in the file that we write."""

    def note(self, cameras: Iterable[CameraSnapshot], feeds: Iterable[Feed]) -> None:
        """What owners told last; `feeds` are those that are read now."""
        told = {each.camera: each.settled for each in cameras if each.settled and not self._writes_itself(each)}
        if not told:
            return
        for feed in feeds:
            if now := {camera: told[camera] for camera in feed if camera in told}:
                self._keep(feed, now)

    def of(self, feed: Feed) -> dict[str, str]:
        """Where its cameras go on; empty at first.

        Raises:
            PipelineError: the file is damaged; it names the file and what to do.
        """
        self._written.pop(feed[0], None)  # whoever reads it next may write it
        try:
            return self._file(feed).load()
        except ValueError as error:
            raise PipelineError(str(error), code="damaged_state", where=feed[0]) from None

    def _keep(self, feed: Feed, now: Mapping[str, str]) -> None:
        before = self._written.get(feed[0])
        if before is not None and all(before.get(camera) == resume for camera, resume in now.items()):
            return
        try:
            merged = {**self.of(feed), **now}
            self._file(feed).save(merged)
        except (OSError, PipelineError) as error:
            log.warning("the position of %s is not kept: %s", feed[0], error)
            return
        self._written[feed[0]] = merged

    def _writes_itself(self, told: CameraSnapshot) -> bool:
        """An owner that shares our folder keeps its ledger there too."""
        return ledger_path(self._state_dir, told.camera, told.lease).is_file()

    def _file(self, feed: Feed) -> PositionFile:
        return PositionFile(self._state_dir / "positions" / f"{feed[0]}.json")
