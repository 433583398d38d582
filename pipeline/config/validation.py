"""Pydantic's errors in our words: where the value stands, what was expected, and the nearest valid word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from operators.spelling import did_you_mean
from pipeline.config.fields import below, keys_of, structs_at
from pipeline.config.problems import Mark, Place, Problem
from pipeline.config.schema import CAMERA_ID, NAME, REFERENCE

Model = TypeVar("Model", bound=BaseModel)

_INCOMPLETE = {"missing"}
"""What a fragment (defaults, a profile) may lack, since the camera brings the rest."""


def validate(
    struct: type[Model],
    written: dict[str, Any],
    *,
    at: Place,
    mark: Callable[[Place], Mark],
    is_fragment: bool = False,
) -> tuple[Model | None, list[Problem]]:
    """Builds `struct`, or says everything that is wrong.

    Args:
        struct: What is expected.
        written: The map from the file.
        at: Where the map stands in the configuration.
        mark: Where a place inside the map was written.
        is_fragment: Missing keys are no mistake.
    """
    try:
        return struct.model_validate(written), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    return None, list(_problems(details, struct, written, at, mark, is_fragment=is_fragment))


def _problems(
    details: Iterable[ErrorDetails],
    struct: type[BaseModel],
    written: dict[str, Any],
    at: Place,
    mark: Callable[[Place], Mark],
    *,
    is_fragment: bool,
) -> Iterator[Problem]:
    seen: dict[Place, list[str]] = {}
    for detail in details:
        place = _place(detail, written)
        is_incomplete = detail["type"] in _INCOMPLETE or (place == ("source",) and detail["type"] == "value_error")
        if not (is_fragment and is_incomplete):
            messages = seen.setdefault(place, [])
            message = _message(detail, place, struct, written, is_secret=(*at, *place)[:1] == ("secrets",))
            if message not in messages:
                messages.append(message)
    for place, messages in seen.items():
        yield Problem(mark(place), (*at, *place), ", or ".join(messages))


def _place(detail: ErrorDetails, written: Any) -> Place:
    """The part of pydantic's location that exists in the file: it names union members as well."""
    place: list[str | int] = []
    parts = [part for part in detail["loc"] if part != "[key]"]
    for index, part in enumerate(parts):
        inner = below(written, part)
        exists = isinstance(written, dict) and part in written
        if exists or (isinstance(written, list) and isinstance(part, int)):
            place.append(part)
            written = inner
        elif detail["type"] == "missing" and index == len(parts) - 1:
            place.append(part)
    return tuple(place)


def _message(detail: ErrorDetails, place: Place, struct: type[BaseModel], written: Any, *, is_secret: bool) -> str:
    kind, context, got = detail["type"], detail.get("ctx", {}), detail["input"]
    if is_secret and kind != "missing":
        return f"expected {_PATTERNS[REFERENCE]}, got something else (a secret's value has no place in this file)"
    if kind == "extra_forbidden":
        return _unknown_key(str(place[-1]), keys_around(place, struct, written))
    if kind == "missing":
        return "expected this key, got none"
    if kind in {"literal_error", "union_tag_invalid"}:
        expected = str(context.get("expected") or context.get("expected_tags"))
        found = got if kind == "literal_error" else context.get("tag")
        words = re.findall(r"'([^']*)'", expected)
        return f"expected {expected}, got {found!r}{did_you_mean(str(found), words)}"
    if kind == "union_tag_not_found":
        return "expected a key `kind`, got none"
    if kind == "value_error":
        return str(context.get("error"))
    if kind == "string_pattern_mismatch":
        return f"expected {_PATTERNS.get(str(context.get('pattern')), context.get('pattern'))}, got {_short(got)}"
    if kind in {"too_short", "too_long"}:
        bound = (
            f"at least {context.get('min_length')}" if kind == "too_short" else f"at most {context.get('max_length')}"
        )
        return f"expected {bound} entries, got {context.get('actual_length')}"
    if kind in _SENTENCES:
        return f"expected {_SENTENCES[kind].format(**context)}, got {_short(got)}"
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, got {_short(got)}"


def keys_around(place: Place, struct: type[BaseModel], written: Any) -> list[str]:
    """The keys that may stand beside the last part of `place`."""
    structs = structs_at(struct, place[:-1], written)
    return list(dict.fromkeys(key for each in structs for key in keys_of(each)))


def _unknown_key(key: str, known: list[str]) -> str:
    expected = f": expected one of {', '.join(known)}" if known else ""
    return f"unknown key {key!r}{expected}{did_you_mean(key, known)}"


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_PATTERNS = {
    CAMERA_ID: "a camera id of a-z, 0-9, - and _ such as dock-03",
    NAME: "a name of letters, digits, - and _",
    REFERENCE: "${env:NAME} or ${file:PATH}",
    r"^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$": "days such as mon-fri or sun",
    r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d$": 'hours such as "06:00-22:00"',
    r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$": "an address and port such as 127.0.0.1:9090",
}

_SENTENCES = {
    "string_type": "text (in quotes where it looks like a number)",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "tuple_type": "a list",
    "list_type": "a list",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
