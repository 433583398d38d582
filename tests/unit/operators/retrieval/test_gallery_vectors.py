from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from operators.retrieval.gallery import REMEMBERED, FrameVectors, Repeats, different_moments
from operators.retrieval.vectors import unit


def vectors(count: int, dim: int = 32, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((count, dim))).astype(np.float16)


def test_neighbours_are_those_of_all_cosines(tmp_path: Path) -> None:
    values = vectors(500)
    queries = vectors(5, seed=1).astype(np.float32)
    FrameVectors.of(values).save(tmp_path / "block")
    for block in (FrameVectors.of(values), FrameVectors.open(tmp_path / "block")):
        assert len(block) == 500
        for query in queries:
            cosines = values.astype(np.float32) @ unit(query)
            rows, found = block.nearest(3.0 * query, 10)
            assert np.abs(found - np.sort(cosines)[::-1][:10]).max() < 1e-3
            assert set(rows[:5]) <= set(np.argsort(-cosines)[:6])
        assert np.abs(block.vector(7) - values[7]).max() == 0


def test_only_what_is_allowed_answers() -> None:
    block = FrameVectors.of(vectors(100))
    allowed = np.zeros(100, bool)
    allowed[[3, 50, 99]] = True
    rows, _ = block.nearest(vectors(1, seed=2)[0], 10, allowed)
    assert sorted(rows) == [3, 50, 99]
    rows, cosines = block.nearest(vectors(1, seed=2)[0], 10, np.zeros(100, bool))
    assert (rows.size, cosines.size) == (0, 0)


def test_a_damaged_file_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "block"
    FrameVectors.of(vectors(100)).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(OSError, match="missing or damaged"):
        FrameVectors.open(path)
    with pytest.raises(OSError, match="missing or damaged"):
        FrameVectors.open(tmp_path / "nowhere")


def test_repeats_are_told_per_camera_and_space() -> None:
    repeats = Repeats(0.97)
    first = vectors(1)[0].astype(np.float32)
    assert repeats.match("a", "s", first) is None
    repeats.keep("a", "s", first, "name")
    assert repeats.match("a", "s", 2.0 * first) == "name"
    assert repeats.match("b", "s", first) is None
    assert repeats.match("a", "t", first) is None
    assert repeats.match("a", "s", -first) is None
    repeats.forget()
    assert repeats.match("a", "s", first) is None


def test_the_most_similar_one_is_named_and_few_are_remembered() -> None:
    repeats = Repeats(0.5)
    values = vectors(REMEMBERED + 1).astype(np.float32)
    for number, value in enumerate(values):
        repeats.keep("a", "s", value, number)
    assert repeats.match("a", "s", values[3]) == 3
    assert repeats.match("a", "s", values[0]) != 0


def test_one_answer_per_camera_and_moment() -> None:
    ranked = [("a", 100), ("a", 71), ("b", 100), ("a", 129), ("a", 130), ("a", 60), ("b", 500)]
    chosen = different_moments(ranked, lambda each: (each[0], each[1]), 5, apart_ns=30)
    assert chosen == [("a", 100), ("b", 100), ("a", 130), ("a", 60), ("b", 500)]
    assert different_moments(ranked, lambda each: (each[0], each[1]), 2, apart_ns=30) == chosen[:2]
