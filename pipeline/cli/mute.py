"""`mute`, `unmute`: alerts of a camera go on, and nobody is told of them."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.act import Asked, CameraArgument, RuleOption, act
from pipeline.cli.grouped_options import grouped

_For = Annotated[str | None, typer.Option("--for", help="How long, such as 2h; left out: until unmute.")]


@grouped
def mute(camera: CameraArgument, *, rule: RuleOption = None, for_: _For = None, asked: Asked) -> None:
    """Tell nobody of a camera's alerts for a while; they are still published, with `notify: false`."""
    act(camera, "mute", asked, rule=rule, duration=for_)


@grouped
def unmute(camera: CameraArgument, *, rule: RuleOption = None, asked: Asked) -> None:
    """Tell people of a camera's alerts again; without --rule, of all that is muted there."""
    act(camera, "unmute", asked, rule=rule)
