"""Records of one space side by side: columns to choose by, vectors to search, details to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from operators.retrieval.gallery import FrameVectors
from pipeline.gallery.records import Batch, Record, Tap, hash_of

COLUMNS = np.dtype(
    [
        ("frame", "<u8"),
        ("time_ns", "<i8"),
        ("until_ns", "<i8"),
        ("rule_time_ns", "<i8"),
        ("times", "<u4"),
        ("camera", "<u2"),
        ("size", "<u4"),
        ("offset", "<u8"),
    ]
)
"""`frame` is `hash_of` the frame's id, `times` counts sightings, `offset` and `size` say where the details lie."""

ALIASES = np.dtype([("frame", "<u8"), ("row", "<u4")])
"""A frame that only showed a record's thing again, and the record."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Record)


@dataclass(frozen=True, slots=True)
class About:
    """What all vectors of a block have in common."""

    space: str
    tap: Tap
    made_with: str
    cameras: tuple[str, ...]
    """`camera` of the columns counts in them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records may answer."""

    camera: str | None = None
    since_ns: int | None = None
    """Those that were still in view then, or came later."""
    not_frame: str | None = None
    not_near: tuple[str, int, int] | None = None
    """(camera, rule time, nanoseconds): nothing of that camera nearer to that time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that may be an answer."""

    cosine: float
    block: Block
    row: int

    @property
    def moment(self) -> tuple[str, int]:
        """(camera, rule time)."""
        column = self.block.columns[self.row]
        return self.block.about.cameras[int(column["camera"])], int(column["rule_time_ns"])


@dataclass(frozen=True, slots=True, repr=False)
class Block:
    """Immutable."""

    about: About
    columns: np.ndarray
    """`COLUMNS` (n,)."""
    vectors: FrameVectors
    aliases: np.ndarray
    """`ALIASES` (m,)."""
    details: Callable[[int, int], bytes]
    """(offset, size) to an encoded record without its vector."""

    def __repr__(self) -> str:
        return f"Block({len(self.columns)} of {self.about.space[:12]})"

    def record(self, row: int) -> Record:
        """With its vector."""
        column = self.columns[row]
        found = _DECODER.decode(self.details(int(column["offset"]), int(column["size"])))
        vector = self.vectors.vector(row).astype("<f2").tobytes()
        return msgspec.structs.replace(found, vector=vector)

    def rows_of(self, frame: str) -> list[int]:
        """Of a frame's id, also where it only showed the same again."""
        wanted = np.uint64(hash_of(frame))
        again = self.aliases["row"][self.aliases["frame"] == wanted]
        return sorted({*np.flatnonzero(self.columns["frame"] == wanted).tolist(), *again.tolist()})

    def nearest(self, query: np.ndarray, k: int, wanted: Wanted) -> list[Candidate]:
        """The `k` best of those that may answer, best first."""
        rows, cosines = self.vectors.nearest(query, k, self._allowed(wanted))
        return [Candidate(float(cosine), self, int(row)) for row, cosine in zip(rows, cosines, strict=True)]

    def _allowed(self, wanted: Wanted) -> np.ndarray | None:
        if wanted == Wanted():
            return None
        allowed = np.ones(len(self.columns), bool)
        if wanted.camera is not None:
            allowed &= self._is_of(wanted.camera)
        if wanted.since_ns is not None:
            allowed &= self.columns["until_ns"] >= wanted.since_ns
        if wanted.not_frame is not None:
            allowed &= self.columns["frame"] != np.uint64(hash_of(wanted.not_frame))
        if wanted.not_near is not None:
            camera, time_ns, apart_ns = wanted.not_near
            allowed &= ~(self._is_of(camera) & (np.abs(self.columns["rule_time_ns"] - time_ns) < apart_ns))
        return allowed

    def _is_of(self, camera: str) -> np.ndarray:
        number = self.about.cameras.index(camera) if camera in self.about.cameras else len(self.about.cameras)
        return self.columns["camera"] == number


def gathered(batches: Sequence[Batch]) -> list[Block]:
    """The records of a log, one block per space, with what later batches say of them."""
    records: dict[str, list[Record]] = {}
    last: dict[tuple[str, int], tuple[int, int]] = {}
    again: dict[tuple[str, int], list[int]] = {}
    for batch in batches:
        for record in batch.records:
            records.setdefault(record.space, []).append(record)
            last[record.frame, record.part] = (1, record.time_ns)
        for sighting in batch.sightings:
            times, until_ns = last.get((sighting.frame, sighting.part), (0, 0))
            last[sighting.frame, sighting.part] = (times + 1, max(until_ns, sighting.until_ns))
            again.setdefault((sighting.frame, sighting.part), []).append(sighting.by)
    return [_block(of_space, last, again) for of_space in records.values()]


def _block(
    records: Sequence[Record],
    last: Mapping[tuple[str, int], tuple[int, int]],
    again: Mapping[tuple[str, int], Sequence[int]],
) -> Block:
    cameras = tuple(sorted({record.camera for record in records}))
    numbers = {camera: number for number, camera in enumerate(cameras)}
    columns = np.zeros(len(records), COLUMNS)
    encoded: list[bytes] = []
    offset = 0
    for row, record in enumerate(records):
        times, until_ns = last[record.frame, record.part]
        data = _ENCODER.encode(msgspec.structs.replace(record, vector=b""))
        columns[row] = (
            hash_of(record.frame),
            record.time_ns,
            until_ns,
            record.rule_time_ns,
            times,
            numbers[record.camera],
            len(data),
            offset,
        )
        encoded.append(data)
        offset += len(data)
    details = b"".join(encoded)
    pairs = [(by, row) for row, each in enumerate(records) for by in again.get((each.frame, each.part), ())]
    first = records[0]
    return Block(
        About(first.space, first.tap, first.made_with, cameras),
        columns,
        FrameVectors.of(np.stack([record.values for record in records])),
        np.array(pairs, ALIASES),
        lambda at, size: details[at : at + size],
    )
