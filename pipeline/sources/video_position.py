"""Where a file's reader is, as the text that `resume` and `commit` carry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anchor:
    """A keyframe from which decoding gives the same frames as from the start of the file."""

    pts: int
    """In the stream's time base; larger than every one before it."""
    seq: int


@dataclass(frozen=True, slots=True)
class FilePosition:
    """`EPOCH:SEQ:BASE_NS:LAST_NS` and, where there is a safe keyframe before it, `:PTS:SEQ` of that one."""

    epoch: int = 0
    seq: int = 0
    base_ns: int = 0
    last_ns: int = -1
    """Rule time of the frame before; -1: there is none."""
    anchor: Anchor | None = None

    def __str__(self) -> str:
        fields = [self.epoch, self.seq, self.base_ns, self.last_ns]
        if self.anchor is not None:
            fields += [self.anchor.pts, self.anchor.seq]
        return ":".join(map(str, fields))

    @classmethod
    def parse(cls, text: str) -> FilePosition:
        """Also of `EPOCH:SEQ` alone.

        Raises:
            ValueError: not a position.
        """
        fields = text.split(":")
        if len(fields) not in {2, 4, 6}:
            raise ValueError(f"expected a position such as 0:120, got {text!r}")
        numbers = [int(each) for each in fields]
        anchor = Anchor(numbers[4], numbers[5]) if len(numbers) == 6 else None
        return cls(*numbers[:4], anchor=anchor)
