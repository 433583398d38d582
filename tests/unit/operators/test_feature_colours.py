"""Colours of patch features: foreground, agreement between pictures, stability."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from operators.feature_colours import Patches, fit_colours

GRID = (8, 10)
DIM = 12


def direction(index: int) -> np.ndarray:
    vector = np.random.Generator(np.random.PCG64(index)).normal(size=DIM)
    return vector / np.linalg.norm(vector)


FLOOR, THING, HEAD, FEET = (direction(seed) for seed in range(4))


def picture(seed: int, rows: slice = slice(3, 6), columns: slice = slice(4, 6), light: float = 0.0) -> Patches:
    """A floor, and on it a thing whose upper patches are heads and whose lowest are feet; light moves every patch."""
    rng = np.random.Generator(np.random.PCG64(100 + seed))
    tokens = np.tile(FLOOR, (*GRID, 1)) + light * direction(9)
    tokens[rows, columns] += 4 * THING + HEAD
    tokens[rows.stop - 1, columns] += 2 * (FEET - HEAD)
    return (tokens.reshape(-1, DIM) + 0.05 * rng.normal(size=(GRID[0] * GRID[1], DIM))).astype(np.float16), GRID


def three() -> Iterator[Patches]:
    yield picture(0)
    yield picture(1, slice(1, 4), slice(1, 3), light=3.0)
    yield picture(2, slice(4, 7), slice(6, 8), light=-3.0)


def mask(rows: slice, columns: slice) -> np.ndarray:
    found = np.zeros(GRID, bool)
    found[rows, columns] = True
    return found


def test_the_thing_is_the_foreground_whatever_the_light_and_wherever_it_stands() -> None:
    colours = fit_colours(three)
    assert colours.is_split
    places = [(slice(3, 6), slice(4, 6)), (slice(1, 4), slice(1, 3)), (slice(4, 7), slice(6, 8))]
    for (tokens, grid), place in zip(three(), places, strict=True):
        assert np.array_equal(colours.foreground(tokens).reshape(grid) > 0, mask(*place))


def test_equal_parts_of_different_pictures_have_equal_colours_and_other_parts_others() -> None:
    # without light: it would be the largest component of the foreground too
    pictures = [picture(0), picture(1, slice(1, 4), slice(1, 3))]
    colours = fit_colours(lambda: pictures)
    shown = [colours.colours(tokens).reshape(*grid, 3) for tokens, grid in pictures]
    head, feet = shown[0][3, 4], shown[0][5, 4]
    assert np.abs(head - shown[1][1, 1])[0] < 0.1
    assert np.abs(feet - shown[1][3, 1])[0] < 0.1
    assert abs(head[0] - feet[0]) > 0.4


def test_a_large_thing_in_the_middle_is_the_foreground_though_it_does_not_stand_out() -> None:
    pictures = [picture(seed, slice(1, 7), slice(2, 9)) for seed in range(3)]
    colours = fit_colours(lambda: pictures)
    assert np.array_equal(colours.foreground(pictures[0][0]).reshape(GRID) > 0, mask(slice(1, 7), slice(2, 9)))


def test_a_small_thing_in_a_corner_is_the_foreground_though_it_touches_the_border() -> None:
    pictures = [picture(seed, slice(5, 8), slice(0, 2)) for seed in range(3)]
    colours = fit_colours(lambda: pictures)
    assert np.array_equal(colours.foreground(pictures[0][0]).reshape(GRID) > 0, mask(slice(5, 8), slice(0, 2)))


def test_colours_are_the_same_each_time_and_do_not_turn_round_with_one_more_picture() -> None:
    first, again = fit_colours(three), fit_colours(three)
    assert np.array_equal(first.axes, again.axes)
    assert first.threshold == again.threshold
    more = fit_colours(lambda: [*three(), picture(7, slice(2, 5), slice(3, 5))])
    # the third component is noise: nothing in the thing varies a third time
    assert (first.axes[:2] * more.axes[:2]).sum(axis=1).min() > 0.9
    assert first.axis @ more.axis > 0.99


def test_without_a_foreground_every_patch_is_coloured() -> None:
    flat = np.ones((GRID[0] * GRID[1], DIM), np.float16)
    colours = fit_colours(lambda: [(flat, GRID)])
    assert not colours.is_split
    assert (colours.foreground(flat) > 0).all()
    assert np.isfinite(colours.colours(flat)).all()


def test_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one picture, got none"):
        fit_colours(list)
