"""Positions in a Kafka topic: what a frame's `resume` says, and what is committed for a partition."""

from __future__ import annotations

import re
from dataclasses import dataclass

FRAME_BITS = 16
"""Of a bitstream frame's `seq`: its number within the chunk."""


@dataclass(frozen=True, slots=True)
class KafkaPosition:
    """`PARTITION:OFFSET:SEQ`: reading from `offset` on gives the frame `seq` again.

    For pictures `offset` equals `seq`; for a bitstream it is that of the last keyframe's chunk at or before it.
    """

    partition: int
    offset: int
    seq: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> KafkaPosition:
        """Raises:
        ValueError: not a position.
        """
        found = re.fullmatch(r"(\d+):(\d+):(\d+)", text)
        if found is None:
            raise ValueError(f"expected a position such as 0:120:120, got {text!r}")
        return cls(*map(int, found.groups()))


@dataclass(frozen=True, slots=True)
class Mark:
    """What is committed for one partition: read from `offset`; every frame before `seq` is settled."""

    offset: int
    seq: int
    lease: int = 0
    """Of who committed it; a higher one than ours means that the cameras have moved on."""

    @property
    def metadata(self) -> str:
        return f"dinostream lease={self.lease} settled={self.seq}"

    @classmethod
    def read(cls, offset: int, metadata: str | None) -> Mark:
        """Of what the broker returns; some brokers and foreign tools keep no metadata."""
        found = re.fullmatch(r"dinostream lease=(\d+) settled=(\d+)", metadata or "")
        return cls(offset, int(found[2]), int(found[1])) if found else cls(offset, 0)


class SettledLine:
    """How far each partition is settled, over all cameras that were read from it. Not thread-safe."""

    def __init__(self) -> None:
        self._positions: dict[tuple[str, int], KafkaPosition] = {}
        self._moved: set[int] = set()
        """Partitions of which anything was said to be settled; who only looks commits nothing."""

    def reading(self, camera: str, position: KafkaPosition) -> None:
        """A frame of `camera` was told for the first time: nothing of it is settled before this."""
        self._positions.setdefault((camera, position.partition), position)

    def settled(self, camera: str, position: KafkaPosition) -> None:
        """Everything of `camera` before `position` is settled."""
        self._positions[camera, position.partition] = position
        self._moved.add(position.partition)

    def marks(self, lease: int) -> dict[int, Mark]:
        """Per partition the lowest of all cameras."""
        marks: dict[int, Mark] = {}
        for (_, partition), position in self._positions.items():
            if partition not in self._moved:
                continue
            lowest = marks.get(partition, Mark(position.offset, position.seq))
            marks[partition] = Mark(min(lowest.offset, position.offset), min(lowest.seq, position.seq), lease)
        return marks
