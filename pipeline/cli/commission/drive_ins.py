"""Drive-ins while a camera is set up: a vehicle stops where somebody measured, and is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from operators.rules.config import RuleConfig
from operators.rules.margins import margin_metres, takes_margin
from operators.scene.residuals import MeasuredMetres
from pipeline.cli.app import UserError
from pipeline.cli.camera_model import Fitted
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.commission.step_state import StopAsked, Told
from pipeline.cli.drive_in.measuring import Reader, UnsteadyError, read_stop, store_stops
from pipeline.cli.drive_in.pictures import FPS, Span, stop_pictures
from pipeline.cli.drive_in.report import conclusion, rule_lines

STOP_SECONDS = 10.0
NOT_MEASURED = (
    "not measured: how far distances are off is not known, nor their jitter. Rules start at the metres as "
    "written (`margin: auto` is 0 m), so a vehicle that reads too far alarms late"
)


@dataclass(frozen=True, slots=True)
class StopRow:
    """One stop, for people."""

    number: int
    """As `forget` counts them, from 1."""
    line: str
    known: str
    read: str
    off: str
    scatter: str
    vehicle: str
    measured_at: str


def measure_stop(
    fitted: Fitted, camera: Camera, asked: StopAsked, span: tuple[float, float] | None, told: Told
) -> MeasuredMetres:
    """Opens the camera, reads the vehicle that stands before it, and stores the stop with those before it.

    Raises:
        UserError: the camera fails, or what it shows is no standing vehicle; nothing is stored then.
    """
    if camera.source.file is not None and span is None:
        raise UserError(
            "of a file, say where the vehicle stands: expected from and to, such as 1:02 and 1:12, got none"
        )
    count = round((STOP_SECONDS if span is None else span[1] - span[0]) * FPS)

    def seen(number: int, metres: float | None) -> None:
        told("nobody before the empty view" if metres is None else f"reading {metres:.2f} m", min(number, count), count)

    floor = fitted.spec.lines[asked.line]
    pictures = stop_pictures(
        camera, (asked.line, floor), asked.vehicle, asked.known_metres,
        seconds=STOP_SECONDS, span=Span(*span) if span else None,
    )  # fmt: skip
    try:
        reader = Reader.of(fitted.model, fitted.analyzer, camera.name)
        stop = read_stop(reader, pictures, asked.line, asked.known_metres, vehicle=asked.vehicle, told=seen)
    except UnsteadyError as error:
        raise UserError(f"at {asked.known_metres:g} m: {error}. Nothing was stored", 1) from None
    except ValueError as error:
        raise UserError(str(error), 3) from None
    return store_stops(reader, [stop])


def stop_rows(metres: MeasuredMetres | None) -> list[StopRow]:
    """Nearest first."""
    rows = [
        StopRow(
            number, stop.line, f"{stop.known_metres:.2f} m", f"{stop.measured_metres:.2f} m",
            f"{stop.residual_metres:+.2f} m", f"{stop.jitter_metres:.2f} m", stop.vehicle, stop.measured_at,
        )
        for number, stop in enumerate(metres.stops if metres else (), start=1)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row.line, float(row.known.split()[0])))


def concluded(metres: MeasuredMetres | None, rules: Mapping[str, RuleConfig]) -> Iterator[str]:
    """What the stops say of the camera's rules, one sentence each."""
    if metres is None:
        yield NOT_MEASURED
        return
    yield f"{metres.version}: single readings scatter by {metres.jitter_metres:.2f} m (jitter, one standard deviation)"
    for line in dict.fromkeys(stop.line for stop in metres.stops):
        yield f"from {line}: {conclusion(metres, line)}"
    yield from rule_lines(rules, metres)
    if not any(takes_margin(rule) for rule in rules.values()):
        for line in dict.fromkeys(stop.line for stop in metres.stops):
            yield _to_come(line, metres)


def _to_come(line: str, metres: MeasuredMetres) -> str:
    """Before there is a rule."""
    rule = RuleConfig.model_validate({"measure": f"distance_to({line})", "enter": "< 3 m", "severity": "critical"})
    margin, named = margin_metres(rule, metres), f"a rule `distance_to({line})` of `severity: critical`"
    if not margin:
        return f"{named} will start where its threshold says: nine of ten readings were not too far"
    return f"{named} will start {margin:.2f} m before its threshold: nine of ten readings were not further off"
