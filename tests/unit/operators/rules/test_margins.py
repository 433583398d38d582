import pytest

from operators.rules.config import RuleConfig
from operators.rules.margins import margin_metres, with_margin
from operators.scene.residuals import Stop, measured

FIVE = (0.0, 0.0, 0.0, 0.0, 0.0)


def rule(**changes):
    base = {"measure": "distance_to(dock)", "enter": "< 3.0 m", "exit": "> 3.6 m", "severity": "critical"}
    return RuleConfig.model_validate({**base, **changes})


def drive_ins(*residuals, line="dock"):
    knowns = (3.0, 5.0, 8.0)
    stops = [
        Stop(line, "here", known, tuple(known + residual + each for each in FIVE), None, "2026-03-01T09:30:00Z")
        for known, residual in zip(knowns, residuals, strict=False)
    ]
    return measured("f", stops)


def test_a_critical_rule_fires_so_early_that_a_true_one_is_not_missed():
    found = with_margin(rule(), drive_ins(0.7, -0.7))
    assert (str(found.enter), str(found.exit)) == ("< 3.7 m", "> 4.3 m")


@pytest.mark.parametrize(
    ("changes", "margin"),
    [
        ({}, 0.7),
        ({"severity": "warning"}, 0.0),
        ({"severity": "warning", "margin": "0.4m"}, 0.4),
        ({"margin": "0m"}, 0.0),
        ({"margin": "25cm"}, 0.25),
        ({"measure": "distance_to(gate)"}, 0.0),
        ({"enter": "> 3.6 m", "exit": "< 3.0 m", "margin": "0.4m"}, 0.0),
        ({"measure": "count_in(apron)", "enter": ">= 1", "exit": "< 1"}, 0.0),
    ],
)
def test_the_margin_follows_the_rule(changes, margin):
    assert margin_metres(rule(**changes), drive_ins(0.7, -0.7)) == pytest.approx(margin)


def test_without_drive_ins_only_a_written_margin_counts():
    assert with_margin(rule(), None) == rule()
    assert str(with_margin(rule(margin="0.4m"), None).enter) == "< 3.4 m"


def test_what_reads_too_near_needs_no_margin():
    assert margin_metres(rule(), drive_ins(-0.1, -0.2)) == 0.0


def test_margins_are_rounded_up_to_a_centimetre():
    assert margin_metres(rule(), drive_ins(0.123, 0.123)) == 0.13


def test_no_negative_margin():
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        rule(margin="-0.1m")
