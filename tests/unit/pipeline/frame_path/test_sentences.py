from __future__ import annotations

from dataclasses import replace

import pytest

from operators.results import Label
from operators.rules.episodes import Transition
from operators.rules.measures import parse_measure
from pipeline.frame_path.publisher.sentences import nearest_subject, start_sentence
from tests.fakes_publisher import rule, subject


def started(value, reason=""):
    return Transition("r", "start", 1, 2_600_000_000, value, True, 2_000_000_000, reason)


@pytest.mark.parametrize(
    ("measure", "enter", "leave", "value", "said"),
    [
        ("distance_to(dock)", "< 3.0 m", "> 3.6 m", 2.94, "forklift 2.9 m from the dock (limit 3.0), held 0.6 s"),
        ("count_in(apron)", ">= 2", "< 2", 3.0, "3 something in the apron (limit >= 2), held 0.6 s"),
        ("camera_depth(apron).p05", "< 2 m", "> 3 m", 1.5, "apron 1.5 m from the camera (limit 2.0), held 0.6 s"),
        ("score(vehicles.truck)", "> 0.8", "< 0.6", 0.9, "truck score 0.9 (limit > 0.8), held 0.6 s"),
        ("similarity(wanted)", "> 0.7", "< 0.6", 0.75, "similarity(wanted) 0.75 (limit > 0.7), held 0.6 s"),
    ],
)
def test_every_measure_has_a_sentence(measure, enter, leave, value, said):
    config = rule(measure=measure, enter=enter, exit=leave)
    sentence = start_sentence("dock-sim", config, parse_measure(measure), started(value), subject(value))
    assert sentence == f"dock-sim: {said}"


def test_a_subject_without_a_known_label_is_what_the_rule_looks_for():
    unknown = replace(subject(2.0), labels=(Label("vehicles", (("truck", 0.4),), is_unknown=True),))
    config = rule(of={"head": "vehicles", "is": ["forklift", "truck"]})
    sentence = start_sentence("dock-sim", config, parse_measure(config.measure), started(2.0), unknown)
    assert sentence == "dock-sim: forklift or truck 2.0 m from the dock (limit 3.0), held 0.6 s"


def test_an_alarm_about_the_unknown_says_that_it_is_unknown():
    config = rule(on_unknown="alarm")
    sentence = start_sentence("dock-sim", config, parse_measure(config.measure), started(None, "camera lost"), None)
    assert sentence == "dock-sim: distance_to(dock) not known (camera lost) (limit 3.0), held 0.6 s"


def test_the_subject_of_a_distance_is_the_one_that_has_it():
    far, near = subject(5.0), subject(2.0)
    assert nearest_subject([far, near], parse_measure("distance_to(dock)"), 2.0) is near
    assert nearest_subject([far, near], parse_measure("distance_to(dock)"), None) is None
    assert nearest_subject([far, near], parse_measure("count_in(apron)"), 2.0) is None
