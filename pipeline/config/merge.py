"""Camera = defaults, then its profile, then its own map: maps merge, lists and plain values replace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from pipeline.config.document import Document
from pipeline.config.problems import Place


class Merged(Document):
    """One camera's map and, for each part of it (by its place inside the camera), where it was written."""


def merge_layers(document: Document, layers: tuple[Place, ...]) -> Merged:
    """Lays maps of the document over each other, the last one on top; missing ones are left out."""
    merged = Merged({})
    for layer in layers:
        found = _at(document.value, layer)
        if layer in document.marks:
            merged.marks[()] = document.marks[layer]
        if isinstance(found, dict):
            _lay(merged, cast("dict[str, Any]", found), document, layer, ())
    merged.marks.setdefault((), document.mark(layers[-1]))
    return merged


def _at(value: Any, place: Place) -> Any:
    for part in place:
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, Any]", value).get(str(part))
    return value


def _lay(merged: Merged, over: dict[str, Any], document: Document, layer: Place, place: Place) -> None:
    target: dict[str, Any] = merged.value
    for part in place:
        target = target[str(part)]
    for key, value in over.items():
        inner = (*place, key)
        if isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                _forget(merged, inner)
                target[key] = {}
            merged.marks[inner] = document.mark((*layer, *inner))
            _lay(merged, cast("dict[str, Any]", value), document, layer, inner)
        else:
            _forget(merged, inner)
            target[key] = value
            for each in _places(value, inner):
                merged.marks[each] = document.mark((*layer, *each))


def _places(value: Any, place: Place) -> Iterator[Place]:
    yield place
    if isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _places(item, (*place, index))


def _forget(merged: Merged, place: Place) -> None:
    for marked in [each for each in merged.marks if each[: len(place)] == place]:
        del merged.marks[marked]
