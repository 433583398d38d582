"""`mute`, `unmute`: alerts of a camera go on, and nobody is told of them."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.act import ByOption, CameraArgument, ReasonOption, RuleOption, act, seconds_of, who
from pipeline.cli.running_pipeline import TOKEN_PLACE, AddressOption, ConfigOption, TokenOption
from pipeline.frame_path.publisher.action_request import ActionRequest


def mute(
    camera: CameraArgument,
    *,
    rule: RuleOption = None,
    for_: Annotated[str | None, typer.Option("--for", help="How long, such as 2h; left out: until unmute.")] = None,
    reason: ReasonOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    token: TokenOption = TOKEN_PLACE,
) -> None:
    """Tell nobody of a camera's alerts for a while; they are still published, with `notify: false`."""
    request = ActionRequest(
        action="mute",
        by=who(by),
        reason=reason,
        rule=rule,
        for_seconds=seconds_of(for_),
    )
    act(camera, request, config, address, token)


def unmute(
    camera: CameraArgument,
    *,
    rule: RuleOption = None,
    reason: ReasonOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    token: TokenOption = TOKEN_PLACE,
) -> None:
    """Tell people of a camera's alerts again; without --rule, of all that is muted there."""
    request = ActionRequest(
        action="unmute",
        by=who(by),
        reason=reason,
        rule=rule,
    )
    act(camera, request, config, address, token)
