"""Results as the gallery reads them, and a topic that hands them out."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import msgspec
import numpy as np

from pipeline.frame_path.publisher.wire import encode_array
from pipeline.frame_path.publisher.wire_result import (
    ResultBody,
    WireLabel,
    WireModel,
    WireRule,
    WireSubject,
    WireTimes,
    WireWords,
)
from pipeline.gallery.results_topic import Chunk

DIM = 16
SUBJECT_SPACE, FRAME_SPACE = "a" * 64, "b" * 64
SECOND = 1_000_000_000
BEGAN_NS = 1_767_225_600 * SECOND


def direction(number: int, dim: int = DIM) -> np.ndarray:
    """float32 (dim,) of length 1; different numbers are nearly at right angles to each other."""
    vector = np.random.default_rng(number).standard_normal(dim).astype(np.float32)
    return vector / np.linalg.norm(vector)


def subject(vector: np.ndarray | None, name: str = "forklift", *, is_held: bool = False) -> WireSubject:
    label = WireLabel(name, [(name, 1.0)], is_unknown=False, is_empty=False)
    embedding = None if vector is None else encode_array(vector)
    return WireSubject(1, (0.2, 0.2, 0.6, 0.8), 12, [], {"vehicles": label}, is_held, embedding)


def result(
    seq: int,
    *subjects: WireSubject,
    camera: str = "dock-1",
    epoch: int = 17,
    embedding: np.ndarray | None = None,
    view: str | None = "view/dock-1@1",
    seconds: float | None = None,
    subject_space: str = SUBJECT_SPACE,
    reused_of: str | None = None,
    tick: bool = False,
    episodes: Mapping[str, tuple[str, int]] | None = None,
    words: Mapping[str, tuple[str, np.ndarray]] | None = None,
) -> bytes:
    """One result's body; a frame a second unless `seconds` says otherwise."""
    at = BEGAN_NS + round((seq if seconds is None else seconds) * SECOND)
    body = ResultBody(
        id=f"{camera}/tick/{at}/result" if tick else f"{camera}/{epoch}/{seq}/result",
        camera=camera,
        epoch=epoch,
        seq=seq,
        lease=epoch,
        labels={},
        times=WireTimes(at, "arrival", 0, at, at, at, at, at - BEGAN_NS),
        model=WireModel("dinov2_vits14", "random", "f" * 64, FRAME_SPACE, subject_space),
        embedding=None if embedding is None else encode_array(embedding),
        subjects=list(subjects),
        view=view,
        reused_of=reused_of,
        rules={name: _rule(*each) for name, each in (episodes or {}).items()},
        tick=tick,
        words={head: WireWords(space, encode_array(vector)) for head, (space, vector) in (words or {}).items()},
    )
    return msgspec.json.encode(body)


def _rule(phase: str, episode: int) -> WireRule:
    return WireRule("count_in(apron)", "", 1.0, None, True, "", "> 0", "< 1", phase, 0, episode, True)  # pyright: ignore[reportArgumentType]


class ListTopic:
    """A topic of results in memory, one stream; may fail when it is read."""

    def __init__(self, bodies: Sequence[bytes], at_once: int = 3) -> None:
        self.bodies = list(bodies)
        self.failures: list[Exception] = []
        """Raised one after the other, each after one chunk."""
        self._at_once = at_once

    def __call__(self, position: Mapping[str, str]) -> Generator[Chunk]:
        at = int(position.get("topic/0", "0"))
        yield Chunk()
        while True:
            taken = self.bodies[at : at + self._at_once]
            at += len(taken)
            yield Chunk(taken, {"topic/0": str(at)} if taken else {})
            if self.failures:
                raise self.failures.pop(0)
