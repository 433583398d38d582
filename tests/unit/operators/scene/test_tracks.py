import json

import numpy as np

from operators.results import Label, LineDistance, Subject
from operators.scene.tracks import Tracks

SECOND = 1_000_000_000
ABSORB = 1800.0


def subject(row: int, column: int, metres: float = 4.0, grid=(16, 28)) -> Subject:
    """A 3 x 3 subject whose top left patch is given."""
    mask = np.zeros(grid, bool)
    mask[row : row + 3, column : column + 3] = True
    h, w = grid
    box = (column / w, row / h, (column + 3) / w, (row + 3) / h)
    return Subject(
        box, mask, (LineDistance("dock", metres, 0.3, metres + 0.2),), (Label("vehicles", (("forklift", 0.9),)),)
    )


def run(steps, tracks=None, hold_seconds=ABSORB):
    """Steps are (seconds, subjects); gives (numbers seen, numbers held) per step, and the state."""
    tracks = tracks or Tracks()
    seen_and_held = []
    for seconds, subjects in steps:
        tracks, seen, held = tracks.step(subjects, int(seconds * SECOND), hold_seconds)
        seen_and_held.append(([each.track for each in seen], [each.track for each in held]))
    return seen_and_held, tracks


def test_a_subject_keeps_its_number_while_it_moves():
    steps = [(i * 0.5, [subject(3 + i, 5), subject(2, 20 - i)]) for i in range(6)]
    found, _ = run(steps)
    assert [seen for seen, _ in found] == [[1, 2]] * 6


def test_a_gap_of_two_seconds_ends_a_track():
    found, _ = run([(0, [subject(3, 5)]), (2.0, [subject(3, 5)]), (4.1, [subject(3, 5)])])
    assert [seen for seen, _ in found] == [[1], [1], [2]]


def test_what_vanishes_at_the_bottom_is_held_with_its_last_distance():
    steps = [(0.0, [subject(9, 10, 3.1)]), (0.5, [subject(12, 10, 2.6)]), (1.0, []), (60.0, [])]
    found, tracks = run(steps)
    assert [held for _, held in found] == [[], [], [1], [1]]
    _, _, held = tracks.step([], 61 * SECOND, ABSORB)
    assert held[0].distances[0].metres == 2.6


def test_what_vanishes_higher_up_is_not_held():
    # Rows 11 to 13 of 16: the lowest patch is in the third row from below.
    found, _ = run([(0.0, [subject(9, 10)]), (0.5, [subject(11, 10)]), (1.0, [])])
    assert found[-1] == ([], [])


def test_one_flicker_at_the_bottom_is_not_held():
    found, _ = run([(0.0, [subject(13, 10)]), (0.5, [])])
    assert found[-1] == ([], [])


def test_the_hold_ends_when_it_comes_back_into_view():
    away = [(0.0, [subject(10, 10)]), (0.5, [subject(12, 10)]), (10.0, [])]
    back, _ = run([*away, (20.0, [subject(7, 11, 4.2)]), (20.5, [])])
    assert back[-2] == ([1], [])
    assert back[-1] == ([], [])


def test_somebody_elsewhere_does_not_end_the_hold():
    away = [(0.0, [subject(10, 10)]), (0.5, [subject(12, 10)]), (10.0, [])]
    found, _ = run([*away, (20.0, [subject(3, 22, 9.0)])])
    assert found[-1] == ([2], [1])


def test_the_hold_times_out():
    steps = [(0.0, [subject(10, 10)]), (0.5, [subject(12, 10)]), (30.5, []), (31.0, [])]
    found, tracks = run(steps, hold_seconds=30.0)
    assert [held for _, held in found] == [[], [], [1], []]
    assert tracks.tracks == ()


def test_state_survives_json():
    _, tracks = run([(0.0, [subject(10, 10)]), (0.5, [subject(12, 10, 2.7)])])
    again = Tracks.from_dict(json.loads(json.dumps(tracks.to_dict())))
    assert again.to_dict() == tracks.to_dict()
    _, _, held = again.step([], SECOND, ABSORB)
    np.testing.assert_array_equal(held[0].mask, subject(12, 10).mask)
    assert held[0].distances == subject(12, 10, 2.7).distances
    assert held[0].labels == subject(12, 10).labels


def test_a_piece_at_the_bottom_that_joins_the_rest_again_is_not_held():
    # Seen in a forklift that was cut at a jump of distance: its lower half, then the whole again, which drives away.
    lower, upper, whole = subject(13, 10, 2.1), subject(8, 10, 2.7), subject(10, 10, 2.4)
    away = [(2.0 + i * 0.5, [subject(7 - i, 10, 3.5 + i)]) for i in range(6)]
    found, _ = run([(0.0, [lower, upper]), (0.5, [lower, upper]), (1.0, [lower, upper]), (1.5, [whole]), *away])
    assert [held for _, held in found] == [[]] * 10


def test_what_went_below_the_picture_stays_held_while_somebody_else_is_seen_elsewhere():
    sunk = [(0.0, [subject(12, 4, 2.6)]), (0.5, [subject(13, 4, 2.2)])]
    found, _ = run([*sunk, (1.0, [subject(2, 20, 9.0)]), (1.5, [subject(3, 20, 8.0)])])
    assert [held for _, held in found] == [[], [], [1], [1]]
