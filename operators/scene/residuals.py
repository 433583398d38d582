"""What a camera's metres are worth: vehicles that stopped at known distances, and what was read of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import numpy as np

from operators.scene.config import Line, ViewConfig

MIN_READINGS = 5
"""Of one stop: fewer tell no jitter."""
MIN_CORRECTION_METRES = 0.3
"""A head that was fitted at the view errs by this much from one kind of vehicle to the next: an offset below it is as
likely to be the vehicle's as the camera's. Source: own measurements, docs/metres.md."""
PROVEN_SHARE = 0.5
"""A correction must leave at most this much of the error of vehicles that it was not made from."""
MIN_VEHICLES = 2
"""That must have stopped. Source: own measurements: what one vehicle proved at all its stops made others worse."""
APART_METRES = 1.0
"""Stops nearer to each other say nothing of how the error goes with the distance."""
_SHARES = np.linspace(0.05, 0.95, 10)
"""So that each stop weighs the same, however many readings it has."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A vehicle that stood at a known distance from a line."""

    line: str
    floor: Line
    """Where the line lay."""
    known_metres: float
    readings_metres: tuple[float, ...]
    """Of single frames, in their order, without any correction."""
    contact_metres: float | None
    """Median of the distance from where it meets the floor: a diagnosis."""
    measured_at: str
    """UTC, such as `2026-03-01T09:30:00Z`."""
    vehicle: str = "vehicle"
    """Which one, such as `forklift-7`."""

    @property
    def measured_metres(self) -> float:
        """Median of the readings."""
        return float(np.median(self.readings_metres))

    @property
    def residual_metres(self) -> float:
        """Measured less known: positive where it reads too far, which alarms late."""
        return self.measured_metres - self.known_metres

    @property
    def jitter_metres(self) -> float:
        """One standard deviation of single readings of a thing that stands still; half the span of its middle 68 %."""
        low, high = np.percentile(self.readings_metres, (15.87, 84.13))
        return float(high - low) / 2


