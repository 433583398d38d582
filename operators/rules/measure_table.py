"""The closed table of measures: one number per camera and frame, with a unit.

A rule names one, such as `distance_to(dock)` or `camera_depth(apron).p05`. A new measure is one entry of `MEASURES`,
one function in `operators/rules/measures.py`, its tests and its line in the docs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from operators.spelling import did_you_mean

Argument = Literal["line", "zone", "head", "head.class"]

_GRAMMAR = re.compile(r"^\s*([a-z_]+)\s*(?:\(([^()]*)\))?\s*(?:\.\s*(\w+))?\s*$")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
_CLASS = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_' -]*$")
"""As published heads write them: `traffic light`, `carpenter's kit`."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a camera must have for a measure to be read."""

    heads: tuple[str, ...] = ()
    """Names under `heads:`."""
    zones: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    subjects: bool = False
    """The learnt empty view."""
    depth: bool = False
    """A head that gives metres, and the camera's field of view."""


@dataclass(frozen=True, slots=True)
class MeasureKind:
    """One row of the closed table."""

    signature: str
    doc: str
    unit: str
    """`m`, or empty for counts, shares and cosines."""
    arguments: tuple[Argument, ...]
    has_percentile: bool = False
    subjects: bool = False
    depth: bool = False
    is_built: bool = True


MEASURES: dict[str, MeasureKind] = {
    "distance_to": MeasureKind(
        "distance_to(LINE)",
        "Metres on the floor from the line to the nearest visible part of the nearest subject.",
        "m",
        ("line",),
        subjects=True,
        depth=True,
    ),
    "count_in": MeasureKind(
        "count_in(ZONE)",
        "How many subjects touch the zone. Needs no `view` and no depth head: what looks new counts then.",
        "",
        ("zone",),
        subjects=True,
    ),
    "camera_depth": MeasureKind(
        "camera_depth(ZONE).p05|pNN|median",
        "Percentile of the depth along the optical axis over the zone: from the camera, not on the floor.",
        "m",
        ("zone",),
        has_percentile=True,
        depth=True,
    ),
    "score": MeasureKind(
        "score(HEAD.CLASS)",
        "Score of a class for the whole frame, 0..1; 0 where the frame is unknown to the bank or empty.",
        "",
        ("head.class",),
    ),
    "share_of": MeasureKind(
        "share_of(HEAD.CLASS, ZONE)",
        "Share of the zone's patches that a segmenting head gives to the class, 0..1.",
        "",
        ("head.class", "zone"),
    ),
    "similarity": MeasureKind(
        "similarity(HEAD)", "Cosine to the nearest of the head's wanted pictures, -1..1.", "", ("head",)
    ),
    "novelty": MeasureKind("novelty", "How unlike everything seen before the frame is, 0..1.", "", (), is_built=False),
}


@dataclass(frozen=True, slots=True)
class MeasureSpec:
    """A parsed measure."""

    name: str
    args: tuple[str, ...]
    """As written, `head.class` in two parts: `score(vehicles.truck)` has `("vehicles", "truck")`."""
    percentile: float | None
    """0..100, of `camera_depth`."""
    unit: str
    needs: Needs
    is_built: bool

    def __str__(self) -> str:
        return _written(self)


def parse_measure(text: str) -> MeasureSpec:
    """Reads `name(arguments).percentile`.

    Raises:
        ValueError: no such measure (the nearest name is given), wrong arguments or a wrong percentile.
    """
    found = _GRAMMAR.match(text)
    if found is None:
        msg = f"expected a measure such as distance_to(dock), got {text!r}"
        raise ValueError(msg)
    name, inner, suffix = found[1], found[2] or "", found[3]
    kind = MEASURES.get(name)
    if kind is None:
        msg = f"expected one of the measures {', '.join(MEASURES)}, got {name!r}{did_you_mean(name, MEASURES)}"
        raise ValueError(msg)
    written = [part.strip() for part in inner.split(",")] if inner.strip() else []
    if len(written) != len(kind.arguments):
        msg = f"expected {kind.signature}, got {text!r}"
        raise ValueError(msg)
    args: list[str] = []
    needs: dict[str, tuple[str, ...]] = {}
    for argument, value in zip(kind.arguments, written, strict=True):
        parts = value.split(".") if argument == "head.class" else [value]
        forms = (_NAME, _CLASS)[: argument.count(".") + 1]
        if len(parts) != len(forms) or not all(form.match(part) for form, part in zip(forms, parts, strict=True)):
            msg = f"expected {kind.signature}, got {value!r} for {argument.upper()} in {text!r}"
            raise ValueError(msg)
        args.extend(parts)
        needs[f"{argument.partition('.')[0]}s"] = (parts[0],)
    return MeasureSpec(
        name=name,
        args=tuple(args),
        percentile=_percentile(text, kind, suffix),
        unit=kind.unit,
        needs=Needs(**needs, subjects=kind.subjects, depth=kind.depth),
        is_built=kind.is_built,
    )


def _percentile(text: str, kind: MeasureKind, suffix: str | None) -> float | None:
    if not kind.has_percentile:
        if suffix is not None:
            msg = f"expected {kind.signature} without a percentile, got {text!r}"
            raise ValueError(msg)
        return None
    if suffix == "median":
        return 50.0
    digits = re.fullmatch(r"p(\d{2})", suffix or "")
    if digits is None:
        msg = f"expected {kind.signature}, such as camera_depth(apron).p05, got {text!r}"
        raise ValueError(msg)
    return float(digits[1])


def _written(spec: MeasureSpec) -> str:
    arguments = MEASURES[spec.name].arguments
    remaining = list(spec.args)
    shown = [".".join(remaining.pop(0) for _ in argument.split(".")) for argument in arguments]
    inner = f"({', '.join(shown)})" if shown else ""
    percent = "" if spec.percentile is None else ".median" if spec.percentile == 50 else f".p{spec.percentile:02.0f}"
    return f"{spec.name}{inner}{percent}"
