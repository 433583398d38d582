"""How long nobody read a camera, since its owner was lost: what it showed meanwhile no ledger counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pipeline.clock import Clock
from pipeline.messages import CameraSnapshot


class UnreadTime:
    """From the last beat of an owner that was lost to the first one that tells of a frame of the next: a second or two
    more than it was. The supervisor's loop owns it; `seconds` may be asked by others.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[str, tuple[int, float]] = {}
        """By camera: the newest lease that was told of, and when last."""
        self._since: dict[str, tuple[int, float]] = {}
        """Of cameras that nobody reads now: the lost lease, and from when on."""
        self._past: dict[str, float] = {}

    @property
    def seconds(self) -> dict[str, float]:
        """By camera, until now; without those that were always read."""
        now = self._clock.monotonic()
        found = dict(self._past)
        for camera, (_, since) in dict(self._since).items():
            found[camera] = found.get(camera, 0.0) + now - since
        return found

    def note(self, told: Iterable[CameraSnapshot]) -> None:
        """What came in a beat just now."""
        now = self._clock.monotonic()
        for each in told:
            self._told[each.camera] = each.lease, now
            lost = self._since.get(each.camera)
            if lost is not None and each.lease > lost[0] and _is_read(each):
                del self._since[each.camera]
                self._past[each.camera] = self._past.get(each.camera, 0.0) + now - lost[1]

    def lose(self, cameras: Iterable[str]) -> None:
        """Their owner is gone. Nothing is new of those that nobody reads anyway."""
        for camera in cameras:
            if camera in self._told:
                self._since.setdefault(camera, self._told[camera])

    def forget_others(self, cameras: Collection[str]) -> None:
        """Those that are configured no more need no reader."""
        for known in (self._told, self._since):
            for camera in known.keys() - set(cameras):
                del known[camera]


def _is_read(told: CameraSnapshot) -> bool:
    return told.ledger.received > 0 or told.state in {"ended", "failed"}
