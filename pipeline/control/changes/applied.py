"""What is said of a changed configuration: one answer a camera."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["applied", "unchanged", "refused", "needs_restart"]


class CameraAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one camera."""

    outcome: Outcome
    did: Literal["added", "removed", "reopened", "changed", ""] = ""
    """Of `applied`. `reopened`: read anew under a new lease; `changed`: without a gap."""
    what: tuple[str, ...] = ()
    """Its keys that differ."""
    reason: str = ""
    """Of `refused` and `needs_restart`."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """Travels as JSON."""

    file: str
    """What was read, where the pipeline runs."""
    cameras: dict[str, CameraAnswer]
    restart: tuple[str, ...] = ()
    """Places outside the cameras that differ, such as `model.weights`: they count from the next start on."""
    is_dry_run: bool = False
    """Nothing was changed."""


def told(applied: Applied) -> list[str]:
    """The answer in sentences, for the log and the terminal; cameras that stay as they are count together."""
    lines: list[str] = []
    for camera, each in applied.cameras.items():
        keys = f" ({', '.join(each.what)})" if each.what else ""
        if each.outcome == "applied":
            lines.append(f"{camera}: {each.did}{keys}")
        elif each.outcome != "unchanged":
            lines.append(f"{camera}: {each.outcome.replace('_', ' ')}: {each.reason}")
    num_unchanged = sum(each.outcome == "unchanged" for each in applied.cameras.values())
    lines.append(f"{num_unchanged} {'camera' if num_unchanged == 1 else 'cameras'} unchanged")
    lines += [f"{place}: needs restart" for place in applied.restart]
    return lines
