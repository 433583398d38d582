"""The gallery's reader: opens what is on disk, beside a writer or without one, and finds what looks alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from operators.retrieval.gallery import SAME_MOMENT_NS, different_moments
from operators.retrieval.vectors import SpaceMismatchError
from pipeline.errors import GalleryError
from pipeline.gallery.blocks import Block, Candidate, Wanted, gathered
from pipeline.gallery.log import read_log
from pipeline.gallery.records import Record, Tap
from pipeline.gallery.segment import open_segment

_TRIES = 5
"""A writer that seals or drops while we read moves files away from under us; then we look again."""
_AT_ONCE = 2
_FIRST_PER_ANSWER = 16
"""Neighbours asked of each block per answer wanted, since most are of a moment that is there already."""
_MORE = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """One moment that looks like what was asked."""

    cosine: float
    record: Record
    times: int
    """Results that showed the same."""
    until_ns: int


@dataclass(frozen=True, slots=True)
class SpaceShelf:
    """All vectors of one space."""

    space: str
    tap: Tap
    made_with: str
    num_records: int


class Gallery:
    """What was there when it was opened. Safe to search from several threads."""

    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = blocks

    @staticmethod
    def open(root: Path) -> Gallery:
        """Changes nothing, needs no writer, and may run beside one.

        Raises:
            GalleryError: there is no gallery, or it cannot be read.
        """
        if not (root / "logs").is_dir():
            raise GalleryError(
                f"no gallery at {root}: expected one that `main.py gallery CONFIG` fills. Run it beside `main.py run`",
                code="no_gallery",
            )
        error: OSError | None = None
        for _ in range(_TRIES):
            try:
                return Gallery(_blocks(root))
            except FileNotFoundError as moved:
                error = moved
            except OSError as unreadable:
                error = unreadable
                break
        raise GalleryError(f"gallery {root} cannot be read: {error}", code="store") from None

    def shelves(self) -> list[SpaceShelf]:
        """What it holds, by space, the fullest first."""
        counts: dict[str, int] = {}
        for block in self._blocks:
            counts[block.about.space] = counts.get(block.about.space, 0) + len(block.columns)
        about = {block.about.space: block.about for block in self._blocks}
        found = [SpaceShelf(space, about[space].tap, about[space].made_with, count) for space, count in counts.items()]
        return sorted(found, key=lambda shelf: -shelf.num_records)

    def records_of(self, frame: str) -> list[Record]:
        """What a published frame, `camera/epoch/seq`, showed; empty: it is not here.

        A record's own `frame` is another one where this frame only showed the same again.
        """
        found = [block.record(row) for block in self._blocks for row in block.rows_of(frame)]
        return sorted(found, key=lambda record: (record.frame, record.part))

    def search(
        self, query: np.ndarray, space: str, top: int, wanted: Wanted | None = None, apart_ns: int = SAME_MOMENT_NS
    ) -> list[Answer]:
        """The `top` most similar moments, best first, at most one per camera and `apart_ns`.

        Args:
            query: float (D,), any length.
            space: That it lives in.
            top: How many are wanted.
            wanted: Which records may answer; None: all.
            apart_ns: Two answers of one camera are at least this far apart.

        Raises:
            SpaceMismatchError: no vector here lives in that space.
        """
        k = _FIRST_PER_ANSWER * top
        while True:
            ranked, is_all = self._ranked(query, space, k, wanted or Wanted())
            chosen = different_moments(ranked, lambda each: each.moment, top, apart_ns)
            if len(chosen) == top or is_all:
                return [_answer(each) for each in chosen]
            k *= _MORE

    def nearest(self, query: np.ndarray, space: str, k: int) -> list[Candidate]:
        """The `k` most similar records, whatever their moments. Raises as `search` does."""
        return self._ranked(query, space, k, Wanted())[0][:k]

    def _ranked(self, query: np.ndarray, space: str, k: int, wanted: Wanted) -> tuple[list[Candidate], bool]:
        """At least the `k` best, best first, without gaps; and whether these are all."""
        blocks = [block for block in self._blocks if block.about.space == space]
        if not blocks:
            raise SpaceMismatchError(_other_space(space, self.shelves()))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            per_block = list(pool.map(lambda block: block.nearest(query, k, wanted), blocks))
        # Below the worst of a block that has more to give, the ranking has gaps.
        floor = max((found[-1].cosine for found in per_block if len(found) == k), default=-np.inf)
        ranked = sorted(chain.from_iterable(per_block), key=lambda each: -each.cosine)
        return [each for each in ranked if each.cosine >= floor], floor == -np.inf


def _answer(candidate: Candidate) -> Answer:
    column = candidate.block.columns[candidate.row]
    return Answer(
        candidate.cosine, candidate.block.record(candidate.row), int(column["times"]), int(column["until_ns"])
    )


def _blocks(root: Path) -> list[Block]:
    """Logs before segments: what is sealed between the two is seen twice, never missed, and then counts once."""
    logs = {path.stem: gathered(read_log(path)[0]) for path in sorted((root / "logs").glob("*.log"))}
    segments = {
        path.name: list(open_segment(path).blocks)
        for path in sorted((root / "segments").iterdir())
        if path.suffix == ""
    }
    return list(chain.from_iterable((logs | segments).values()))


def _other_space(space: str, shelves: list[SpaceShelf]) -> str:
    known = "; ".join(
        f"{shelf.num_records} {shelf.tap} vectors of {shelf.made_with} ({shelf.space[:12]})" for shelf in shelves
    )
    return (
        f"vectors of different spaces: the query lives in {space[:12]}, the gallery holds {known or 'nothing'}. Ask "
        "with the weights, shapes and kind of vector that it was filled with."
    )
