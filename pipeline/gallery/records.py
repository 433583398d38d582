"""What the gallery stores, and how a batch of it lies in the log."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np

MAGIC = b"dinogal1"
_FRAME = struct.Struct("<II")
"""Length and CRC-32 of what follows."""

Tap = Literal["subject", "frame", "words"]
"""A thing, a whole frame by its class token, or a whole frame as sentences are compared with."""
FIRST_OF_WORDS = 1000
"""Number of a frame's first `words` record: beyond every subject's."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One vector and what a person wants to know of it."""

    frame: str
    """`camera/epoch/seq`, as published."""
    part: int
    """Which subject of the frame; 0 of a whole frame, `FIRST_OF_WORDS` and up of its `words`."""
    camera: str
    tap: Tap
    space: str
    """Vectors of different spaces never meet."""
    made_with: str
    """Name and weights of the model, for people."""
    time_ns: int
    """When the camera took it, as far as known; of files, when it was read."""
    rule_time_ns: int
    """Of the source's own time: tells moments apart."""
    pts_ns: int | None
    box: tuple[float, float, float, float] | None
    """(x0, y0, x1, y1) in 0..1 of the picture; None: the whole frame."""
    label: str
    """What heads called it, such as `vehicles: forklift`; empty where none did."""
    vector: bytes
    """Little-endian float16 (D,), L2-normalised; empty where it lies elsewhere."""
    episodes: list[tuple[str, int]] = []
    """(rule, number) of the alerts that were on: their pictures may still be there."""

    @property
    def values(self) -> np.ndarray:
        """float16 (D,)."""
        return np.frombuffer(self.vector, "<f2")


class Sighting(msgspec.Struct, frozen=True, array_like=True):
    """A record's camera showed the same again."""

    frame: str
    part: int
    until_ns: int
    """As `Record.time_ns`."""
    by: int
    """Hash of the frame that showed it."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What one call adds: all of it or nothing is there after a crash."""

    records: list[Record] = []
    sightings: list[Sighting] = []
    seen: list[int] = []
    """Hashes of results that gave no record of their own, so that a repetition is known."""
    position: dict[str, str] = {}
    """How far the results topic was read, by stream or partition; those that moved."""
    counts: dict[str, int] = {}
    """What happened since the last batch, by name; of a log's first batch: in all."""
    written_ns: int = 0
    """Wall clock."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Batch)


def hash_of(frame: str) -> int:
    """64 bits that stand for a frame's id; stable over processes."""
    return int.from_bytes(hashlib.blake2b(frame.encode(), digest_size=8).digest(), "little")


def framed(batch: Batch) -> bytes:
    """The batch as it is appended to the log."""
    payload = _ENCODER.encode(batch)
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def unframed(data: bytes, start: int = len(MAGIC)) -> Iterator[tuple[Batch, int]]:
    """(batch, offset behind it) from the log's bytes, up to the first that is torn or damaged."""
    at = start
    while at + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, at)
        payload = data[at + _FRAME.size : at + _FRAME.size + length]
        if len(payload) < length or zlib.crc32(payload) != checksum:
            return
        at += _FRAME.size + length
        yield _DECODER.decode(payload), at
