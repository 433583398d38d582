"""What a camera's file and a site's file begin with, where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from pathlib import Path
from typing import Any, cast

import yaml

from operators.backbone.config import ModelConfig
from operators.geometry import FloorCamera
from pipeline.cli.app import UserError
from pipeline.config.check_pose import CLEAR
from pipeline.control.drive_ins import JITTERS_APART
from pipeline.secrets import Secrets
from pipeline.sources.config import SourceConfig

_SECRET = "camera"  # noqa: S105 - the name under `secrets:`, not a value
_LIVE_FPS = 2.0
"""Enough for rules that hold for a second, and little for the machine; raise it in the file."""

EXAMPLE = "# What it should watch for stands here, once lines and zones are drawn.\n"
"""Stands in a new camera's file until its example is known."""
_ASKED_METRES, _APART_METRES = 3.0, 0.6


@dataclass(frozen=True, slots=True)
class NewCamera:
    """A camera that no configuration has yet."""

    name: str
    source: SourceConfig
    secrets: Secrets
    credentials: str | None
    """Environment variable that holds `user:password`."""
    weights: str


def camera_text(new: NewCamera, sections: Mapping[str, Any]) -> str:
    """Source, rate and heads, for the sections that the configuration has.

    Raises:
        UserError: its credentials are no secret of the configuration.
    """
    source = new.source.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    if new.credentials is not None:
        source["credentials"] = _secret(new.credentials, sections)
    if "file" in source:
        source["file"] = str(Path(str(source["file"])).resolve())
    heads = cast("dict[str, Any]", sections.get("heads") or {})
    depth = [name for name, head in heads.items() if isinstance(head, dict) and head.get("kind") == "depth"]  # pyright: ignore[reportUnknownMemberType]
    camera = {
        "source": source,
        "sample": {"policy": "every_frame"} if new.source.is_replayable else {"fps": _LIVE_FPS},
        "heads": ["embedding", *depth[:1]],
    }
    return f"# Set up with `commission`.\n{_yaml(camera)}{EXAMPLE}"


def site_text(config: Path, new: NewCamera) -> str:
    """A site whose results are files beside it."""
    site: dict[str, Any] = {
        "version": 1,
        "site": {"name": "site"},
        "model": {"backbone": ModelConfig().backbone, "weights": new.weights},
        "heads": {"depth": {"kind": "depth", "checkpoint": "fit_for_view"}},
        "sinks": {"jsonl": {"path": str(config / "results")}},
        "runtime": {"ray": "local", "state_dir": str(config / "state")},
    }
    if new.credentials is not None:
        site["secrets"] = {_SECRET: f"${{env:{new.credentials}}}"}
    head = f"# Written by `commission`; `python main.py run {config}` runs it. Results are JSON lines until you name\n"
    return f"{head}# Redis or Kafka under `sinks`.\n{_yaml(site)}"


def example_rule(
    lines: Sequence[str], zones: Sequence[str], floor: FloorCamera | None, jitter_metres: float = 0.0
) -> str | None:
    """A rule with what is drawn, whose thresholds `validate` takes. None: there is no line or no pose.

    Args:
        lines: Their names.
        zones: Their names.
        floor: As the picture shows it; None: not known, and no metres.
        jitter_metres: Of drive-ins: how far apart thresholds must lie.
    """
    if not lines or floor is None:
        return None
    nearest = CLEAR * floor.nearest_visible_floor()
    enter = max(_ASKED_METRES, ceil(10 * nearest) / 10) if isfinite(nearest) else _ASKED_METRES
    apart = max(_APART_METRES, ceil(10 * JITTERS_APART * jitter_metres) / 10)
    inside = f"in: {zones[0]}, " if zones else ""
    return (
        f"too_close: {{measure: distance_to({lines[0]}), {inside}"
        f'enter: "< {enter:g} m", exit: "> {enter + apart:g} m", '
        "hold: 600ms, release: 2s, severity: critical}"
    )


def example(rule: str | None) -> str:
    """An example as a comment of a file."""
    if rule is None:
        return "# What it should watch for comes here, under `rules:`; see docs/configuration.md.\n"
    head = "# What it should watch for: take the # away and choose the metres (see docs/metres.md).\n"
    return f"{head}# rules:\n#   {rule}\n"


def with_example(text: str, shown: str) -> str:
    """A new camera's text with the example in its place."""
    return text.replace(EXAMPLE, shown)


def _secret(variable: str, sections: Mapping[str, Any]) -> str:
    wanted = f"${{env:{variable}}}"
    for name, reference in cast("dict[str, Any]", sections.get("secrets") or {}).items():
        if reference == wanted:
            return name
    raise UserError(
        f"no secret of this configuration is {wanted}: add `secrets: {{{_SECRET}: {wanted!r}}}` to its site's file"
    )


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)
