"""`--what-if "RULE.FIELD OP VALUE"`: one number of a rule, changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from operators.rules.config import RuleConfig
from operators.spelling import did_you_mean
from operators.units import Threshold, parse_seconds, parse_threshold
from pipeline.frame_path.publisher.wire_result import WireRule

_CHANGE = re.compile(r"^\s*(?P<rule>[A-Za-z0-9][A-Za-z0-9_-]*)\.(?P<field>\w+)\s*(?P<value>\S.*)$")
FIELDS = ("enter", "exit", "hold", "release")


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked."""

    rule: str
    field: str
    value: Threshold | float
    """Seconds for `hold` and `release`."""
    text: str
    """As it was written."""


def parse_change(text: str) -> Change:
    """Of `too_close.enter < 2.5 m` or `too_close.hold = 2s`.

    Raises:
        ValueError: it is none.
    """
    found = _CHANGE.match(text)
    if found is None:
        msg = f'expected a change such as "too_close.enter < 2.5 m" or "too_close.hold = 2s", got {text!r}'
        raise ValueError(msg)
    rule, name, value = found["rule"], found["field"], found["value"].strip()
    if name not in FIELDS:
        msg = f"{text!r}: expected one of {', '.join(FIELDS)} after {rule}., got {name!r}{did_you_mean(name, FIELDS)}"
        raise ValueError(msg)
    try:
        parsed = parse_threshold(value) if name in {"enter", "exit"} else parse_seconds(value.removeprefix("=").strip())
    except ValueError as error:
        msg = f"{text!r}: {error}"
        raise ValueError(msg) from None
    return Change(rule, name, parsed, text.strip())


def changed(rule: RuleConfig, wire: WireRule, changes: Sequence[Change]) -> RuleConfig:
    """The rule with all of `changes`, which are about it. A margin that was added is added again.

    Raises:
        ValueError: its exit would not lie beyond its enter, or a threshold has another direction or unit.
    """
    values: dict[str, Any] = {each.field: each.value for each in changes}
    margin = margin_of(wire)
    for name in ("enter", "exit"):
        asked, before = values.get(name), getattr(rule, name)
        if isinstance(asked, Threshold):
            _check(asked, before, next(each.text for each in changes if each.field == name))
            values[name] = replace(asked, value=round(asked.value + margin, 6))
    after = rule.model_copy(update=values)
    enter, leave = after.enter, after.exit
    if isinstance(enter, Threshold) and leave is not None:
        if enter.points_down == leave.points_down:
            msg = f"expected enter and exit to point away from each other, got enter {enter} and exit {leave}"
            raise ValueError(msg)
        if (leave.value < enter.value) if enter.points_down else (leave.value > enter.value):
            hint = "change both"
            msg = f"exit must lie beyond enter: got enter {enter} and exit {leave} ({wire.measure}). {hint}"
            raise ValueError(msg)
    return after


def _check(asked: Threshold, before: object, text: str) -> None:
    if not isinstance(before, Threshold):
        return
    if before.value != float("inf") and asked.points_down != before.points_down:
        raise ValueError(f"{text!r}: expected the direction of {before}")
    if asked.unit and before.unit and asked.unit != before.unit:
        raise ValueError(f"{text!r}: expected {before.unit}, as in {before}, got {asked.unit}")


def margin_of(wire: WireRule) -> float:
    """What was added to the thresholds that were asked for."""
    if not wire.asked_enter or wire.asked_enter == wire.enter or not wire.enter:
        return 0.0
    return round(float(wire.enter.split()[1]) - float(wire.asked_enter.split()[1]), 6)
