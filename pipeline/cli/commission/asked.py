"""What the page and the prompts ask of a long step, from text and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from operators.spelling import did_you_mean
from operators.units import parse_metres
from pipeline.cli.app import UserError
from pipeline.cli.commission.step_state import LONG_STEPS, Step, StepAsked, StopAsked
from pipeline.cli.drive_in.pictures import parse_span_time

LEARN = "y 0:02..0:14"
STOP = "stop 3.5m forklift-7"
MOST_METRES = 100.0
_NAME_LENGTH = 40


def asked_of_page(name: str, sent: Mapping[str, Any]) -> StepAsked:
    """Of what the page sends: `from`, `to` of a file; `metres`, `line`, `vehicle` of a drive-in.

    Raises:
        UserError: it is something else; the message says what.
    """
    if name not in LONG_STEPS:
        raise UserError(f"expected a step of {', '.join(LONG_STEPS)}, got {name!r}")
    span = span_of(str(sent.get("from") or ""), str(sent.get("to") or ""))
    stop = None
    if name == Step.DRIVE_IN:
        metres = sent.get("metres")
        if isinstance(metres, bool) or not isinstance(metres, (int, float)):
            raise UserError("distance: expected metres from the line to the vehicle's body, such as 3.5, got none")
        stop = _stop(float(metres), str(sent.get("line") or ""), str(sent.get("vehicle") or ""))
    return StepAsked(Step(name), span, stop)


def asked_of_words(words: Sequence[str], lines: Sequence[str]) -> StepAsked:
    """Of `stop 3.5m forklift-7 dock 0:12..0:20`: distance, then vehicle, line and span in any order, or none of them.

    Args:
        words: After `stop`.
        lines: That are drawn; the only one need not be named.

    Raises:
        UserError: it is something else.
    """
    if not words:
        raise UserError(f"expected the distance from the line to the vehicle's body, such as: {STOP}")
    try:
        metres = parse_metres(words[0])
    except ValueError as error:
        raise UserError(f"distance: {error}") from None
    span, named, vehicle = None, "", ""
    for word in words[1:]:
        if ".." in word:
            span = span_of(*word.split("..", 1))
        elif word in lines:
            named = word
        else:
            vehicle = word
    return StepAsked(Step.DRIVE_IN, span, _stop(metres, named or only_line(lines), vehicle))


def only_line(lines: Sequence[str]) -> str:
    """The line from which metres are told, where there is one.

    Raises:
        UserError: there is none, or several.
    """
    if not lines:
        raise UserError("draw a line first, or `here`, the line through the camera's foot: distances are told from it")
    if len(lines) > 1:
        raise UserError(f"name the line that was measured from: expected one of {', '.join(lines)}")
    return lines[0]


def check_line(line: str, lines: Sequence[str]) -> None:
    """Raises: UserError: it is not drawn."""
    if line not in lines:
        known = ", ".join(lines) or "none: draw one, or take the line through the camera's foot"
        raise UserError(f"line {line!r}: expected one of {known}{did_you_mean(line, list(lines))}")


def span_of(begin: str, end: str) -> tuple[float, float] | None:
    """Of `0:02` and `0:14`; None: both are empty.

    Raises:
        UserError: they are no times, or in the wrong order.
    """
    if not begin and not end:
        return None
    span = parse_span_time(begin, "from"), parse_span_time(end, "to")
    if span[1] <= span[0]:
        raise UserError(f"to: expected a time after {begin}, got {end}")
    return span


def _stop(metres: float, line: str, vehicle: str) -> StopAsked:
    if not 0.0 < metres <= MOST_METRES:
        raise UserError(f"distance: expected metres above 0 and at most {MOST_METRES:g}, got {metres:g}")
    if len(vehicle) > _NAME_LENGTH or any(each.isspace() for each in vehicle):
        raise UserError(f"vehicle: expected a name of at most {_NAME_LENGTH} letters without blanks, got {vehicle!r}")
    return StopAsked(metres, line, vehicle or "vehicle")
