"""`arm`, `disarm`: a camera's rules watch or do not, whatever their hours say."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.act import Asked, CameraArgument, RuleOption, act
from pipeline.cli.grouped_options import grouped

_For = Annotated[
    str | None, typer.Option("--for", help="How long, such as 2h; left out: until its hours change, or the opposite.")
]


@grouped
def arm(camera: CameraArgument, *, rule: RuleOption = None, for_: _For = None, asked: Asked) -> None:
    """Let a camera's rules watch, whatever their hours say."""
    act(camera, "arm", asked, rule=rule, duration=for_)


@grouped
def disarm(camera: CameraArgument, *, rule: RuleOption = None, for_: _For = None, asked: Asked) -> None:
    """Let a camera's rules rest; an alert that is on ends."""
    act(camera, "disarm", asked, rule=rule, duration=for_)
