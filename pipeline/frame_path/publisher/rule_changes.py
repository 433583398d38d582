"""What becomes of the episodes of a camera whose configuration is another one than that of its stored state."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.frame_path.publisher.alerts import AlertWriter, Scene
from pipeline.frame_path.publisher.draft import Draft
from pipeline.frame_path.publisher.judging import Judge, at_rest, begun_anew, ends
from pipeline.frame_path.publisher.stored_camera import StoredCamera

RULE_REMOVED, RULE_CHANGED, CAMERA_REMOVED = "rule_removed", "rule_changed", "camera_removed"
ENDED_BY_CONFIGURATION = frozenset({RULE_REMOVED, RULE_CHANGED, CAMERA_REMOVED})
"""Reasons of ends that no value brought about."""


class RuleChanges:
    """Of one camera, over its stored state, which it changes in place. Within a transaction, like the book."""

    def __init__(self, stored: StoredCamera, judge: Judge, alerts: AlertWriter) -> None:
        self._stored = stored
        self._judge = judge
        self._alerts = alerts

    def take_up(self, draft: Draft) -> None:
        """Episodes whose rule is gone or watches something else now end, so that each start has its end; all others
        go on.
        """
        rules = self._stored.rules
        gone, changed = self._judge.removed(rules), self._judge.changed(rules)
        self._end(gone, RULE_REMOVED, draft)
        self._end(changed, RULE_CHANGED, draft)
        rules |= {name: at_rest(rules[name]) for name in gone} | {name: begun_anew(rules[name]) for name in changed}
        for name in changed:
            if self._stored.look is not None:
                self._stored.look.readings.pop(name, None)  # of what it watched before

    def leave(self, draft: Draft) -> None:
        """The camera is no longer configured: every episode ends."""
        rules = self._stored.rules
        self._end(rules, CAMERA_REMOVED, draft)
        rules |= {name: at_rest(memory) for name, memory in rules.items()}

    def _end(self, rules: Iterable[str], reason: str, draft: Draft) -> None:
        transitions = ends(self._stored.rules, rules, self._stored.rule_time_ns, reason)
        self._alerts.write(transitions, self._stored.rules, {}, Scene(), draft)
