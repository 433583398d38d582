"""`ack`: a person has taken notice of an alert."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.act import ByOption, ReasonOption, act, who
from pipeline.cli.app import UserError
from pipeline.cli.running_pipeline import TOKEN_PLACE, AddressOption, ConfigOption, TokenOption
from pipeline.frame_path.publisher.action_request import ActionRequest


def ack(
    alert: Annotated[str, typer.Argument(metavar="ALERT_ID", help="Such as dock-03/too_close/17/start.")],
    *,
    reason: ReasonOption = "",
    by: ByOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    token: TokenOption = TOKEN_PLACE,
) -> None:
    """Acknowledge an alert that is active: what is active now, and its end, say who has taken notice."""
    camera, found, _ = alert.partition("/")
    if not found:
        raise UserError(f"expected the id of an alert, such as dock-03/too_close/17/start, got {alert!r}")
    act(camera, ActionRequest(action="ack", by=who(by), reason=reason, alert=alert), config, address, token)
