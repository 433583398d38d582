import pytest

from operators.results import Label
from operators.scene.track_vote import NO_VOTE


def label(truck, *, head="vehicles", is_unknown=False, is_empty=False):
    top = tuple(sorted((("truck", truck), ("person", 1 - truck)), key=lambda pair: -pair[1]))
    return Label(head, () if is_empty else top, is_unknown=is_unknown, is_empty=is_empty)


def voted(*labels):
    vote = NO_VOTE
    for each in labels:
        vote = vote.add([each])
    return vote


def test_one_sighting_says_what_it_said():
    assert voted(label(0.9)).labels == (label(0.9),)


def test_one_wrong_sighting_does_not_turn_the_vote():
    assert voted(*[label(0.9)] * 4, label(0.1)).labels[0].name == "truck"


def test_newer_sightings_count_more():
    assert voted(*[label(0.9)] * 6, *[label(0.1)] * 6).labels[0].name == "person"


def test_scores_are_means():
    (said,) = voted(*[label(0.8)] * 3).labels
    assert dict(said.top) == pytest.approx({"truck": 0.8, "person": 0.2})


def test_unknown_needs_most_sightings():
    unknown = label(0.9, is_unknown=True)
    assert voted(label(0.9), label(0.9), label(0.9), unknown).labels[0].name == "truck"
    assert voted(label(0.9), unknown, unknown, unknown).labels[0].name == "unknown"


def test_empty_is_no_vote():
    assert voted(label(0.9), label(0, is_empty=True)).labels == (label(0.9),)
    assert voted(label(0, is_empty=True)).labels == ()


def test_each_head_votes_by_itself_and_keeps_what_it_said():
    vote = NO_VOTE.add([label(0.9), label(0.2, head="clothes")]).add([label(0.9)])
    assert [(each.head, each.name) for each in vote.labels] == [("vehicles", "truck"), ("clothes", "person")]


def test_likeness_compares_what_both_were_called():
    vote = voted(label(1.0))
    assert vote.likeness([label(1.0)]) == pytest.approx(1.0)
    assert vote.likeness([label(0.0)]) == pytest.approx(0.0)
    assert vote.likeness([]) == NO_VOTE.likeness([label(1.0)]) == 0.5
