"""Walks the configuration structs: which keys a place may have."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel

from pipeline.config.problems import Place


def options(annotation: Any) -> Iterator[Any]:
    """The alternatives of a type: `X | None` gives both, `Annotated` gives what it wraps."""
    if get_origin(annotation) is Annotated:
        yield from options(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType}:
        for each in get_args(annotation):
            yield from options(each)
    else:
        yield annotation


def structs_at(annotation: Any, place: Place, written: Any) -> list[type[BaseModel]]:
    """The structs that may stand at `place` below `annotation`; `written` (what the file has) picks by its `kind`."""
    found: list[type[BaseModel]] = []
    for option in options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            found.extend(_in_struct(option, place, written))
        elif place and get_origin(option) in {dict, tuple, list}:
            inner = get_args(option)[1 if get_origin(option) is dict else 0]
            found.extend(structs_at(inner, place[1:], below(written, place[0])))
    return found


def _in_struct(struct: type[BaseModel], place: Place, written: Any) -> list[type[BaseModel]]:
    if not place:
        return [struct] if _kind_fits(struct, written) else []
    for name, info in struct.model_fields.items():
        if place[0] == (info.alias or name):
            return structs_at(info.annotation, place[1:], below(written, place[0]))
    return []


def _kind_fits(struct: type[BaseModel], written: Any) -> bool:
    if not isinstance(written, dict) or "kind" not in struct.model_fields:
        return True
    return cast("dict[str, Any]", written).get("kind") in get_args(struct.model_fields["kind"].annotation)


def structs_of(annotation: Any) -> dict[type[BaseModel], None]:
    """Every struct below `annotation`, itself included, each once, in the order of the fields."""
    found: dict[type[BaseModel], None] = {}
    open_ends = [annotation]
    while open_ends:
        for option in options(open_ends.pop(0)):
            if isinstance(option, type) and issubclass(option, BaseModel):
                if option not in found:
                    found[option] = None
                    open_ends.extend(info.annotation for info in option.model_fields.values())
            elif get_origin(option) in {dict, tuple}:
                open_ends.extend(each for each in get_args(option) if each is not Ellipsis)
    return found


def keys_of(struct: type[BaseModel]) -> list[str]:
    """Names as written in the file."""
    return [info.alias or name for name, info in struct.model_fields.items()]


def below(value: Any, part: str | int) -> Any:
    """`value[part]`, or None."""
    if isinstance(value, dict):
        return cast("dict[Any, Any]", value).get(part)
    if isinstance(value, list) and isinstance(part, int):
        items = cast("list[Any]", value)
        return items[part] if part < len(items) else None
    return None
