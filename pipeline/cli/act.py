"""What `mute`, `unmute`, `ack`, `arm` and `disarm` share: who asks, whom, and the answer in sentences."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import msgspec
import typer

from operators.units import parse_seconds
from pipeline.cli.app import UserError
from pipeline.cli.running_pipeline import TOKEN_PLACE, AddressOption, ConfigOption, TokenOption, running_pipeline
from pipeline.frame_path.publisher.action_request import ActionRequest
from pipeline.frame_path.publisher.wire_actions import Action

ANSWER_SECONDS = 30.0

CameraArgument = Annotated[str, typer.Argument(metavar="CAMERA", help="Its id.")]
RuleOption = Annotated[str | None, typer.Option(help="One rule of it; left out: all.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, why, and which pipeline: options of every command of this kind."""

    reason: Annotated[str, typer.Option(help="Why; it stands in the event.")] = ""
    by: Annotated[str | None, typer.Option(help="Who; left out: the name that you are logged in with.")] = None
    config: ConfigOption = None
    address: AddressOption = None
    token: TokenOption = TOKEN_PLACE


def act(
    camera: str, action: Action, asked: Asked, *, rule: str | None = None, duration: str | None = None,
    alert: str | None = None,
) -> None:  # fmt: skip
    """Asks the running pipeline, and prints what was done.

    Args:
        camera: Its id.
        action: What to do.
        asked: Who asks, and whom.
        rule: One rule; None: all.
        duration: Such as `2h`; None: until something ends it.
        alert: Of an ack.

    Raises:
        UserError: nobody knows who asks, the duration is none, or the pipeline does not answer or refuses.
    """
    request = ActionRequest(
        action=action, by=who(asked.by), reason=asked.reason, rule=rule, for_seconds=seconds_of(duration), alert=alert
    )
    pipeline = running_pipeline(asked.config, asked.address, asked.token, "/cameras")
    sent = {name: value for name, value in msgspec.structs.asdict(request).items() if value is not None}
    del sent["action"]
    answer = pipeline.ask(
        f"/cameras/{quote(camera, safe='')}/{action}",
        sent,
        wait_seconds=ANSWER_SECONDS,
        failed=f"{action}: nothing was changed",
    )
    for text in answer["texts"]:
        print(text)


def who(by: str | None) -> str:
    """`by`, or whoever is logged in.

    Raises:
        UserError: neither is known.
    """
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UserError("who are you? expected --by NAME, since this login has no name") from None


def seconds_of(duration: str | None) -> float | None:
    """Of `--for 2h`.

    Raises:
        UserError: it is no duration.
    """
    try:
        return None if duration is None else parse_seconds(duration)
    except ValueError as error:
        raise UserError(f"--for: {error}") from None
