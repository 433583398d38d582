"""A short version of the labels' acceptance: `make acceptance` runs the whole one."""

import pytest

from tests.bench.acceptance_labels import Asked, balanced, checks, run, table


@pytest.mark.slow
def test_labels_hold_on_one_pose_with_the_shipped_depth_head():
    result = run(quick=True)
    assert [(what, holds) for what, _, _, holds in result["checks"]] == [("P0: one mover, subject's label", True)]


def _asked(kind: str, subject: str | None) -> Asked:
    return Asked(kind, "truck", subject, subject or "", kind, is_own=True, num_subjects=1, others={})


def test_a_missed_mover_is_called_wrong_and_kinds_weigh_alike():
    asked = [_asked("forklift", "forklift")] * 8 + [_asked("person", None), _asked("person", "person")]
    asked += [_asked("truck", "truck")]
    assert balanced(asked, "subject") == pytest.approx((1 + 0.5 + 1) / 3)
    assert balanced(asked, "frame") == pytest.approx(1 / 3)


def test_checks_say_which_promise_is_broken():
    figures = {
        "P0": {
            "one_subject": 0.9,
            "two_subject": 0.85,
            "two_gain": 0.1,
            "num_two": 120,
            "random_one_subject": 0.5,
            "few_forklift_recall": 1.0,
            "few_person_recall": 0.7,
            "few_truck_recall": 0.8,
        },
        "P3": {
            "one_subject": 0.7,
            "two_subject": 0.75,
            "two_gain": 0.3,
            "num_two": 120,
        },  # does not make up for the other pose
    }
    holds = {what: ok for what, _, _, ok in checks(figures)}
    assert list(holds.values()) == [True, True, False, False, True, False, False, True]
    assert "| P0: random weights, one mover | 0.50 | <= 0.45 | **no** |" in table(
        {"poses": figures, "checks": checks(figures)}
    )
