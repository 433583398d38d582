"""What drive-ins say, for people: also `validate` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from operators.rules.config import RuleConfig
from operators.rules.margins import margin_metres, takes_margin, with_margin
from operators.rules.measure_table import parse_measure
from operators.scene.residuals import (
    APART_METRES,
    MIN_CORRECTION_METRES,
    MIN_VEHICLES,
    MeasuredMetres,
    Stop,
    left_out_error_metres,
)

HEADINGS = ("known", "measured", "residual", "jitter", "contact", "readings", "measured at", "vehicle")
WIDTHS = (8, 10, 10, 8, 9, 10, 22, 14)


def stop_table(stops: Sequence[Stop]) -> Iterator[str]:
    """One line for each stop, nearest first."""
    yield _row(HEADINGS)
    for stop in sorted(stops, key=lambda each: each.known_metres):
        contact = "-" if stop.contact_metres is None else f"{stop.contact_metres:.2f} m"
        yield _row(
            (
                f"{stop.known_metres:.2f} m",
                f"{stop.measured_metres:.2f} m",
                f"{stop.residual_metres:+.2f} m",
                f"{stop.jitter_metres:.2f} m",
                contact,
                str(len(stop.readings_metres)),
                stop.measured_at,
                stop.vehicle,
            )
        )


def _row(cells: Sequence[str]) -> str:
    return "  " + "".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))


def worth(metres: MeasuredMetres) -> Iterator[str]:
    """One line for each line of the floor that vehicles stopped before."""
    for line in dict.fromkeys(stop.line for stop in metres.stops):
        stops = metres.of_line(line)
        read = ", ".join(
            f"{stop.measured_metres:.2f} m at {stop.known_metres:.2f} m"
            for stop in sorted(stops, key=lambda each: each.known_metres)
        )
        day = max(stop.measured_at for stop in stops)[:10]
        yield f"{metres.version}, {day}, from {line}: read {read}; jitter {metres.jitter_metres:.2f} m"
        yield conclusion(metres, line)


def conclusion(metres: MeasuredMetres, line: str) -> str:
    """Whether a correction is proven, and if not, why not."""
    stops = metres.of_line(line)
    offset = metres.offsets_metres.get(line)
    raw = float(np.mean([abs(stop.residual_metres) for stop in stops]))
    if offset is not None:
        return (
            f"correction: {-offset:+.2f} m, proven: each vehicle corrected by the others errs by "
            f"{left_out_error_metres(stops):.2f} m instead of {raw:.2f} m"
        )
    if metres.is_fitted_here:
        return "no correction: the depth head was fitted at this view, and errs differently from vehicle to vehicle"
    if len({stop.vehicle for stop in stops}) < MIN_VEHICLES:
        return "no correction: two vehicles must agree to prove one (measure another with --vehicle NAME)"
    if np.ptp([stop.known_metres for stop in stops]) < APART_METRES:
        return f"no correction: it takes stops at two distances at least {APART_METRES:g} m apart to prove one"
    mean = float(np.mean([stop.residual_metres for stop in stops]))
    if abs(mean) < MIN_CORRECTION_METRES:
        return (
            f"no correction: the mean residual, {mean:+.2f} m, is within what one kind of vehicle differs from another "
            f"({MIN_CORRECTION_METRES:g} m)"
        )
    return (
        f"no correction: it is not constant: each vehicle corrected by the others would err by "
        f"{left_out_error_metres(stops):.2f} m instead of {raw:.2f} m"
    )


def rule_lines(rules: Mapping[str, RuleConfig], metres: MeasuredMetres | None) -> Iterator[str]:
    """Of each rule that starts below a distance: what was asked, and where it fires."""
    for name, rule in rules.items():
        if not takes_margin(rule):
            continue
        asked, fires, margin = rule.enter, with_margin(rule, metres).enter, margin_metres(rule, metres)
        said = f"{name}: asked {_metres(asked)}, fires at {_metres(fires)} measured"
        line = parse_measure(rule.measure).args[0]
        p90 = None if metres is None else metres.p90_metres(line)
        if margin:
            yield f"{said}, so that a true {_metres(asked)} is not missed{_by_whom(rule, metres, line)}"
        elif rule.margin != "auto":
            yield f"{said}: its margin is written as 0"
        elif p90 is None:
            yield f"{said}: no margin, since no vehicle has stopped at a known distance from {line} yet (`drive-in`)"
        elif rule.severity != "critical":
            yield f"{said}: no margin, since it is not critical (drive-ins say {p90:.2f} m)"
        else:
            yield f"{said}: nine of ten readings were not too far"


def _by_whom(rule: RuleConfig, metres: MeasuredMetres | None, line: str) -> str:
    """Whose margin it is; of one vehicle it says little of the next."""
    if rule.margin != "auto" or metres is None:
        return ""
    vehicles = list(dict.fromkeys(stop.vehicle for stop in metres.of_line(line)))
    alone = "" if len(vehicles) > 1 else " alone: drive in another, readings differ from vehicle to vehicle"
    return f" (by {', '.join(vehicles)}{alone})"


def _metres(threshold: object) -> str:
    value = getattr(threshold, "value", float("nan"))
    return f"{value:.1f} m" if round(value, 1) == round(value, 6) else f"{value:.2f} m"
