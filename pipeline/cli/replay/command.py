"""`main.py replay RESULTS`: rules over recorded results again, as they were or with other thresholds."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from operators.rules.config import RuleConfig
from operators.spelling import did_you_mean
from pipeline import kafka_log
from pipeline.cli.app import UserError
from pipeline.cli.config_argument import load
from pipeline.cli.explain.command import Keeper
from pipeline.cli.replay.plot import write_plot
from pipeline.cli.replay.reading import Recording, is_lines, is_stream, of_config, of_lines, of_stream
from pipeline.cli.replay.recorded import Alerts, Recorded, events
from pipeline.cli.replay.report import Clock, report
from pipeline.cli.replay.rerun import Rerun
from pipeline.cli.replay.verdict import differences
from pipeline.cli.replay.what_if import Change, parse_change
from pipeline.config.loader import Config
from pipeline.errors import SinkError

PLOTS = (".html", ".png")


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which results, and what of them."""

    camera: str | None
    since_ns: int
    until_ns: int | None
    changes: tuple[Change, ...]
    config: Config | None

    def rules(self, camera: str) -> dict[str, RuleConfig] | None:
        """None: as the results say."""
        if self.config is None:
            return None
        found = self.config.cameras.get(camera)
        return {} if found is None else found.rules


def replay(
    results: Annotated[
        str,
        typer.Argument(
            metavar="RESULTS",
            help="JSON lines (a file, or the folder of the sink), redis://HOST:PORT/DB/STREAM, or a configuration, "
            "whose sinks are then read.",
        ),
    ],
    *,
    what_if: Annotated[
        list[str] | None,
        typer.Option(help='Such as "too_close.enter < 2.5 m"; enter, exit, hold or release. May be repeated.'),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="A configuration whose rules count, instead of those that the results name.")
    ] = None,
    source: Annotated[
        Keeper | None,
        typer.Option("--from", help="Which sink of the configuration; left out: the first of redis, kafka, jsonl."),
    ] = None,
    camera: Annotated[str | None, typer.Option(help="One camera; all if left out.")] = None,
    since: Annotated[str | None, typer.Option(help="Rule time, such as 2026-11-30T13:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Likewise.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw measure, thresholds and episodes: FILE.html or .png.")] = None,
) -> None:
    """Step the rules over recorded results again: the same alerts come, or, with other thresholds, those that would.

    Exit code 1: something came out otherwise than it was published.
    """
    logging.basicConfig(handlers=[logging.NullHandler()])  # the one error that ends us says what the clients' logs do
    kafka_log.keep_quiet()
    if plot is not None and plot.suffix.lower() not in PLOTS:
        raise UserError(f"--plot: expected a file that ends in {' or '.join(PLOTS)}, got {plot}")
    try:
        changes = tuple(parse_change(each) for each in what_if or ())
        is_config = not is_stream(results) and not is_lines(Path(results))
        config = load(Path(results)) if is_config else load(rules) if rules is not None else None
        timezone = config.site.timezone if config is not None else "UTC"
        asked = _Asked(camera, _time(since, timezone) or 0, _time(until, timezone), changes, config)
        recording = _recording(results, asked, source, is_config=is_config)
        reruns, has_alerts = rerun_all(recording, asked)
        _check(reruns, asked, results)
        found = {each.camera: differences(each, has_alerts=has_alerts) for each in reruns}
        for each in reruns:
            print("\n".join(report(each, found[each.camera], Clock(timezone), has_alerts=has_alerts)))
        if plot is not None:
            write_plot(plot, reruns, Clock(timezone))
            print(f"drawn: {plot}")
    except SinkError as error:
        raise UserError(str(error), exit_code=3) from None
    except ValueError as error:
        raise UserError(str(error)) from None
    if any(found.values()):
        raise typer.Exit(1)


def _recording(results: str, asked: _Asked, source: Keeper | None, *, is_config: bool) -> Recording:
    if is_stream(results):
        return of_stream(results)
    if is_config:
        assert asked.config is not None
        return of_config(asked.config, source, asked.camera, asked.since_ns)
    return of_lines(Path(results))


def rerun_all(recording: Recording, asked: _Asked) -> tuple[list[Rerun], bool]:
    """Every camera's, and whether there were alerts to compare with."""
    alerts: dict[str, Alerts] = defaultdict(Alerts)
    for event in events(recording.alerts or ()):
        if not isinstance(event, Recorded):
            alerts[event.camera].add(event)
    reruns: dict[str, Rerun] = {}
    for event in events(recording.results):
        if not isinstance(event, Recorded):
            alerts[event.camera].add(event)
        elif _is_asked(event, asked):
            if event.camera not in reruns:
                rules = asked.rules(event.camera)
                reruns[event.camera] = Rerun(event.camera, alerts[event.camera], rules, asked.changes)
            reruns[event.camera].see(event)
    has_alerts = recording.alerts is not None or any(each.by_id for each in alerts.values())
    return list(reruns.values()), has_alerts


def _is_asked(record: Recorded, asked: _Asked) -> bool:
    if asked.camera is not None and record.camera != asked.camera:
        return False
    return asked.since_ns <= record.time_ns and (asked.until_ns is None or record.time_ns <= asked.until_ns)


def _check(reruns: Sequence[Rerun], asked: _Asked, results: str) -> None:
    """Raises: UserError, where nothing was replayed or a change concerns no rule."""
    if not reruns:
        of = f" of {asked.camera}" if asked.camera else ""
        raise UserError(f"no results{of} in {results}: check --camera, --since and --until", exit_code=1)
    if asked.config is None and any(each.has_unnumbered for each in reruns):
        raise UserError("these results are of an older version, and do not say `hold` and `release`: name --rules")
    known = sorted({name for each in reruns for name in each.as_recorded})
    for change in asked.changes:
        if change.rule not in known:
            hint = did_you_mean(change.rule, known)
            raise UserError(f"{change.text!r}: expected one of {', '.join(known) or 'none'}, got {change.rule!r}{hint}")


def _time(text: str | None, timezone: str) -> int | None:
    """Nanoseconds of an ISO 8601 time; without its own zone, in the site's."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"expected a time such as 2026-11-30T13:00:00Z, got {text!r}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + moment.microsecond * 1000
