"""What a rule watches, apart from how strict it is: an episode outlives a change of the one and not of the other."""

from __future__ import annotations

import hashlib
from typing import Any

from operators.camera import CameraSpec
from operators.rules.config import FalseAlarms, RuleConfig
from operators.rules.measure_table import parse_measure

_DIGITS = 16


def meaning_of(rule: RuleConfig, camera: CameraSpec) -> str:
    """Equal while the rule reads the same number at the same place and alarms on the same side of it.

    The measure, its zones and lines as they are drawn, which subjects count, and whether more or less is worse. Not the
    thresholds, `hold` and `release`, whom it tells or what it brings along.
    """
    measure = parse_measure(rule.measure)
    zones = (*measure.needs.zones, *(() if rule.in_ is None else (rule.in_,)))
    side: Any = "learnt" if isinstance(rule.enter, FalseAlarms) else rule.enter.points_down
    watched = (
        str(measure),
        tuple((name, camera.zones.get(name)) for name in zones),
        tuple((name, camera.lines.get(name)) for name in measure.needs.lines),
        None if rule.of is None else (rule.of.head, tuple(sorted(rule.of.is_))),
        side,
        rule.enter.false_alarms if isinstance(rule.enter, FalseAlarms) else "",
    )
    return hashlib.sha256(repr(watched).encode()).hexdigest()[:_DIGITS]
