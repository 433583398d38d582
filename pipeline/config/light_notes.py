"""How far a camera's empty view is learnt, and which of its rules wait for more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from operators.rules.config import RuleConfig
from operators.rules.measures import parse_measure


def light_note(rules: Mapping[str, RuleConfig], newest: str | None, num_lights: int, *, has_pose: bool) -> str:
    """One sentence.

    Args:
        rules: Of the camera.
        newest: Version of its empty view; None: it has none yet.
        num_lights: That it was learnt under.
        has_pose: Whether the camera has a `view`; else subjects are found by looks, not by depth.
    """
    name = f"empty view {newest}" if newest else "empty view"
    if num_lights >= 2:
        return f"{name}: {num_lights} lights"
    needing = {rule: each for rule, each in rules.items() if parse_measure(each.measure).needs.subjects}
    content = [rule for rule, each in needing.items() if "one_light" in each.accept]
    waiting = [rule for rule in needing if rule not in content]
    said = [f"learning, {num_lights} of 2 lights" if waiting else "one light" if num_lights else "no light yet"]
    if waiting:
        who = _named(waiting) if content else "rules that need subjects are"
        said.append(f"{who} unknown until it has seen two")
    if content and num_lights:
        by = "depth" if has_pose else "looks"
        said.append(f"{_named(content, 'goes', 'go')} by {by} alone until it has seen two (`accept: one_light`)")
    elif content:
        said.append(f"{_named(content)} unknown until it has seen one (`accept: one_light`)")
    return f"{name}: {'; '.join(said)}"


def _named(rules: Iterable[str], one: str = "is", many: str = "are") -> str:
    names = list(rules)
    return f"{', '.join(names)} {one if len(names) == 1 else many}"
