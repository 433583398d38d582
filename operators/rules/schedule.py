"""When a rule is armed: weekly spans in the site's time zone. Time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE_NS = 60_000_000_000
LOOK_AHEAD_MINUTES = 8 * 24 * 60
"""A week, and a day for a clock that is put forward or back."""


def is_in_schedule(armed: Mapping[str, str] | None, timezone: str, wall_ns: int) -> bool:
    """Whether `wall_ns` (nanoseconds since the Unix epoch) lies in a weekly span such as `mon-fri: "06:00-22:00"`.

    Spans are half open, in the local time of `timezone`, so they follow daylight saving. One that ends before it starts
    runs over midnight and belongs to the day on which it starts. No schedule: always.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: no such time zone on this machine.
    """
    if armed is None:
        return True
    seconds, nanoseconds = divmod(wall_ns, 1_000_000_000)
    instant = datetime.fromtimestamp(seconds, tz=UTC) + timedelta(microseconds=nanoseconds // 1000)
    local = instant.astimezone(ZoneInfo(timezone))
    minute = local.hour * 60 + local.minute
    return any(_covers(days, span, local.weekday(), minute) for days, span in armed.items())


def next_change(armed: Mapping[str, str] | None, timezone: str, wall_ns: int) -> int | None:
    """When `is_in_schedule` next says something else than at `wall_ns`; None: never, the schedule has no gap.

    Spans and time zones change on whole minutes of UTC, so looking at every minute is exact, also over the hour that
    is missing in spring and the one that comes twice in autumn. A schedule that never
    changes costs the whole week, about a tenth of a second.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: no such time zone on this machine.
    """
    if armed is None:
        return None
    is_now = is_in_schedule(armed, timezone, wall_ns)
    minute = wall_ns // MINUTE_NS
    later = (ahead * MINUTE_NS for ahead in range(minute + 1, minute + LOOK_AHEAD_MINUTES))
    return next((each for each in later if is_in_schedule(armed, timezone, each) != is_now), None)


def _covers(days: str, span: str, weekday: int, minute: int) -> bool:
    start, end = (_minutes(part) for part in span.split("-"))
    named = _weekdays(days)
    if start < end:
        return weekday in named and start <= minute < end
    is_evening = weekday in named and minute >= start
    is_next_morning = (weekday - 1) % 7 in named and minute < end
    return is_evening or is_next_morning


def _weekdays(days: str) -> frozenset[int]:
    first, _, last = days.partition("-")
    start = DAYS.index(first)
    length = (DAYS.index(last or first) - start) % 7
    return frozenset((start + offset) % 7 for offset in range(length + 1))


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
