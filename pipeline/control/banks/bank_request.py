"""What is asked of a running pipeline about banks, and what it answers; travels as JSON."""

from __future__ import annotations

import re

import msgspec

from operators.spelling import did_you_mean
from operators.units import parse_seconds
from pipeline.config.loader import Config
from pipeline.control.banks.bank_folder import CLASS_NAME
from pipeline.errors import PipelineError
from pipeline.fetching.address import Address, is_address

MAX_SECONDS = 60.0
"""Of one collection: what it brings is thinned anyway."""


class AddRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pictures for a class of a bank: exactly one of `next_seconds`, `at_seconds`, `alert`."""

    label: str
    camera: str | None = None
    """Left out with `alert`, whose id names it."""
    head: str | None = None
    """Left out where the camera has one head with a bank."""
    next_seconds: float | None = None
    at_seconds: tuple[float, float] | None = None
    """From and to, in the camera's file."""
    alert: str | None = None
    """Id of an alert's start, `camera/rule/episode/start`."""


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    label: str
    head: str
    artefacts: list[str]
    """New versions, one for each head with this bank."""
    bank: str
    """Folder that holds it from now on."""
    pictures: int
    with_subject: int
    """Pictures with exactly one subject in front of the learnt view: its patches alone are learnt."""
    skipped: dict[str, int]
    classes: dict[str, int]
    """Pictures of each class now."""
    seconds: float
    """From the end of the collection until results name the new version, or until that was waited for long enough."""
    valid_from: dict[str, str]
    """By camera, the first frame whose result names the new version."""
    waiting: list[str]
    """Cameras that showed no such frame yet; their next frames are asked with it all the same."""


def mistake(message: str, code: str) -> PipelineError:
    """Of whoever asks; `code` is one of unknown, usage, empty, space, busy."""
    return PipelineError(message, code=code)


def checked(request: AddRequest, config: Config) -> AddRequest:
    """The request with its camera and head named.

    Raises:
        PipelineError: it cannot be right (code `unknown` or `usage`).
    """
    if not CLASS_NAME.fullmatch(request.label):
        raise mistake(
            f"class: expected letters, digits, spaces, - and _, at most 63 and no space first, got {request.label!r}",
            "usage",
        )
    asked = [request.next_seconds, request.at_seconds, request.alert]
    if sum(each is not None for each in asked) != 1:
        raise mistake("expected exactly one of next, at, from-alert", "usage")
    camera = request.alert.partition("/")[0] if request.alert is not None else request.camera
    if camera is None or camera not in config.cameras:
        known = ", ".join(config.cameras)
        hint = did_you_mean(camera or "", list(config.cameras))
        raise mistake(f"unknown camera {camera!r}: expected one of {known}{hint}", "unknown")
    _check_seconds(request, camera, config)
    return msgspec.structs.replace(request, camera=camera, head=_head(request.head, camera, config))


def _check_seconds(request: AddRequest, camera: str, config: Config) -> None:
    if request.next_seconds is not None and not 0 < request.next_seconds <= MAX_SECONDS:
        raise mistake(f"next: expected up to {MAX_SECONDS:g} s, got {request.next_seconds:g} s", "usage")
    if request.at_seconds is None:
        return
    first, last = request.at_seconds
    if not 0 <= first < last <= first + MAX_SECONDS:
        raise mistake(
            f"at: expected a start before its end, at most {MAX_SECONDS:g} s apart, got {first:g} s to {last:g} s",
            "usage",
        )
    if config.cameras[camera].source.file is None:
        raise mistake(f"{camera} is no file: expected --next for what is not there any more", "usage")


def _head(asked: str | None, camera: str, config: Config) -> str:
    having = [name for name in config.camera_spec(camera).heads if name in banks_of(config)]
    if asked is not None and asked not in having:
        raise mistake(
            f"unknown head {asked!r}: expected one of {', '.join(having) or 'none'}, the heads of {camera} with a bank"
            f"{did_you_mean(asked, having)}",
            "unknown",
        )
    if asked is None and len(having) != 1:
        got = ", ".join(having) or "none"
        raise mistake(f"{camera}: expected one head with a bank (kind: knn), got {got}. Name it with --head", "usage")
    chosen = asked or having[0]
    if is_address(bank := banks_of(config)[chosen]):
        shown = Address.of(bank).shown
        raise mistake(
            f"heads.{chosen}: the bank lies at {shown}, and nothing is added there: expected a folder of this machine. "
            "Add to the folder it was made in, or name a folder",
            "usage",
        )
    return chosen


def banks_of(config: Config) -> dict[str, str]:
    """Folder of the bank by head."""
    return {name: head.bank for name, head in config.heads.items() if head.kind == "knn"}


def parse_span(text: str) -> tuple[float, float]:
    """`00:12..00:17`, `1:02:03..1:02:08` or `12s..17s` to seconds.

    Raises:
        ValueError: it is neither.
    """
    first, dots, last = text.partition("..")
    if not dots:
        msg = f"expected a span such as 00:12..00:17, got {text!r}"
        raise ValueError(msg)
    return _moment(first, text), _moment(last, text)


def _moment(text: str, whole: str) -> float:
    if re.fullmatch(r"(\d+:)?\d{1,2}:\d{1,2}(\.\d+)?", text):
        seconds = 0.0
        for part in text.split(":"):
            seconds = 60 * seconds + float(part)
        return seconds
    try:
        return parse_seconds(text)
    except ValueError:
        msg = f"expected a span such as 00:12..00:17, got {whole!r}"
        raise ValueError(msg) from None
