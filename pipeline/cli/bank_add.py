"""`bank add`: asks a running pipeline to add a class to a bank."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from operators.units import parse_seconds
from pipeline.cli.app import UserError
from pipeline.cli.running_pipeline import TOKEN_PLACE, AddressOption, ConfigOption, TokenOption, running_pipeline
from pipeline.control.banks.bank_request import MAX_SECONDS, parse_span

ANSWER_SECONDS = 180.0
"""Beyond the collection: a file may have to be decoded, a busy model has to embed the pictures."""


def add(
    label: Annotated[str | None, typer.Argument(metavar="[CLASS]", help="Class that the pictures show.")] = None,
    *,
    camera: Annotated[str | None, typer.Option(help="Camera that shows it.")] = None,
    next_: Annotated[str | None, typer.Option("--next", help="Collect what passes by from now on, such as 5s.")] = None,
    at: Annotated[str | None, typer.Option(help="Part of the camera's file, such as 00:12..00:17.")] = None,
    from_alert: Annotated[str | None, typer.Option(help="Id of an alert, such as dock-03/too_close/17/start.")] = None,
    label_option: Annotated[str | None, typer.Option("--label", help="The class, instead of the argument.")] = None,
    head: Annotated[str | None, typer.Option(help="Head whose bank it is; needed where a camera has several.")] = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    token: TokenOption = TOKEN_PLACE,
) -> None:
    """Add pictures of a class to the bank of a running pipeline; nothing is restarted, and no frame is lost.

    Of live cameras with a learnt view, frames with exactly one subject are taken. Say where the pipeline is with
    --config or --http, unless it is on this machine at the usual port.
    """
    how = {"next": next_, "at": at, "alert": from_alert}
    request = _request(label or label_option, camera, head, how)
    pipeline = running_pipeline(config, address, token, "/banks")
    wait_seconds = MAX_SECONDS + ANSWER_SECONDS
    answer = pipeline.ask("/banks/add", request, wait_seconds=wait_seconds, failed="nothing was added")
    for line in _told(answer):
        print(line)


def _request(label: str | None, camera: str | None, head: str | None, how: dict[str, str | None]) -> dict[str, Any]:
    if not label:
        raise UserError("expected a class, as in `bank add pallet --camera dock-03 --next 5s`")
    next_, at, alert = how["next"], how["at"], how["alert"]
    if sum(each is not None for each in how.values()) != 1:
        raise UserError("expected exactly one of --next 5s, --at 00:12..00:17, --from-alert ID")
    if alert is None and camera is None:
        raise UserError("expected --camera, the one that shows it")
    try:
        seconds = parse_seconds(next_) if next_ is not None else None
        span = parse_span(at) if at is not None else None
    except ValueError as error:
        raise UserError(f"{'--next' if next_ else '--at'}: {error}") from None
    asked = {
        "label": label,
        "camera": camera,
        "head": head,
        "next_seconds": seconds,
        "at_seconds": span,
        "alert": alert,
    }
    return {key: value for key, value in asked.items() if value is not None}


def _told(answer: dict[str, Any]) -> list[str]:
    """For people."""
    taken, shown = answer["pictures"], answer["with_subject"]
    how = f"{shown} with one subject" if shown else "whole pictures, since no view is learnt or the bank has no masks"
    lines = [f"{answer['label']}: {taken} pictures added to {answer['bank']} ({how})"]
    if answer["skipped"]:
        lines.append("skipped: " + ", ".join(f"{count} {reason}" for reason, count in answer["skipped"].items()))
    lines.append("pictures: " + ", ".join(f"{name} {count}" for name, count in answer["classes"].items()))
    versions, seconds = ", ".join(answer["artefacts"]), answer["seconds"]
    since = "not yet in use everywhere" if answer["waiting"] else "in use"
    lines.append(f"version: {versions}, {since} {seconds:.1f} s after the last picture")
    lines += [f"  {camera}: from frame {frame} on" for camera, frame in sorted(answer["valid_from"].items())]
    lines += [f"  {camera}: no result names it yet, its next frames will" for camera in answer["waiting"]]
    return lines
