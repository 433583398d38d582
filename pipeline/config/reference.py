"""The configuration reference as Markdown, from the structs and their docstrings, so that it cannot go stale."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from operators.rules.measures import MEASURES
from operators.units import (
    Threshold,
    parse_bytes,
    parse_degrees,
    parse_metres,
    parse_seconds,
    parse_size,
    parse_threshold,
)
from pipeline.config.fields import options
from pipeline.config.schema import CameraConfig, Grammar, Sections
from pipeline.config.written import written

_UNITS = {
    parse_seconds: "duration",
    parse_bytes: "size",
    parse_degrees: "angle",
    parse_metres: "length",
    parse_size: "height x width",
    parse_threshold: "comparison",
}
_HEAD = """\
# Configuration

Made by `python main.py docs` from the code; do not edit.

One YAML file, or a folder: its `*.yaml` hold the sections, and `cameras/ID.yaml` the map of one camera each.
A camera is made of `defaults`, then its profile, then its own map: maps merge, lists and plain values replace, `null`
takes away. `python main.py config show FILE CAMERA --origin` says where each value comes from,
`python main.py validate FILE` everything that is wrong, `python main.py schema` gives JSON Schema for editors.

Quantities carry their unit: durations `ns us ms s m h d` (`600ms`), sizes `B KB MB GB KiB MiB GiB` (`256MiB`), lengths
`m cm` (`3.4m`), angles `deg` (`74deg`). Words that look like numbers or booleans are quoted. Anchors, `<<`, tabs,
`yes/no/on/off` and duplicate keys are errors.
"""
"""Above the tables."""


def reference() -> str:
    """The whole page."""
    parts = [_HEAD, _section("", Sections, extra=_cameras_rows()), _section("cameras: ID", CameraConfig)]
    seen: set[type[BaseModel]] = {Sections, CameraConfig, Grammar}
    for struct in (Sections, CameraConfig):
        parts.extend(_below(struct, "" if struct is Sections else "cameras: ID: ", seen))
    return "\n".join([*parts, _measures()])


def _cameras_rows() -> list[str]:
    rows = ("defaults", "profiles", "cameras")
    return [_row(name, Grammar.model_fields[name]) for name in rows]


def _below(struct: type[BaseModel], prefix: str, seen: set[type[BaseModel]]) -> Iterator[str]:
    for name, info in struct.model_fields.items():
        for part, inner in _structs(info.annotation, info.alias or name):
            if inner not in seen:
                seen.add(inner)
                yield _section(f"{prefix}{part}", inner)
                yield from _below(inner, f"{prefix}{part}: ", seen)


def _structs(annotation: Any, name: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for option in options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            kind = option.model_fields.get("kind")
            yield (f"{name} (kind: {get_args(kind.annotation)[0]})" if kind else name), option
        elif get_origin(option) is dict:
            yield from _structs(get_args(option)[1], f"{name}: NAME")
        elif get_origin(option) is tuple:
            yield from _structs(get_args(option)[0], name)


def _section(title: str, struct: type[BaseModel], extra: list[str] | None = None) -> str:
    rows = [_row(info.alias or name, info) for name, info in struct.model_fields.items()] + (extra or [])
    head = ["| key | value | default | |", "|---|---|---|---|"]
    heading = f"## `{title}`" if title else "## The file"
    return "\n".join([f"{heading}\n", f"{_one_line(struct.__doc__)}\n", *head, *rows, ""])


def _row(name: str, info: FieldInfo) -> str:
    kind = " or ".join(dict.fromkeys(_words(info.annotation, tuple(info.metadata))))
    return f"| `{name}` | {kind} | {_default(info)} | {_one_line(info.description)} |"


def _words(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[str]:
    unit = next((_UNITS[each.func] for each in metadata if getattr(each, "func", None) in _UNITS), None)
    if unit:
        yield unit
        return
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from _words(inner, tuple(more))
        return
    if get_origin(annotation) in {Union, types.UnionType}:
        for each in get_args(annotation):
            if each is not type(None):
                yield from _words(each)
        return
    yield _word(annotation, metadata)


def _word(annotation: Any, metadata: tuple[Any, ...]) -> str:
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if origin is dict:
        return f"map of {_many(arguments[1])}"
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"list of {_many(arguments[0])}".replace("list of list", "list of lists")
    if origin is tuple:
        return "pair" if len(arguments) == 2 else f"list of {len(arguments)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "map"
    if any(isinstance(each, StringConstraints) for each in metadata):
        return "text"
    return {str: "text", int: "whole number", float: "number", bool: "true or false", Threshold: "comparison"}.get(
        annotation, "value"
    )


def _many(annotation: Any) -> str:
    words = list(dict.fromkeys(_words(annotation)))
    return " or ".join(f"{word}s" if word in {"map", "number", "duration", "pair"} else word for word in words)


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True) if info.default is PydanticUndefined else info.default
    if value is None or isinstance(value, BaseModel) or value in ({}, ()):
        return ""
    shown = written(value, info.metadata)
    if isinstance(shown, list):
        return f"`[{', '.join(str(each) for each in cast('list[Any]', shown))}]`"
    return f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").split())


def _measures() -> str:
    rows = [
        f"| `{kind.signature.replace('|', ' or ')}` | {kind.unit or '-'} | {kind.doc}"
        f"{'' if kind.is_built else ' Not built yet.'} |"
        for kind in MEASURES.values()
    ]
    head = ["## Measures of rules\n", "| measure | unit | |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])
