"""What `mute`, `unmute`, `ack`, `arm` and `disarm` share: who asks, whom, and the answer in sentences."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import msgspec
import typer

from operators.units import parse_seconds
from pipeline.cli.app import UserError
from pipeline.cli.running_pipeline import running_pipeline
from pipeline.frame_path.publisher.action_request import ActionRequest

ANSWER_SECONDS = 30.0

CameraArgument = Annotated[str, typer.Argument(metavar="CAMERA", help="Its id.")]
RuleOption = Annotated[str | None, typer.Option(help="One rule of it; left out: all.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the event.")]
ByOption = Annotated[str | None, typer.Option(help="Who; left out: the name that you are logged in with.")]


def act(camera: str, request: ActionRequest, config: Path | None, address: str | None, token: str) -> None:
    """Asks the running pipeline, and prints what was done."""
    pipeline = running_pipeline(config, address, token, "/cameras")
    asked = {name: value for name, value in msgspec.structs.asdict(request).items() if value is not None}
    action = asked.pop("action")
    answer = pipeline.ask(
        f"/cameras/{quote(camera, safe='')}/{action}",
        asked,
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
