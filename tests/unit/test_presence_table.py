"""How presence is counted: shares with intervals, visits, and what lasts for a hold."""

import pytest

from tests.bench.presence_table import Asked, Presence, alone, table, wilson


def asked(kind="person", *, visit=0, metres=5.0, patches=5.0, is_found=True, seed=1):
    return Asked("P0", seed, kind, visit, metres, patches, is_found=is_found)


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [(95, 100, 0.888, 0.978), (0, 100, 0.0, 0.037), (100, 100, 0.963, 1.0), (1, 2, 0.095, 0.905), (0, 0, 0.0, 1.0)],
)
def test_an_interval_is_wilsons(found, of, low, high):
    assert wilson(found, of) == pytest.approx((low, high), abs=5e-4)


def test_two_frames_in_a_row_are_held_once_however_long_they_last():
    empty = [[True, False, True], [True, True, True, True], [False, True, True, False, True, True], [True]]
    found = Presence([], empty)
    assert (found.false_frames, found.empty_frames, found.false_holds) == (11, 14, 3)
    assert found.minutes == pytest.approx(28 / 60)


def test_a_frame_between_two_without_a_subject_stands_alone():
    assert alone([True, False, True, True, False, True]) == [0, 5]
    assert alone([False, True, False]) == [1]
    assert alone([]) == []


def test_what_was_held_by_one_frame_counts_as_well_and_adds_up():
    flickers = Presence([], [[True, False, True, True]], held_alone=1)
    assert flickers.false_holds == 2
    assert (flickers + flickers).false_holds == 4


def test_counts_add_up_over_sites_and_scenes_do_not_run_together():
    found = Presence([asked()], [[False, True]]) + Presence([asked(is_found=False, seed=2)], [[True, False]])
    assert (len(found.asked), found.false_frames, found.false_holds) == (2, 2, 0)


def test_the_table_tells_kinds_distances_sizes_and_visits_apart():
    every = [
        asked(metres=3.0, patches=9.0),
        asked(metres=7.0, patches=3.2, is_found=False),
        asked(visit=1, metres=6.5, patches=3.4),
        asked("truck"),
    ]
    said = table(Presence(every, [[False] * 30])).splitlines()
    assert "| person | 2 of 3 | 0.667 | 0.208 to 0.939 | 1 of 2 |" in said
    assert "| truck | 1 of 1 | 1.000 | 0.207 to 1.000 | 1 of 1 |" in said
    assert "| person, metres 6 to 8 | 1 of 2 | 0.500 | 0.095 to 0.905 | 1 of 2 |" in said
    assert "| person, patches 3 to 3.5 | 1 of 2 | 0.500 | 0.095 to 0.905 | 1 of 2 |" in said
    assert "| held: 2 in a row, or one for 4 samples, 1 minutes | 0 | | | |" in said
