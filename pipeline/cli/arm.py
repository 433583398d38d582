"""`arm`, `disarm`: a camera's rules watch or do not, whatever their hours say."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.act import ByOption, CameraArgument, ReasonOption, RuleOption, act, seconds_of, who
from pipeline.cli.running_pipeline import TOKEN_PLACE, AddressOption, ConfigOption, TokenOption
from pipeline.frame_path.publisher.action_request import ActionRequest


def arm(
    camera: CameraArgument,
    *,
    rule: RuleOption = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="How long, such as 2h; left out: until its hours change.")
    ] = None,
    reason: ReasonOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    token: TokenOption = TOKEN_PLACE,
) -> None:
    """Let a camera's rules watch, whatever their hours say."""
    request = ActionRequest(
        action="arm",
        by=who(by),
        reason=reason,
        rule=rule,
        for_seconds=seconds_of(for_),
    )
    act(camera, request, config, address, token)


def disarm(
    camera: CameraArgument,
    *,
    rule: RuleOption = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="How long, such as 2h; left out: until its hours change, or arm.")
    ] = None,
    reason: ReasonOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    token: TokenOption = TOKEN_PLACE,
) -> None:
    """Let a camera's rules rest; an alert that is on ends."""
    request = ActionRequest(
        action="disarm",
        by=who(by),
        reason=reason,
        rule=rule,
        for_seconds=seconds_of(for_),
    )
    act(camera, request, config, address, token)
