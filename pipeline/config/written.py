"""Values as people write them in the file: `600ms`, `256MiB`, `74deg`, `224x392`, `< 3 m`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from pydantic import BaseModel

from operators.units import Threshold, parse_bytes, parse_degrees, parse_metres, parse_seconds

_SECONDS = (("d", 86400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001))
_BYTES = (("GiB", 2**30), ("MiB", 2**20), ("MB", 10**6), ("KiB", 2**10), ("B", 1))


def written(value: Any, metadata: Iterable[Any] = ()) -> Any:
    """Plain maps, lists, text and numbers that `load_config` reads back as `value`; what is not set is left out.

    Args:
        value: Of a configuration struct, or the struct.
        metadata: Of its field: tells a duration from a number.
    """
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        pairs = ((info.alias or name, getattr(value, name), info.metadata) for name, info in fields)
        return {name: written(each, about) for name, each, about in pairs if each is not None}
    if isinstance(value, dict):
        return {str(name): written(each) for name, each in cast("dict[Any, Any]", value).items()}
    if isinstance(value, tuple):
        items = cast("tuple[Any, ...]", value)
        if len(items) == 2 and all(type(each) is int for each in items):
            return f"{items[0]}x{items[1]}"
        return [written(each) for each in items]
    if isinstance(value, Threshold):
        return str(value)
    return _quantity(value, {getattr(each, "func", None) for each in metadata})


def _quantity(value: Any, parsers: set[Any]) -> Any:
    if parse_seconds in parsers:
        return _largest(value, _SECONDS)
    if parse_bytes in parsers:
        return _largest(value, _BYTES)
    if parse_degrees in parsers:
        return f"{value:.10g}deg"
    if parse_metres in parsers:
        return f"{value:.10g}m"
    return value


def _largest(value: float, units: tuple[tuple[str, float], ...]) -> str:
    """In the largest unit that leaves a whole number, else in the smallest."""
    for unit, size in units:
        count = round(value / size)
        if count and abs(count * size - value) < 1e-9:
            return f"{count}{unit}"
    return f"{value:.10g}s" if units is _SECONDS else f"{value:.0f}B"
