"""What became of every frame of one camera under one lease, in a memory-mapped file that outlives its process.

    received = undecodable + decoded
    decoded  = sampled_out + replaced + stale + gated + analysed + lost[reason] + in flight

In flight is a set of tickets, one slot of the file each, never a difference. `analysed` and `gated` count what a
publisher has accepted, so that they meet the sinks' own identity. Whatever kills the process between two stores of one
transition leaves the sum off by at most one; the file itself belongs to the kernel and survives.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from operators.frames import Ticket
from pipeline.messages import LedgerSnapshot, LostReason

Fate = Literal["sampled_out", "replaced", "stale", "gated", "analysed"]
"""How a decoded frame ends well or by policy; every other end is a `LostReason`."""

_MAGIC = 0x6C65646765720001  # "ledger", layout 1
_WORD = 8
_LEASE, _CAMERA, _COUNTERS, _SLOTS = 1, 2, 16, 64  # first word of each part
_CAMERA_BYTES = 64
_FATES: tuple[Fate, ...] = get_args(Fate)
_LOST: tuple[LostReason, ...] = get_args(LostReason)
_NAMES = ("received", "undecodable", "decoded", *_FATES, *_LOST)
_WORD_OF = {name: _COUNTERS + n for n, name in enumerate(_NAMES)}
_FREE = 2**64 - 1
SLOTS = 512
"""Frames of one camera that may be in flight; the windows of the frame path are far below it."""
_WORDS = _SLOTS + 2 * SLOTS


def ledger_path(state_dir: Path, camera: str, lease: int) -> Path:
    """Where the ledger of this camera and lease lies."""
    return state_dir / "ledgers" / f"{camera}@{lease}.ledger"


KEPT_LEDGERS = 8
"""Of one camera: for people who ask what became of the frames of a run that was killed."""


def prune_ledgers(state_dir: Path, cameras: Iterable[str]) -> None:
    """Deletes all but the newest ledgers of each camera, in one look at the folder; leases rise, so the name tells."""
    leases: dict[str, list[int]] = {camera: [] for camera in cameras}
    for path in (state_dir / "ledgers").glob("*.ledger"):
        camera, _, lease = path.stem.rpartition("@")
        if camera in leases and lease.isdigit():
            leases[camera].append(int(lease))
    for camera, found in leases.items():
        for lease in sorted(found)[:-KEPT_LEDGERS]:
            ledger_path(state_dir, camera, lease).unlink(missing_ok=True)


class Ledger:
    """The counts of one camera and lease. Not thread-safe: the caller holds the owner's lock.

    Raises:
        FileExistsError: this lease has a ledger already; leases are never used twice.
    """

    def __init__(self, path: Path, camera: str, lease: int) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x+b") as file:
            file.write(bytes(_WORDS * _WORD))  # real blocks: a full disk must fail here, not at a store later
            file.flush()
            self._map = mmap.mmap(file.fileno(), _WORDS * _WORD)
        self._words = memoryview(self._map).cast("Q")
        self._final: LedgerSnapshot | None = None
        self._free = list(range(SLOTS - 1, -1, -1))
        self._slots: dict[tuple[int, int], int] = {}
        for slot in range(SLOTS):
            self._words[_SLOTS + 2 * slot] = _FREE
        self._map[_CAMERA * _WORD : _CAMERA * _WORD + _CAMERA_BYTES] = camera.encode().ljust(_CAMERA_BYTES, b"\0")
        self._words[_LEASE] = lease
        self._words[0] = _MAGIC  # last: a file without it is one that never began

    def undecodable(self) -> None:
        """Something came that is no picture."""
        self._add("undecodable")
        self._add("received")

    def drop(self, fate: Fate) -> None:
        """Decoded, and dropped in the same step."""
        self._add(fate)
        self._add("decoded")
        self._add("received")

    def enter(self, ticket: Ticket) -> None:
        """Decoded; in flight from here on."""
        slot = self._free.pop()
        self._slots[ticket.position] = slot
        self._words[_SLOTS + 2 * slot + 1] = ticket.seq
        self._words[_SLOTS + 2 * slot] = ticket.epoch
        self._add("decoded")
        self._add("received")

    def leave(self, ticket: Ticket, fate: Fate | LostReason) -> None:
        """No longer in flight.

        Raises:
            KeyError: it was not; a frame has one end.
        """
        slot = self._slots.pop(ticket.position)
        self._add(fate)
        self._words[_SLOTS + 2 * slot] = _FREE
        self._free.append(slot)

    def leave_all(self, reason: LostReason) -> None:
        """Everything in flight is lost."""
        for (epoch, seq), slot in list(self._slots.items()):
            del self._slots[epoch, seq]
            self._add(reason)
            self._words[_SLOTS + 2 * slot] = _FREE
            self._free.append(slot)

    def retract(self, fate: Fate, reason: LostReason) -> None:
        """A frame counted as `fate` may have died with its publisher: it is lost after all."""
        word = _WORD_OF[fate]
        self._words[word] -= 1
        self._add(reason)

    def snapshot(self) -> LedgerSnapshot:
        """Now, or when it was closed."""
        if self._final is not None:
            return self._final
        return _snapshot(self._words, bytes(self._map[_CAMERA * _WORD : _CAMERA * _WORD + _CAMERA_BYTES]))

    def close(self) -> None:
        """The file stays. Idempotent."""
        if self._final is None:
            self._final = self.snapshot()
            self._words.release()
            self._map.close()

    def _add(self, name: str) -> None:
        self._words[_WORD_OF[name]] += 1


def read_ledger(path: Path) -> LedgerSnapshot:
    """A ledger as it lies, of a living or a dead process.

    Raises:
        ValueError: no ledger, or one cut short.
    """
    return _snapshot(*_read(path))


def read_in_flight(path: Path) -> frozenset[tuple[int, int]]:
    """(epoch, seq) of the frames that were in flight when the process last touched its ledger.

    Raises:
        ValueError: no ledger, or one cut short.
    """
    words, _ = _read(path)
    return frozenset(_occupied(words))


def _read(path: Path) -> tuple[memoryview, bytes]:
    data = path.read_bytes()
    if len(data) != _WORDS * _WORD:
        raise ValueError(f"no ledger: expected {_WORDS * _WORD} bytes, got {len(data)} ({path})")
    words = memoryview(data).cast("Q")
    if words[0] != _MAGIC:
        raise ValueError(f"no ledger: expected its mark at the start, got {words[0]:#x} ({path})")
    return words, data[_CAMERA * _WORD : _CAMERA * _WORD + _CAMERA_BYTES]


def _occupied(words: memoryview) -> Iterable[tuple[int, int]]:
    for slot in range(_SLOTS, _WORDS, 2):
        if words[slot] != _FREE:
            yield (words[slot], words[slot + 1])


def _snapshot(words: memoryview, camera: bytes) -> LedgerSnapshot:
    counts = {name: words[word] for name, word in _WORD_OF.items()}
    lost = {reason: counts.pop(reason) for reason in _LOST}
    return LedgerSnapshot(
        camera=camera.rstrip(b"\0").decode(),
        lease=words[_LEASE],
        lost={reason: count for reason, count in lost.items() if count},
        in_flight=sum(1 for _ in _occupied(words)),
        **counts,
    )
