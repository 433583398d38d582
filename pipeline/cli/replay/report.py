"""What `replay` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipeline.cli.replay.rerun import Difference, Rerun, Span
from pipeline.cli.replay.verdict import as_recorded

_FILE_TIME_NS = 10**18
"""Rule times below this (before September 2001) count from the start of a file."""
_SHOWN = 20
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Clock:
    """Times for people."""

    timezone: str

    def at(self, time_ns: int | None) -> str:
        """Such as `Mon 30 Nov 13:00:15.250`, or `12.400 s` into a file."""
        if time_ns is None:
            return "before"
        if time_ns < _FILE_TIME_NS:
            return f"{time_ns / 1e9:.3f} s"
        seconds, rest = divmod(time_ns, 1_000_000_000)
        local = datetime.fromtimestamp(seconds, tz=UTC).astimezone(ZoneInfo(self.timezone))
        return f"{local:%a %d %b %H:%M:%S}.{rest // 1_000_000:03d}"


def report(rerun: Rerun, found: Sequence[Difference], clock: Clock, *, has_alerts: bool) -> Iterator[str]:
    """Lines about one camera."""
    counts = [f"{rerun.num_results} results", f"{clock.at(rerun.first_ns)} to {clock.at(rerun.last_ns)}"]
    counts += [f"{rerun.num_repeated} repeated"] if rerun.num_repeated else []
    counts += [f"{rerun.num_missing} missing in {len(rerun.holes)} places"] if rerun.num_missing else []
    yield f"{rerun.camera}: {', '.join(counts)}"
    if not rerun.as_recorded:
        yield f"{_INDENT}no rule"
    for name, watched in rerun.other_measures.items():
        yield f"{_INDENT}{name} watched {watched} then: what it watches now was not recorded"
    for name, course in rerun.as_recorded.items():
        yield f"{_INDENT}{name}: {_rule(rerun, name)}: {_episodes(course.spans, rerun)}"
        if name not in rerun.what_if:
            yield from (f"{_INDENT * 2}{clock.at(each.start_ns)}  {_long(each, rerun)}" for each in course.spans)
    yield from (f"{_INDENT}{line}" for line in _verdict(rerun, found, clock, has_alerts=has_alerts))
    for name in rerun.what_if:
        yield from (f"{_INDENT}{line}" for line in _what_if(rerun, name, clock))


def _rule(rerun: Rerun, name: str) -> str:
    wire = rerun.wires[name]
    asked = f" (asked for {wire.asked_enter})" if wire.asked_enter not in {"", wire.enter} else ""
    return f"{wire.measure} {wire.enter or '(threshold not learnt)'}{asked}, exit {wire.exit or '-'}"


def _episodes(spans: Sequence[Span], rerun: Rerun) -> str:
    seconds = sum(_seconds(each, rerun) for each in spans)
    return f"{len(spans)} episode{'s' if len(spans) != 1 else ''}, {seconds:.1f} s in all"


def _seconds(span: Span, rerun: Rerun) -> float:
    start_ns = span.start_ns if span.start_ns is not None else rerun.first_ns or 0
    return ((span.end_ns if span.end_ns is not None else rerun.last_ns) - start_ns) / 1e9


def _long(span: Span, rerun: Rerun) -> str:
    return f"{_seconds(span, rerun):.1f} s{'' if span.end_ns is not None else ', still on at the last result'}"


def _verdict(rerun: Rerun, found: Sequence[Difference], clock: Clock, *, has_alerts: bool) -> Iterator[str]:
    taken = len(as_recorded(rerun)) if has_alerts else 0
    if taken:
        yield f"{taken} alert(s) taken as recorded: their results are missing, or their rule was removed then"
    if not found:
        compared = "phase of every result" + (", every alert" if has_alerts else "; no alerts to compare with")
        yield f"identical: {len(rerun.transitions)} transitions ({compared})"
        return
    yield f"DIFFERS in {len(found)} places"
    rows = [("when", "rule", "what", "recorded", "replayed")]
    rows += [(clock.at(each.time_ns), each.rule, each.what, each.recorded, each.replayed) for each in found[:_SHOWN]]
    yield from (f"{_INDENT}{line}" for line in _table(rows))
    if len(found) > _SHOWN:
        yield f"{_INDENT}and {len(found) - _SHOWN} more"


def _what_if(rerun: Rerun, name: str, clock: Clock) -> Iterator[str]:
    spans, others = rerun.as_recorded[name].spans, rerun.what_if[name].spans
    yield f"what if {', '.join(each.text for each in rerun.changes if each.rule == name)}"
    margin = rerun.wires[name].asked_enter not in {"", rerun.wires[name].enter}
    if margin and any(each.rule == name and each.field in {"enter", "exit"} for each in rerun.changes):
        yield f"{_INDENT}(the camera's margin is added, as it was then)"
    yield f"{_INDENT}{_episodes(others, rerun)} instead of {_episodes(spans, rerun)}"
    rows: list[tuple[str, ...]] = [("as recorded", "", "what if", "", "")]
    rows.extend(_pair(then, now, rerun, clock) for then, now in pairs(spans, others, rerun))
    if len(rows) > 1:
        yield from (f"{_INDENT}{line}" for line in _table(rows))


def _pair(then: Span | None, now: Span | None, rerun: Rerun, clock: Clock) -> tuple[str, ...]:
    first = ("-", "") if then is None else (clock.at(then.start_ns), _long(then, rerun))
    second = ("-", "") if now is None else (clock.at(now.start_ns), _long(now, rerun))
    return (*first, *second, _change(then, now))


def _change(then: Span | None, now: Span | None) -> str:
    if then is None:
        return "new"
    if now is None:
        return "would not fire"
    if then.start_ns is None or now.start_ns is None:
        return ""
    later = (now.start_ns - then.start_ns) / 1e9
    return f"starts {abs(later):.1f} s {'later' if later > 0 else 'earlier'}" if later else "same start"


def pairs(spans: Sequence[Span], others: Sequence[Span], rerun: Rerun) -> list[tuple[Span | None, Span | None]]:
    """Episodes beside those that overlap them, in order of time; each stands once."""
    found: list[tuple[Span | None, Span | None]] = []
    left = list(others)
    for then in spans:
        start_ns, end_ns = _ends(then, rerun)
        match = next(
            (each for each in left if _ends(each, rerun)[0] < end_ns and _ends(each, rerun)[1] > start_ns), None
        )
        if match is not None:
            left.remove(match)
        found.append((then, match))
    found.extend((None, each) for each in left)
    return sorted(found, key=lambda pair: min(_ends(each, rerun)[0] for each in pair if each is not None))


def _ends(span: Span, rerun: Rerun) -> tuple[int, int]:
    first_ns = rerun.first_ns or 0
    return (
        span.start_ns if span.start_ns is not None else first_ns,
        span.end_ns if span.end_ns is not None else rerun.last_ns + 1,
    )


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
