"""Changes a few keys of a YAML file and leaves every other line, comments included, as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"


def spliced(text: str, place: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """The text with the keys of `values` set in the map at `place`; maps on the way are made where they are missing.

    Args:
        text: A YAML map in block style, or nothing.
        place: Names from the top.
        values: Plain values; None: the key goes.

    Raises:
        ValueError: a map on the way is written in braces, or is no map: there is no line of its own to change.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader) if text.strip() else None
    if node is None:
        return _with_newline(text) + _block(_nested(place, values), 0)
    for depth, name in enumerate(place):
        inner = _child(_as_block(node, place[:depth]), name)
        if inner is None:
            return _set(text, _as_block(node, place[:depth]), {name: _nested(place[depth + 1 :], values)})
        node = inner
    return _set(text, _as_block(node, place), values)


def _nested(place: tuple[str, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    for name in reversed(place):
        inner = {name: inner}
    return inner


def _as_block(node: yaml.Node, place: tuple[str, ...]) -> yaml.MappingNode:
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        where = ".".join(("$", *place))
        raise ValueError(f"{where} is written in braces or is no map: expected one key a line, to change some of them")
    return node


def _child(node: yaml.MappingNode, name: str) -> yaml.Node | None:
    return next((value for key, value in node.value if key.value == name), None)


def _set(text: str, node: yaml.MappingNode, values: Mapping[str, Any]) -> str:
    """Replaces from the last key to the first, so that places of earlier ones stay right; new keys go to the end."""
    indent = node.start_mark.column
    spans = {key.value: (key.start_mark.index, _end(value)) for key, value in node.value}
    end = max(stop for _, stop in spans.values())
    new = {name: value for name, value in values.items() if name not in spans and value is not None}
    if new:
        end += len(text[end:].partition("\n")[0])  # a comment behind the last value stays with it
        text = _with_newline(text[:end]) + _block(new, indent) + text[end:].removeprefix("\n")
    for name in sorted(spans.keys() & values.keys(), key=lambda each: -spans[each][0]):
        start, stop = spans[name]
        value = values[name]
        if value is None:
            text = text[: start - indent] + text[stop:].removeprefix("\n")
        else:
            text = text[:start] + _block({name: value}, indent).strip() + text[stop:]
    return text


def _end(value: yaml.Node) -> int:
    """Behind the last character of a value: a block's own end lies behind the blank lines and comments that follow."""
    if isinstance(value, yaml.MappingNode) and not value.flow_style and value.value:
        return _end(value.value[-1][1])
    if isinstance(value, yaml.SequenceNode) and not value.flow_style and value.value:
        return _end(value.value[-1])
    return value.end_mark.index


class _Dumper(yaml.SafeDumper):
    """Maps of maps with one key a line, lists on one line: as people write polygons."""


_Dumper.add_representer(list, lambda dumper, each: dumper.represent_sequence(f"{_TAG}seq", each, flow_style=True))


def _block(values: Mapping[str, Any], indent: int) -> str:
    text = yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110)
    return "".join(f"{' ' * indent}{line}" for line in text.splitlines(keepends=True))


def _with_newline(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
