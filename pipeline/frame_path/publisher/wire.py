"""Values to bytes and back: tensors, results, CloudEvents attributes, JSON Schema."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import numpy as np

from operators.frames import Placement, Ticket, Times
from operators.results import Depth, InverseDepth, Label, ModelInfo, Segments, Subject
from operators.run_lengths import run_lengths
from operators.zones import zone_mask
from pipeline.frame_path.publisher.wire_result import (
    Array,
    WireDepth,
    WireDistance,
    WireInverseDepth,
    WireLabel,
    WireMask,
    WireModel,
    WirePlacement,
    WireSegments,
    WireSubject,
    WireTimes,
    WireWords,
)
from pipeline.frame_path.publisher.wire_schema import BODIES
from pipeline.frame_path.publisher.wire_version import MAJOR
from pipeline.messages import Kind, Message

_ENCODER = msgspec.json.Encoder(order="deterministic")
_FLOAT16 = np.dtype("<f2")


def encode_array(values: np.ndarray) -> Array:
    """Any float array as little-endian float16 in base64; NaN stays NaN."""
    data = np.ascontiguousarray(values, dtype=_FLOAT16)
    return Array("float16", list(values.shape), base64.b64encode(data.tobytes()).decode("ascii"))


def decode_array(array: Mapping[str, Any] | Array) -> np.ndarray:
    """The tensor of an `{dtype, shape, data}` as it stands on the wire, writable, in this machine's byte order.

    Raises:
        ValueError: another dtype, or data that does not fill the shape.
    """
    fields = cast("Mapping[str, Any]", msgspec.to_builtins(array) if isinstance(array, Array) else array)
    if fields["dtype"] != "float16":
        msg = f"cannot decode array: expected dtype float16, got {fields['dtype']!r}"
        raise ValueError(msg)
    values = np.frombuffer(base64.b64decode(fields["data"]), dtype=_FLOAT16).astype(np.float16)
    shape = tuple(fields["shape"])
    if values.size != math.prod(shape):
        msg = f"cannot decode array: expected {math.prod(shape)} values for shape {shape}, got {values.size}"
        raise ValueError(msg)
    return values.reshape(shape)


def wire_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of every event's body: one definition per struct, `events` maps types to them."""
    kinds = sorted(BODIES)
    refs, definitions = msgspec.json.schema_components([BODIES[kind] for kind in kinds], ref_template="#/$defs/{name}")
    events = {event_type(kind): ref for kind, ref in zip(kinds, refs, strict=True)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dinostream events",
        "anyOf": [{"$ref": ref} for ref in sorted({ref["$ref"] for ref in refs})],
        "events": events,
        "$defs": definitions,
    }


def event_type(kind: str) -> str:
    """CloudEvents type of `result`, `alert.start`, ..."""
    return f"dinostream.{kind}.v{MAJOR}"


def encode_event(
    body: msgspec.Struct | None,
    *,
    event_id: str,
    kind: Kind,
    event: str,
    camera: str,
    site: str,
    time_ns: int,
    key: str | None = None,
    ticket: Ticket | None = None,
) -> Message:
    """One message for the sinks.

    Args:
        body: None: a tombstone.
        event_id: `ce_id`, equal on repetition.
        kind: Decides the topic.
        event: Key of `wire_schema.BODIES`.
        camera: `ce_subject`.
        site: `ce_source` is `dinostream/SITE`.
        time_ns: `ce_time`, wall clock.
        key: Left out: the camera.
        ticket: Of a result.
    """
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"dinostream/{site}",
        "type": event_type(event),
        "subject": camera,
        "time": rfc3339(time_ns),
        "datacontenttype": "application/json",
    }
    return Message(
        id=event_id,
        kind=kind,
        type=attributes["type"],
        camera=camera,
        key=key or camera,
        attributes=attributes,
        body=b"" if body is None else _ENCODER.encode(body),
        ticket=ticket,
    )


