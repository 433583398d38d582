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


def test_who_is_not_seen_again_is_lost_once_when_the_hold_times_out():
    away = [(0.0, [subject(10, 10)]), (0.5, [subject(12, 10, 2.6)]), (30.5, [])]
    _, tracks = run(away, hold_seconds=30.0)
    assert tracks.lost == ()
    tracks, _, _ = tracks.step([], 31 * SECOND, 30.0)
    assert [each.distances[0].metres for each in tracks.lost] == [2.6]
    tracks, _, _ = tracks.step([], 32 * SECOND, 30.0)
    assert tracks.lost == ()


def test_who_came_back_into_view_is_not_lost():
    away = [(0.0, [subject(10, 10)]), (0.5, [subject(12, 10)]), (10.0, [])]
    back = [(20.0, [subject(7, 11, 4.2)]), (22.5, []), (40.0, []), (60.0, [])]
    tracks = Tracks()
    for seconds, subjects in (*away, *back):
        tracks, _, _ = tracks.step(subjects, int(seconds * SECOND), 30.0)
        assert tracks.lost == ()


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


def test_who_comes_back_in_two_pieces_and_goes_on_across_the_picture_is_not_held():
    """As an oblique camera shows who leaves: the legs keep the number, the whole goes on as the other piece."""
    steps = [(0.0, [subject(12, 1, 2.0)]), (0.5, [subject(13, 1, 1.6)]), (1.0, []), (20.0, [])]
    back = [
        (20.5, [subject(13, 0, 1.3), subject(9, 1, 2.0)]),
        (21.0, [subject(9, 3, 2.1)]),
        (21.5, [subject(7, 5, 2.5)]),
    ]
    found, _ = run(steps + back)
    assert [held for _, held in found] == [[], [], [1], [1], [], [], []]


def test_what_went_below_the_picture_stays_held_while_somebody_else_is_seen_elsewhere():
    sunk = [(0.0, [subject(12, 4, 2.6)]), (0.5, [subject(13, 4, 2.2)])]
    found, _ = run([*sunk, (1.0, [subject(2, 20, 9.0)]), (1.5, [subject(3, 20, 8.0)])])
    assert [held for _, held in found] == [[], [], [1], [1]]


def called(column: int, name: str, *, row: int = 5, columns: int = 3) -> Subject:
    """A subject of 3 rows whose vote is clear."""
    mask = np.zeros((16, 28), bool)
    mask[row : row + 3, column : column + columns] = True
    box = (column / 28, row / 16, (column + columns) / 28, (row + 3) / 16)
    return Subject(box, mask, (), (Label("vehicles", ((name, 1.0),)),))


def crossing(frames_together: int, left: str = "forklift", right: str = "person"):
    """Two go towards each other by one column in half a second, are one subject for a while, and go on."""
    steps = [(at * 0.5, [called(4 + at, left), called(24 - 2 * at, right)]) for at in range(6)]
    steps += [(at * 0.5, [called(8, left, columns=7)]) for at in range(6, 6 + frames_together)]
    first = 6 + frames_together
    steps += [(at * 0.5, [called(4 + at, left), called(24 - 2 * at, right)]) for at in range(first, first + 2)]
    return steps


def test_two_that_cross_keep_their_numbers():
    for frames_together in (0, 1, 2):
        found, _ = run(crossing(frames_together))
        assert found[0][0] == [1, 2]
        assert found[-1][0] == [1, 2], frames_together


def test_two_that_are_called_alike_keep_their_numbers_by_where_they_go():
    found, _ = run(crossing(1, "person", "person"))
    assert found[-1][0] == [1, 2]


def test_who_is_hidden_by_another_for_longer_than_a_gap_keeps_its_number():
    still = called(8, "truck", columns=7)
    steps = [(0.0, [still, called(3, "person")]), (0.5, [still, called(5, "person")])]
    steps += [(at * 0.5, [still]) for at in range(2, 7)]
    found, _ = run([*steps, (3.5, [still, called(15, "person")])])
    assert found[-1][0] == [1, 2]
    gone, _ = run([*[(seconds, subjects[1:]) for seconds, subjects in steps], (3.5, [called(15, "person")])])
    assert gone[-1][0] == [2]  # nothing hid it, and 3 s are a gap


def test_a_piece_that_is_cut_off_now_and_then_does_not_take_the_number():
    # The piece lies nearer to where the whole was than what is left of it does.
    whole, rest, piece = called(8, "truck", columns=9), called(8, "truck", columns=7), called(12, "truck", columns=2)
    found, _ = run([(0.0, [whole]), (0.5, [whole]), (1.0, [piece, rest]), (1.5, [whole])])
    assert found[-2][0] == [2, 1]
    assert found[-1][0] == [1]


def test_a_subject_is_called_by_its_tracks_vote():
    names = ["truck", "truck", "truck", "person", "truck"]
    tracks, seen = Tracks(), ()
    for at, name in enumerate(names):
        tracks, seen, _ = tracks.step([called(8, name)], at * SECOND // 2, ABSORB)
        assert seen[0].labels[0].name == "truck"
    assert dict(seen[0].labels[0].top)["person"] > 0


def test_what_two_that_are_one_subject_are_called_is_no_vote():
    steps = crossing(2)
    tracks = Tracks()
    for seconds, subjects in steps:
        joined = [called(8, "truck", columns=7)] if len(subjects) == 1 else subjects
        tracks, seen, _ = tracks.step(joined, int(seconds * SECOND), ABSORB)
    assert [each.labels[0].top for each in seen] == [(("forklift", 1.0),), (("person", 1.0),)]


def test_a_picture_that_did_not_change_says_nothing_new():
    _, tracks = run([(0.0, [called(8, "truck")]), (0.5, [called(8, "person")])])
    again = tracks
    for at in range(2, 9):
        again = again.linger((at - 1) * SECOND // 2, at * SECOND // 2, ABSORB)
    (before,), (after,) = tracks.tracks, again.tracks
    assert after.vote == before.vote
    assert after.last_ns == 4 * SECOND
    _, seen, _ = again.step([called(8, "person")], 5 * SECOND, ABSORB)
    assert seen[0].track == 1


def test_votes_and_movement_survive_json():
    steps = crossing(1)
    half = len(steps) - 3
    _, before = run(steps[:half])
    again = Tracks.from_dict(json.loads(json.dumps(before.to_dict())))
    assert again.to_dict() == before.to_dict()
    found, _ = run(steps[half:], again)
    assert found == run(steps[half:], before)[0]
    assert found[-1][0] == [1, 2]


def test_a_state_from_before_tracks_voted_goes_on():
    _, tracks = run([(0.0, [called(8, "truck")])])
    old = tracks.to_dict()
    for each in old["tracks"]:
        for name in ("vote", "centre", "centre_ns", "velocity", "within_ns", "is_covered"):
            del each[name]
    _, seen, _ = Tracks.from_dict(old).step([called(8, "truck")], SECOND, ABSORB)
    assert (seen[0].track, seen[0].labels[0].name) == (1, "truck")
