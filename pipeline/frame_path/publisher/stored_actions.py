"""What people have set about one camera, as it lies in the database beside the rules' state."""

from __future__ import annotations

import msgspec

WHOLE_CAMERA = ""
"""Scope of a mute that holds for every rule, also for those to come."""


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """Episodes go on and are published; nobody is told."""

    by: str
    at_ns: int
    reason: str = ""
    until_ns: int | None = None
    """Wall clock; None: until someone unmutes."""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A rule is armed or not, whatever its hours say."""

    is_armed: bool
    by: str
    at_ns: int
    reason: str = ""
    until_ns: int | None = None
    """Wall clock."""
    until_rule_ns: int | None = None
    """Rule time at which the rule's hours next change. Both None: until someone says otherwise."""


class StoredActions(msgspec.Struct):
    """One camera's mutes and overrides. Written in the transaction of the events that tell of them."""

    count: int = 0
    """Of events about actions, for ever: numbers their ids."""
    mutes: dict[str, Mute] = msgspec.field(default_factory=dict[str, Mute])
    """By rule, or `WHOLE_CAMERA`."""
    overrides: dict[str, Override] = msgspec.field(default_factory=dict[str, Override])
    """By rule."""

    @property
    def is_any(self) -> bool:
        """Whether anything is set."""
        return bool(self.mutes or self.overrides)

    def is_muted(self, rule: str) -> bool:
        """Whether people are not told of this rule's episodes."""
        return rule in self.mutes or WHOLE_CAMERA in self.mutes

    def is_armed(self, rule: str) -> bool | None:
        """What a person says of the rule; None: its hours decide."""
        found = self.overrides.get(rule)
        return None if found is None else found.is_armed

    def ended_mutes(self, wall_ns: int) -> list[str]:
        """Scopes whose mute has run out."""
        return [scope for scope, mute in self.mutes.items() if _is_over(mute.until_ns, wall_ns)]

    def ended_overrides(self, wall_ns: int, rule_time_ns: int) -> list[str]:
        """Rules that go by their hours again."""
        return [
            rule
            for rule, override in self.overrides.items()
            if _is_over(override.until_ns, wall_ns) or _is_over(override.until_rule_ns, rule_time_ns)
        ]


def _is_over(until_ns: int | None, now_ns: int) -> bool:
    return until_ns is not None and now_ns >= until_ns
