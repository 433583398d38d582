"""From the threshold that is asked for to the one that readings are compared with, so that a true one is not missed."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from operators.rules.config import RuleConfig
from operators.rules.measure_table import parse_measure
from operators.scene.residuals import MeasuredMetres
from operators.units import Threshold

_STEPS_PER_METRE = 100
"""Margins are rounded up to a centimetre, as thresholds are written."""


def takes_margin(rule: RuleConfig) -> bool:
    """Whether the rule starts below a distance on the floor: what reads too far then alarms too late."""
    is_distance = parse_measure(rule.measure).name == "distance_to"
    return is_distance and isinstance(rule.enter, Threshold) and rule.enter.points_down


def margin_metres(rule: RuleConfig, metres: MeasuredMetres | None) -> float:
    """What is added to both thresholds of a rule.

    Args:
        rule: Its `margin` as written, or `auto`: of a critical rule the 90th percentile of how much too far the
            camera reads, by its drive-ins before the rule's line; else 0.
        metres: The camera's drive-ins.
    """
    if not takes_margin(rule):
        return 0.0
    if rule.margin != "auto":
        return rule.margin
    if rule.severity != "critical" or metres is None:
        return 0.0
    p90 = metres.p90_metres(parse_measure(rule.measure).args[0])
    return ceil(round((p90 or 0.0) * _STEPS_PER_METRE, 6)) / _STEPS_PER_METRE


def with_margin(rule: RuleConfig, metres: MeasuredMetres | None) -> RuleConfig:
    """The rule with the thresholds that readings are compared with."""
    margin = margin_metres(rule, metres)
    if not margin:
        return rule
    moved = {name: _moved(threshold, margin) for name, threshold in (("enter", rule.enter), ("exit", rule.exit))}
    return rule.model_copy(update=moved)


def _moved(threshold: object, margin: float) -> object:
    if not isinstance(threshold, Threshold):
        return threshold
    return replace(threshold, value=round(threshold.value + margin, 6))
