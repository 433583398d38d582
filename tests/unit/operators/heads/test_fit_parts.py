"""What is fitted on, chosen by and judged on stays apart."""

import numpy as np
import pytest

from operators.heads.fit_parts import CHOSEN, FITTED, JUDGED, SplitError, runs, split


def test_each_class_has_its_share_of_every_part():
    counts = np.zeros((60, 3))
    counts[np.arange(60), np.repeat([0, 1, 2], [40, 15, 5])] = 1
    parts = split(counts)
    for label, (fitted, chosen, judged) in enumerate([(24, 8, 8), (9, 3, 3), (3, 1, 1)]):
        of_class = parts[counts[:, label] > 0]
        assert [(of_class == part).sum() for part in (FITTED, CHOSEN, JUDGED)] == [fitted, chosen, judged]


def test_clips_that_show_several_classes_leave_no_part_without_a_class():
    rng = np.random.default_rng(3)
    counts = rng.integers(5, 9, (12, 4)).astype(float)
    counts[:, 3] = 0
    counts[[1, 5, 8], 3] = 1  # a rare one, beside more of the others
    for seed in range(4):
        parts = split(counts, seed)
        assert all((counts[parts == part].sum(axis=0) > 0).all() for part in (FITTED, CHOSEN, JUDGED))
        assert (split(counts, seed) == parts).all()


def test_two_units_are_too_few():
    with pytest.raises(SplitError, match="at least 3 pictures or clips, got 2"):
        split(np.ones((2, 1)))


@pytest.mark.parametrize("count", [3, 4, 5, 20, 101])
def test_runs_keep_their_order_and_reach_every_part(count):
    parts = runs(count)
    assert (np.diff(parts) >= 0).all()
    assert set(parts.tolist()) == {FITTED, CHOSEN, JUDGED}
