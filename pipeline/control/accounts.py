"""Under which lease each camera is read, and what became of its frames: as told in beats, and as closed for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.clock import Clock
from pipeline.control.leases import LeaseBook
from pipeline.control.snapshot import close_ledger
from pipeline.control.unread import UnreadTime
from pipeline.frame_path.owner.ledger import ledger_path, prune_ledgers, read_ledger
from pipeline.messages import CameraSnapshot, LedgerSnapshot


class Accounts:
    """Of all cameras of a run. The supervisor's loop owns it; what is read may be read by others."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        """Raises: PipelineError: the file of leases is damaged."""
        self._state_dir = state_dir
        self._leases = LeaseBook(state_dir / "leases.json", clock)
        self._current: dict[str, int] = {}
        self.beats: dict[str, list[CameraSnapshot]] = {}
        """By decoder: what it told last."""
        self._heard: dict[str, list[CameraSnapshot]] = {}
        """By decoder: the beat that was noted last."""
        self.closed: dict[str, tuple[LedgerSnapshot, ...]] = {}
        """By camera: of earlier leases."""
        self.unread = UnreadTime(clock)

    def note(self) -> None:
        """Beats that are new; call it after each look at the decoders."""
        for decoder, told in self.beats.items():
            if self._heard.get(decoder) is not told:
                self.unread.note(told)
        self._heard = dict(self.beats)

    def lease(self, cameras: Sequence[str]) -> Mapping[str, int]:
        """New leases for these, on disk already: whoever had them before is fenced."""
        if again := [camera for camera in cameras if camera in self._current]:
            prune_ledgers(self._state_dir, again)
        self._current |= self._leases.next_of(cameras)
        return self._current

    @property
    def cameras(self) -> tuple[CameraSnapshot, ...]:
        """Every camera that is read. A beat may be older than the end of one of its cameras."""
        seen = [camera for each in dict(self.beats).values() for camera in each]
        return tuple(
            each for each in seen if all(each.lease != done.lease for done in self.closed.get(each.camera, ()))
        )

    def close(self, decoder: str, cameras: Sequence[str]) -> None:
        """Its cameras end with it. Their ledgers are read where it left them, or, on a node that is gone, as it last
        told them; those that were about to leave it are in its last beat alone.
        """
        self.unread.lose(cameras)
        told = {each.camera: each.ledger for each in self.beats.pop(decoder, ())}
        for camera in dict.fromkeys((*cameras, *told)):
            lease = self._current.get(camera) if camera in cameras else told[camera].lease
            path = None if lease is None else ledger_path(self._state_dir, camera, lease)
            if path is not None and path.is_file():
                self._add(close_ledger(read_ledger(path), "owner_died"))
            elif camera in told:
                self._add(close_ledger(told[camera], "unknown"))

    def settle(self, decoder: str, ledgers: Sequence[LedgerSnapshot]) -> None:
        """Cameras have left an owner that goes on; these are their last words."""
        gone = {ledger.camera for ledger in ledgers}
        for ledger in ledgers:
            self._add(ledger)
            self._current.pop(ledger.camera, None)
        self.beats[decoder] = [each for each in self.beats.get(decoder, ()) if each.camera not in gone]

    def _add(self, ledger: LedgerSnapshot) -> None:
        self.closed[ledger.camera] = (*self.closed.get(ledger.camera, ()), ledger)