def rfc3339(time_ns: int) -> str:
    """UTC with microseconds, such as `2026-01-31T12:00:00.000001Z`."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def wire_times(times: Times, analysed_ns: int, published_ns: int, computed_seconds: float = 0.0) -> WireTimes:
    return WireTimes(
        capture_ns=times.capture_ns,
        capture_clock=times.capture_clock,
        capture_uncertainty_ns=times.capture_uncertainty_ns,
        ingest_ns=times.ingest_ns,
        rule_time_ns=times.rule_time_ns,
        analysed_ns=analysed_ns,
        published_ns=published_ns,
        pts_ns=times.pts_ns,
        computed_seconds=round(computed_seconds, 6),
    )


def wire_placement(placement: Placement) -> WirePlacement:
    return WirePlacement(placement.source_size, placement.model_size, placement.scale, placement.offset)


def wire_model(model: ModelInfo, space: str | None, subject_space: str | None = None) -> WireModel:
    return WireModel(model.name, model.weights, model.fingerprint, space, subject_space)


def wire_depth(depth: Depth) -> WireDepth:
    return WireDepth(
        head=depth.head,
        unit="m",
        metres=encode_array(depth.metres),
        p05=finite(depth.p05),
        median=finite(depth.median),
        valid_share=float(depth.valid_share),
        is_calibrated=bool(depth.is_calibrated),
        off_recipe=depth.off_recipe or None,
    )


def wire_inverse_depth(depth: InverseDepth) -> WireInverseDepth:
    return WireInverseDepth(depth.head, encode_array(depth.values), depth.off_recipe or None)


def wire_labels(labels: Sequence[Label]) -> dict[str, WireLabel]:
    return {
        label.head: WireLabel(
            name=label.name,
            top=[(name, round(float(score), 4)) for name, score in label.top],
            is_unknown=bool(label.is_unknown),
            is_empty=bool(label.is_empty),
            off_recipe=label.off_recipe or None,
        )
        for label in labels
    }


def wire_words(labels: Sequence[Label]) -> dict[str, WireWords]:
    """By head, of those that carry the picture's vector."""
    return {
        each.head: WireWords(each.vector.space, encode_array(each.vector.values))
        for each in labels
        if each.vector is not None
    }


def wire_subject(subject: Subject, *, is_held: bool = False) -> WireSubject:
    distances = [
        WireDistance(each.line, finite(each.metres), finite(each.sigma_metres), finite(each.contact_metres))
        for each in subject.distances
    ]
    x0, y0, x1, y1 = subject.box
    return WireSubject(
        track=subject.track,
        box=(float(x0), float(y0), float(x1), float(y1)),
        patches=int(subject.mask.sum()),
        distances=distances,
        labels=wire_labels(subject.labels),
        is_held=is_held,
    )


def wire_vector(subject: WireSubject, seen: Subject) -> WireSubject:
    """The subject with its vector, where it has one."""
    vector = None if seen.embedding is None else encode_array(seen.embedding)
    return msgspec.structs.replace(subject, embedding=vector)


def wire_segments(segments: Segments, zones: Mapping[str, Sequence[tuple[float, float]]]) -> WireSegments:
    """Shares of the picture and of each zone, without the mask."""
    indices = segments.indices
    grid = (indices.shape[0], indices.shape[1])
    return WireSegments(
        shares={name: round(float(share), 4) for name, share in segments.shares},
        zones={name: _shares(segments, indices[zone_mask(polygon, grid)]) for name, polygon in zones.items()},
        off_recipe=segments.off_recipe or None,
    )


def wire_mask(segments: Segments) -> WireMask:
    """With the names of the classes that occur: a head of 150 shows a handful in a picture."""
    occurs = np.bincount(segments.indices.ravel()) > 0
    present = np.flatnonzero(occurs)
    renumbered = (np.cumsum(occurs) - 1)[segments.indices]
    return WireMask(
        shape=(segments.indices.shape[0], segments.indices.shape[1]),
        classes=[segments.classes[index] for index in present],
        runs=run_lengths(renumbered),
        class_indices=[int(index) for index in present],
    )


def _shares(segments: Segments, inside: np.ndarray) -> dict[str, float]:
    counts = np.bincount(inside, minlength=len(segments.classes))
    best = [index for index in np.argsort(-counts, kind="stable") if counts[index]]
    return {segments.classes[index]: round(float(counts[index] / inside.size), 4) for index in best}


def finite(value: float | None) -> float | None:
    """A plain float; NaN and infinity are not JSON and become null."""
    return float(value) if value is not None and math.isfinite(value) else None
