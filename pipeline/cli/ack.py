"""`ack`: a person has taken notice of an alert."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.act import Asked, act
from pipeline.cli.app import UserError
from pipeline.cli.grouped_options import grouped


@grouped
def ack(
    alert: Annotated[str, typer.Argument(metavar="ALERT_ID", help="Such as dock-03/too_close/17/start.")],
    *,
    asked: Asked,
) -> None:
    """Acknowledge an alert that is active: what is active now, and its end, say who has taken notice."""
    camera, found, _ = alert.partition("/")
    if not found:
        raise UserError(f"expected the id of an alert, such as dock-03/too_close/17/start, got {alert!r}")
    act(camera, "ack", asked, alert=alert)
