"""`docs/scaling.md` and its pictures, from what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.scale import curve_page, overload
from tests.bench.scale.control_plane import ControlCost
from tests.bench.scale.curve import Curve
from tests.bench.scale.curve_page import table as _table
from tests.bench.scale.findings import SIZES, Measured, Simulated, fleet
from tests.bench.scale.load import busy_share
from tests.bench.scale.paper import Demand, demands
from tests.bench.scale.plots import Line, bars, over_hours
from tests.bench.scale.publishers import ratios
from tests.bench.scale.sentences import (
    AGES,
    CHECK,
    CONTROL,
    DAY,
    HEAD,
    NOON,
    NOT_MEASURED,
    OVERLOAD,
    OWNERS,
    PUBLISHERS,
    RATIOS,
    TIMES,
)

DAY_PICTURE, SHARES_PICTURE = "pictures/scaling-day.svg", "pictures/scaling-shares.svg"


def write(measured: Measured, simulated: Simulated, curve: Curve | None, docs: Path) -> None:
    (docs / "pictures").mkdir(exist_ok=True)
    tables = {size: demands(fleet(size, measured.values), measured.values, _control(measured, size)) for size in SIZES}
    parts = [
        HEAD.format(machine=measured.machine),
        _first(tables),
        f"![what each part is asked for]({SHARES_PICTURE})",
        *(_demand_table(size, rows) for size, rows in tables.items()),
        NOT_MEASURED,
        TIMES,
        _table(("", "value", "what", "from"), _times(measured)),
        DAY,
        f"![a day]({DAY_PICTURE})",
        _table(_DAY_HEAD, _days(simulated)),
        AGES,
        NOON,
        _table(_NOON_HEAD, _noons(simulated)),
        OVERLOAD.format(seconds=_waiting_seconds(simulated), after=overload.SECONDS[SIZES[-1]]),
        _table(_OVER_HEAD, _overloads(simulated)),
        OWNERS,
        _table(("analyzers", "threads", "core-ms a frame"), _owners(measured)),
        PUBLISHERS,
        _table(_RATE_HEAD, _rates(measured)),
        RATIOS.format(
            rates=" : ".join(f"{rate:.2f}" for _, rate, _ in ratios(measured.rates)),
            cores=" : ".join(f"{core:.2f}" for _, _, core in ratios(measured.rates)),
        ),
        *curve_page.section(curve),
        CONTROL,
        _table(_CONTROL_HEAD, _controls(measured)),
        CHECK,
        _table(_CHECK_HEAD, _checks(measured)),
    ]
    (docs / "scaling.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    lines = [
        Line(f"{day.fleet.cameras:,} cameras", [1000 * each.age_p99_seconds for each in day.hours])
        for day in simulated.days
    ]
    top = _round_up(1.25 * max(max(each.values) for each in lines))
    busy = Line("busy cameras, of 1", [busy_share(hour) * top for hour in range(24)], is_dashed=True)
    (docs / DAY_PICTURE).write_text(over_hours("age of a result, p99", "ms", [*lines, busy], top), encoding="utf-8")
    if curve is not None and curve.is_carried:
        (docs / curve_page.PICTURE).write_text(curve_page.picture(curve), encoding="utf-8")
    groups = [(f"{size:,} cameras", [(each.part, each.share) for each in rows]) for size, rows in tables.items()]
    (docs / SHARES_PICTURE).write_text(
        bars("asked by given at noon; from 1 on it is a limit", groups), encoding="utf-8"
    )


def _control(measured: Measured, size: int) -> ControlCost:
    return next(each for each in measured.control if each.cameras == size)


def _first(tables: dict[int, list[Demand]]) -> str:
    rows: list[str] = []
    for size, found in tables.items():
        first, second, third = [each for each in found if each.is_limit][:3]
        limit = "the first limit" if first.share >= 1 else "nearest to its limit"
        rows.append(
            f"- **{size:,} cameras**: {limit}: {first.part}, asked for {first.share:,.2g} times what they give "
            f"({first.asked}; {first.gives}). Then {second.part} ({second.share:,.2g}) and {third.part} "
            f"({third.share:,.2g})."
        )
    return "\n".join(rows)


def _demand_table(size: int, rows: Sequence[Demand]) -> str:
    body = [(each.part, each.asked, each.gives, f"{each.share:,.2g}", each.remedy) for each in rows]
    head = ("part", "asked at noon", "gives by default", "asked / gives", "if it is the limit")
    return f"**{size:,} cameras**\n\n{_table(head, body)}"


def _times(measured: Measured) -> Iterable[Sequence[str]]:
    for each in measured.figures:
        value = f"{1000 * each.value:,.2f} ms" if each.unit == "s" else f"{each.value:,.0f} {each.unit}"
        if each.unit == "s" and each.value >= 1:
            value = f"{each.value:g} s"
        yield each.name.replace("_seconds", ""), value, each.what, each.source


_DAY_HEAD = (
    "cameras", "nodes", "publishers", "age p50", "age p99", "analysed", "gated", "replaced, stale", "lost", "unread",
    "unread in a loss", "Jain, least", "node-hours a camera", "grown by the hour",
)  # fmt: skip


def _days(simulated: Simulated) -> Iterable[Sequence[str]]:
    for day in simulated.days:
        fates = day.fates
        yield (
            f"{day.fleet.cameras:,}",
            str(day.fleet.nodes),
            str(day.fleet.publishers),
            _ms(day.age_p50_seconds),
            _ms(day.age_p99_seconds),
            f"{fates['analysed']:.1%}",
            f"{fates['gated']:.1%}",
            f"{fates.get('replaced', 0.0) + fates.get('stale', 0.0):.3%}",
            f"{fates.get('lost', 0.0):.5%}",
            f"{fates.get('unread', 0.0):.3%}",
            f"{day.fates_of_a_loss['unread']:.1%} of {day.loss_seconds:.0f} s",
            f"{day.jain:.3f}",
            f"{day.node_hours:.3f}",
            f"{day.node_hours_grown:.3f}",
        )


_NOON_HEAD = ("cameras", "nodes", "model", "asked", "gives", "age p50", "age p99", "lanes busy", "dropped", "Jain")


def _noons(simulated: Simulated) -> Iterable[Sequence[str]]:
    for each in simulated.noons:
        yield (
            f"{each.fleet.cameras:,}",
            str(each.fleet.nodes),
            each.what,
            f"{each.asked:,.0f}/s",
            f"{each.gives:,.0f}/s",
            _ms(each.age_p50_seconds),
            _ms(each.age_p99_seconds),
            f"{each.analyzer_busy:.0%}",
            f"{each.dropped_share:.2%}",
            f"{each.jain:.3f}",
        )


def _waiting_seconds(simulated: Simulated) -> float:
    """Of what the analyzers of the largest fleet give: one frame for each of all calls that may wait there."""
    found = next(each for each in simulated.overloads if each.cameras == SIZES[-1])
    return found.all_calls / found.gives


_OVER_HEAD = ("cameras", "credits", "calls at an analyzer", "age p50", "age p99", "dropped", "Jain")


def _overloads(simulated: Simulated) -> Iterable[Sequence[str]]:
    for each in simulated.overloads:
        yield (
            f"{each.cameras:,}",
            each.plan,
            str(each.calls_at_an_analyzer),
            _ms(each.age_p50_seconds),
            _ms(each.age_p99_seconds),
            f"{each.dropped_share:.1%}",
            f"{each.jain:.3f}",
        )


def _owners(measured: Measured) -> Iterable[Sequence[str]]:
    return ((str(each.analyzers), str(each.threads), f"{1000 * each.core_seconds:.2f}") for each in measured.owners)


_RATE_HEAD = (
    "publishers",
    "owners at each",
    "results a call",
    "sink",
    "results/s, all together",
    "a quick call",
    "core-ms a result",
)


def _rates(measured: Measured) -> Iterable[Sequence[str]]:
    for each in measured.rates:
        yield (
            str(each.publishers),
            str(each.owners),
            str(each.results_per_call),
            each.sink,
            f"{each.results_per_second:,.0f}",
            f"{1000 * each.call_seconds:.2f} ms",
            f"{1000 * each.core_seconds:.2f}",
        )


_CONTROL_HEAD = (
    "cameras", "decoders", "read the YAML", "first plan", "re-plan", "start", "step", "step after a loss", "memory",
    "`/metrics`", "to render it",
)  # fmt: skip


def _controls(measured: Measured) -> Iterable[Sequence[str]]:
    for each in measured.control:
        yield (
            f"{each.cameras:,}",
            str(each.decoders),
            f"{each.load_seconds:.2f} s",
            f"{each.plan_seconds:.3f} s",
            f"{each.replan_seconds:.3f} s",
            f"{each.start_seconds:.2f} s",
            _ms(each.step_seconds),
            _ms(each.loss_seconds),
            f"{each.memory_bytes / 2**20:.1f} MiB",
            f"{each.metrics_bytes / 2**20:.2f} MiB",
            f"{each.metrics_seconds:.2f} s",
        )


_CHECK_HEAD = ("model", "cameras", "lane", "age p50", "foretold", "factor", "dropped", "foretold")


def _checks(measured: Measured) -> Iterable[Sequence[str]]:
    for each in measured.checks:
        yield (
            each.what,
            f"{each.cameras} at {each.fps:g}/s",
            _ms(each.lane_seconds),
            _ms(each.real.age_p50_seconds),
            _ms(each.simulated.age_p50_seconds),
            f"{each.age_factor:.2f}",
            f"{each.real.dropped_share:.1%}",
            f"{each.simulated.dropped_share:.1%}",
        )


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:,.1f} ms" if seconds < 0.1 else f"{1000 * seconds:,.0f} ms"


def _round_up(value: float) -> float:
    step = 10.0 if value < 200 else 100.0
    return step * -(-value // step)