@dataclass(frozen=True, slots=True)
class MeasuredMetres:
    """The drive-ins of one camera, and what was concluded of them when they were stored."""

    fingerprint: str
    """Of depth head and view that read them; see `metres_fingerprint`."""
    stops: tuple[Stop, ...]
    jitter_metres: float
    """One standard deviation of single readings, over all stops."""
    offsets_metres: Mapping[str, float] = field(default_factory=dict[str, float])
    """By line: what to take off a distance. Only lines for which it is proven."""
    is_fitted_here: bool = False
    """Whether the depth head was fitted at this view, which no offset can improve."""
    version: str = ""
    """As it lies in the artefact store, such as `metres/dock-03@2`."""

    def of_line(self, line: str) -> tuple[Stop, ...]:
        """Stops before one line."""
        return tuple(stop for stop in self.stops if stop.line == line)

    def p90_metres(self, line: str) -> float | None:
        """How much too far nine of ten readings read at most, at least 0; None: no stops before this line.

        With a correction each stop is judged by that of the other vehicles, so that none vouches for itself.
        """
        stops = self.of_line(line)
        if not stops:
            return None
        taken = _left_out(stops) if line in self.offsets_metres else [0.0] * len(stops)
        rests = [
            np.quantile(stop.readings_metres, _SHARES) - stop.known_metres - offset
            for stop, offset in zip(stops, taken, strict=True)
        ]
        return max(0.0, float(np.percentile(np.concatenate(rests), 90)))

    def to_bytes(self) -> bytes:
        """JSON, to be read by people too."""
        values = asdict(self)
        del values["version"]
        for stop, written in zip(self.stops, values["stops"], strict=True):
            written["residual_metres"] = round(stop.residual_metres, 4)
        return json.dumps({"kind": "metres", **values}, indent=1).encode()

    @staticmethod
    def from_bytes(data: bytes, version: str = "") -> MeasuredMetres:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            values = cast("dict[str, Any]", json.loads(data))
            return MeasuredMetres(
                fingerprint=values["fingerprint"],
                stops=tuple(_stop(each) for each in values["stops"]),
                jitter_metres=float(values["jitter_metres"]),
                offsets_metres={name: float(offset) for name, offset in values["offsets_metres"].items()},
                is_fitted_here=bool(values["is_fitted_here"]),
                version=version,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{version or 'this'} holds no drive-ins: {type(error).__name__}") from None


def measured(fingerprint: str, stops: Sequence[Stop], *, is_fitted_here: bool = False) -> MeasuredMetres:
    """Concludes from stops: the jitter, and for which lines a constant correction is proven.

    Args:
        fingerprint: Of what read them.
        stops: All that were read alike.
        is_fitted_here: Whether the depth head was fitted at this view. It is then never corrected: what is left errs
            from one vehicle to the next, and the offset of the one that drove in made the others worse.

    Raises:
        ValueError: there is no stop, or one has too few readings.
    """
    if not stops:
        raise ValueError("expected at least one stop, got none")
    for stop in stops:
        if len(stop.readings_metres) < MIN_READINGS:
            raise ValueError(f"expected at least {MIN_READINGS} readings of a stop, got {len(stop.readings_metres)}")
    jitter = float(np.sqrt(np.mean([stop.jitter_metres**2 for stop in stops])))
    found = MeasuredMetres(fingerprint, tuple(stops), jitter, is_fitted_here=is_fitted_here)
    if is_fitted_here:
        return found
    offsets = {line: proven_offset(found.of_line(line)) for line in dict.fromkeys(stop.line for stop in stops)}
    return replace(found, offsets_metres={line: offset for line, offset in offsets.items() if offset is not None})


def proven_offset(stops: Sequence[Stop]) -> float | None:
    """The mean residual of all vehicles, where it is proven to help one that it was not made from.

    The stops of each vehicle are corrected by the mean residual of the other vehicles (leave one out): what one vehicle
    is off at all its stops may be its own. Proven: at least two vehicles, stops that lie apart, no small offset, and at
    most half of the error left.
    """
    if len(_by_vehicle(stops)) < MIN_VEHICLES or np.ptp([stop.known_metres for stop in stops]) < APART_METRES:
        return None
    offset = float(np.mean(list(_by_vehicle(stops).values())))
    raw = float(np.mean([abs(stop.residual_metres) for stop in stops]))
    is_proven = abs(offset) >= MIN_CORRECTION_METRES and left_out_error_metres(stops) <= PROVEN_SHARE * raw
    return offset if is_proven else None


def left_out_error_metres(stops: Sequence[Stop]) -> float:
    """Mean error of stops that are each corrected by the other vehicles; of at least two vehicles."""
    return float(np.mean([abs(stop.residual_metres - off) for stop, off in zip(stops, _left_out(stops), strict=True)]))


def _left_out(stops: Sequence[Stop]) -> list[float]:
    """For each stop the mean residual of all other vehicles."""
    means = _by_vehicle(stops)
    rest = {name: float(np.mean([mean for each, mean in means.items() if each != name])) for name in means}
    return [rest[stop.vehicle] for stop in stops]


def _by_vehicle(stops: Sequence[Stop]) -> dict[str, float]:
    """Mean residual of each vehicle."""
    names = dict.fromkeys(stop.vehicle for stop in stops)
    return {name: float(np.mean([stop.residual_metres for stop in stops if stop.vehicle == name])) for name in names}


def drift_metres(readings_metres: Sequence[float]) -> float:
    """How far the last third of readings lies from the first third: of a thing that stands still, about nothing."""
    third = max(1, len(readings_metres) // 3)
    return float(np.median(readings_metres[-third:]) - np.median(readings_metres[:third]))


def step_noise_metres(readings_metres: Sequence[float]) -> float:
    """One standard deviation of single readings, from the steps between them: it is blind to a steady drift."""
    steps = np.diff(readings_metres)
    return float(1.4826 * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2)) if steps.size else 0.0


def metres_fingerprint(head: bytes, view: ViewConfig) -> str:
    """sha256 of what makes metres of tokens: the depth head, which names its backbone, and how the camera hangs."""
    return hashlib.sha256(head + b"\0" + view.model_dump_json().encode()).hexdigest()


def _stop(values: dict[str, Any]) -> Stop:
    floor: Any = values["floor"]
    return Stop(
        line=values["line"],
        floor=floor if floor == "here" else (tuple(floor[0]), tuple(floor[1])),
        known_metres=float(values["known_metres"]),
        readings_metres=tuple(float(each) for each in values["readings_metres"]),
        contact_metres=values["contact_metres"],
        measured_at=values["measured_at"],
        vehicle=values["vehicle"],
    )
