"""Masks as runs."""

from __future__ import annotations

import numpy as np
import pytest

from operators.run_lengths import from_run_lengths, run_lengths


def test_runs_go_along_the_rows_and_over_their_ends() -> None:
    indices = np.array([[0, 0, 3], [3, 3, 255]], np.uint8)
    assert run_lengths(indices) == [(0, 2), (3, 3), (255, 1)]
    assert run_lengths(np.zeros((0, 4), np.uint8)) == []


@pytest.mark.parametrize("size", [(16, 28), (1, 1), (37, 37)], ids=str)
def test_runs_come_back_as_the_mask(size: tuple[int, int]) -> None:
    mask = np.random.default_rng(1).integers(0, 4, size).astype(np.uint8)
    again = from_run_lengths(run_lengths(mask), size)
    assert again.dtype == np.uint8
    assert np.array_equal(again, mask)


@pytest.mark.parametrize("runs", [[(0, 5)], [(0, 7)], [(0, 6), (1, 0)], [(256, 6)], [(-1, 6)], [(0, 8), (1, -2)]])
def test_runs_that_do_not_fill_the_mask_are_refused(runs: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"expected values in 0..255 over 2 x 3 patches"):
        from_run_lengths(runs, (2, 3))
