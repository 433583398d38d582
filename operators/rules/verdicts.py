"""What one reading says of a rule: it enters, it is beyond, it lies between, or it says nothing."""

from __future__ import annotations

from typing import Literal

from operators.rules.config import FalseAlarms, RuleConfig
from operators.rules.learnt import Tail
from operators.rules.measures import Reading

Verdict = Literal["enter", "between", "beyond"]
_POLICIES: dict[str, Verdict | None] = {"hold": None, "clear": "beyond", "alarm": "enter"}


def verdict_of(rule: RuleConfig, tail: Tail | None, reading: Reading) -> Verdict | None:
    """None: the reading says nothing (`on_unknown: hold`).

    Args:
        rule: Its thresholds.
        tail: What a threshold that is learnt has seen; None: nothing, or it is not learnt.
        reading: Of one frame.
    """
    if not reading.is_known:
        return _POLICIES[rule.on_unknown]
    if reading.value is None:
        return "beyond"
    if isinstance(rule.enter, FalseAlarms):
        return _verdict_of_learnt(rule, rule.enter, tail or Tail(), reading.value)
    if rule.enter.holds(reading.value):
        return "enter"
    is_beyond = rule.exit is None or rule.exit.holds(reading.value)
    return "beyond" if is_beyond else "between"


def _verdict_of_learnt(rule: RuleConfig, enter: FalseAlarms, tail: Tail, value: float) -> Verdict | None:
    """Unknown until enough was seen. An `exit` that is written holds in place of the learnt one."""
    level = tail.level(enter.false_alarms)
    if level is None:
        return _POLICIES[rule.on_unknown]
    if value > level.enter:
        return "enter"
    is_beyond = value < level.exit if rule.exit is None else rule.exit.holds(value)
    return "beyond" if is_beyond else "between"


def learnt_from(rule: RuleConfig, tail: Tail | None, reading: Reading, time_ns: int, gap_ns: int) -> Tail | None:
    """The tail after one more reading; None where the rule's thresholds are written.

    What was judged an alarm is learnt from, too: leaving it out would lower the threshold with every alarm.
    """
    if not isinstance(rule.enter, FalseAlarms):
        return None
    before = tail or Tail()
    if reading.is_known and reading.value is not None:
        return before.seen(rule.enter.false_alarms, reading.value, time_ns, gap_ns)
    return before.blind()
