"""Quantities as people write them: `600ms`, `256MiB`, `74deg`, `3.4m`, and the comparison `< 3.0 m`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NUMBER = r"[-+]?\d+(?:\.\d+)?"


def _quantity(text: object, units: dict[str, float] | dict[str, int], what: str, example: str) -> float:
    found = re.fullmatch(rf"({_NUMBER})\s*([A-Za-z]+)", text.strip()) if isinstance(text, str) else None
    if found is None or found[2] not in units:
        known = ", ".join(units)
        msg = f"expected {what} with a unit ({known}) such as {example}, got {text!r}"
        raise ValueError(msg)
    return float(found[1]) * units[found[2]]


def parse_seconds(text: object) -> float:
    """`5s`, `600ms`, `30m`, `2h`, `1d` to seconds."""
    if type(text) is float:  # from code; a number in a file has its own type and needs a unit
        return text
    seconds = _quantity(text, _SECONDS, "a duration", "5s")
    if seconds < 0:
        msg = f"expected a duration of at least 0, got {text!r}"
        raise ValueError(msg)
    return seconds


def parse_bytes(text: object) -> int:
    """`256MiB` to bytes."""
    if type(text) is int and text > 4096:  # from code, likewise
        return text
    return int(_quantity(text, _BYTES, "a size", "256MiB"))


def parse_degrees(text: object) -> float:
    """`74deg` to degrees."""
    if type(text) is float:  # from code; a number in a file has its own type and needs a unit
        return text
    return _quantity(text, {"deg": 1.0}, "an angle", "74deg")


def parse_metres(text: object) -> float:
    """`3.4m` or `340cm` to metres."""
    if type(text) is float:  # from code; a number in a file has its own type and needs a unit
        return text
    return _quantity(text, {"m": 1.0, "cm": 0.01}, "a length", "3.4m")


def parse_size(text: object) -> tuple[int, int]:
    """`224x392` to (height, width)."""
    if isinstance(text, (tuple, list)) and len(text) == 2:
        return (int(text[0]), int(text[1]))
    found = re.fullmatch(r"(\d+)x(\d+)", text.strip()) if isinstance(text, str) else None
    if found is None:
        msg = f"expected height x width such as 224x392, got {text!r}"
        raise ValueError(msg)
    return (int(found[1]), int(found[2]))


def _text(pattern_example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "examples": [pattern_example]})


Seconds = Annotated[float, BeforeValidator(parse_seconds), _text("5s")]
ByteSize = Annotated[int, BeforeValidator(parse_bytes), _text("256MiB")]
Degrees = Annotated[float, BeforeValidator(parse_degrees), _text("74deg")]
Metres = Annotated[float, BeforeValidator(parse_metres), _text("3.4m")]
Size = Annotated[tuple[int, int], BeforeValidator(parse_size), _text("224x392")]

Comparator = Literal["<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One side of a rule: `< 3.0 m`. `unit` is empty for counts and shares."""

    comparator: Comparator
    value: float
    unit: str = ""

    def holds(self, value: float) -> bool:
        """Whether `value` satisfies the comparison; NaN never does."""
        match self.comparator:
            case "<":
                return value < self.value
            case "<=":
                return value <= self.value
            case ">":
                return value > self.value
            case _:
                return value >= self.value

    @property
    def points_down(self) -> bool:
        """True for `<` and `<=`."""
        return self.comparator in {"<", "<="}

    def __str__(self) -> str:
        return f"{self.comparator} {self.value:g} {self.unit}".rstrip()


def parse_threshold(text: object) -> Threshold:
    """`"< 3.0 m"`, `">= 1"`, `"> 0.8"`, `"> 20 %"` (becomes 0.2)."""
    if isinstance(text, Threshold):
        return text
    found = re.fullmatch(rf"(<=|>=|<|>)\s*({_NUMBER})\s*(m|cm|%)?", text.strip()) if isinstance(text, str) else None
    if found is None:
        msg = f'expected a comparison such as "< 3.0 m" or ">= 1", got {text!r}'
        raise ValueError(msg)
    value, unit = float(found[2]), found[3] or ""
    if unit == "cm":
        value, unit = value / 100, "m"
    if unit == "%":
        value, unit = value / 100, ""
    return Threshold(found[1], value, unit)  # pyright: ignore[reportArgumentType]


Comparison = Annotated[Threshold, BeforeValidator(parse_threshold), _text("< 3.0 m")]
