"""Nearest neighbours among very many vectors, and what is done so that ten answers are ten different moments.

Exact: float16 values are scanned as they are, without training, so a block of them is ready as soon as it is written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import faiss
import numpy as np

from operators.retrieval.vectors import unit

T = TypeVar("T")

SAME_MOMENT_NS = 30_000_000_000
"""Of the answers of one camera that lie closer together than this only the best is shown."""

REMEMBERED = 16
"""Kept vectors per camera with which a new one is compared. Source: DINOv2, arXiv 2304.07193, appendix A.4, looks at 64
neighbours of a shuffled web crawl; a fixed camera repeats what it showed just before."""

_FILE_ERRORS = (RuntimeError,)


@dataclass(frozen=True, slots=True, repr=False)
class FrameVectors:
    """A block of vectors of one space; immutable, and safe to search from several threads."""

    index: Any
    """A faiss index of float16 values, inner product."""

    def __repr__(self) -> str:
        return f"FrameVectors({len(self)} x {self.index.d})"

    def __len__(self) -> int:
        return int(self.index.ntotal)

    @staticmethod
    def of(vectors: np.ndarray) -> FrameVectors:
        """Holds float16 (n, D) values of length 1."""
        index: Any = faiss.IndexScalarQuantizer(
            vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        index.add_sa_codes(np.ascontiguousarray(vectors, "<f2").view(np.uint8).reshape(len(vectors), -1))
        return FrameVectors(index)

    def save(self, path: Path) -> None:
        """Writes the file that `open` maps."""
        faiss.write_index(self.index, str(path))

    @staticmethod
    def open(path: Path) -> FrameVectors:
        """Maps a file of `save`; its pages belong to the system's cache, not to this process.

        Raises:
            OSError: it cannot be read, or is not such a file.
        """
        try:
            return FrameVectors(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))
        except _FILE_ERRORS:
            raise OSError(f"cannot read vectors: {path} is missing or damaged") from None

    def vector(self, row: int) -> np.ndarray:
        """float32 (D,)."""
        return np.asarray(self.index.reconstruct(row))

    def nearest(self, query: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The k best rows, best first; fewer where there are fewer.

        Args:
            query: float (D,), any length.
            k: At least 1.
            allowed: bool (n,) rows that count; None: all.

        Returns:
            int64 (k,) rows and float32 (k,) cosines.
        """
        wanted = min(k, len(self) if allowed is None else int(allowed.sum()))
        if wanted == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        parameters: Any = faiss.SearchParameters()
        if allowed is not None:
            selector: Any = faiss.IDSelectorBitmap
            parameters.sel = selector(np.packbits(allowed, bitorder="little"))
        cosines, rows = self.index.search(unit(query)[None], wanted, params=parameters)
        return rows[0], cosines[0]


@dataclass(slots=True)
class Repeats:
    """Tells whether a camera shows the same again. Not thread-safe."""

    same_above: float
    """Cosine from which two vectors of one camera count as one."""
    _kept: dict[tuple[str, str], deque[tuple[Any, np.ndarray]]] = field(
        default_factory=dict[tuple[str, str], deque[tuple[Any, np.ndarray]]]
    )

    def match(self, camera: str, space: str, vector: np.ndarray) -> Any | None:
        """What `keep` was told of the most similar one; None: it is new."""
        kept = self._kept.get((camera, space))
        if not kept:
            return None
        cosines = np.stack([each for _, each in kept]) @ unit(vector)
        best = int(cosines.argmax())
        return kept[best][0] if cosines[best] >= self.same_above else None

    def keep(self, camera: str, space: str, vector: np.ndarray, name: Any) -> None:
        """Remembers a vector that was new, under `name`."""
        self._kept.setdefault((camera, space), deque(maxlen=REMEMBERED)).append((name, unit(vector)))

    def forget(self) -> None:
        """Everything is new again."""
        self._kept.clear()


def different_moments(
    ranked: Iterable[T], moment: Callable[[T], tuple[str, int]], top: int, apart_ns: int = SAME_MOMENT_NS
) -> list[T]:
    """The best `top`, at most one per camera and `apart_ns`.

    Args:
        ranked: Best first.
        moment: (camera, time in nanoseconds) of one.
        top: How many are wanted.
        apart_ns: Two of one camera that are not this far apart are one moment, and the better stands for it.
    """
    chosen: list[T] = []
    times: dict[str, list[int]] = {}
    for each in ranked:
        if len(chosen) == top:
            break
        camera, time_ns = moment(each)
        if all(abs(time_ns - other) >= apart_ns for other in times.get(camera, ())):
            times.setdefault(camera, []).append(time_ns)
            chosen.append(each)
    return chosen
