from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from operators.rules.schedule import is_in_schedule

BERLIN = "Europe/Berlin"


def at(text, zone=BERLIN, fold=0):
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(local.timestamp()) * 1_000_000_000


def test_without_a_schedule_a_rule_is_always_armed():
    assert is_in_schedule(None, BERLIN, 0)


@pytest.mark.parametrize(
    ("when", "is_on"),
    [
        ("2026-11-23T05:59:59", False),  # a Monday
        ("2026-11-23T06:00:00", True),
        ("2026-11-27T21:59:59", True),
        ("2026-11-27T22:00:00", False),
        ("2026-11-28T12:00:00", False),
    ],
)
def test_week_days_and_half_open_hours(when, is_on):
    assert is_in_schedule({"mon-fri": "06:00-22:00"}, BERLIN, at(when)) is is_on


@pytest.mark.parametrize(
    ("when", "is_on"),
    [
        ("2026-11-27T23:00:00", True),  # Friday night
        ("2026-11-28T05:59:00", True),  # into Saturday
        ("2026-11-28T23:00:00", False),
        ("2026-11-27T05:00:00", False),  # Thursday's night is not named
    ],
)
def test_a_span_over_midnight_belongs_to_the_day_on_which_it_starts(when, is_on):
    assert is_in_schedule({"fri": "22:00-06:00"}, BERLIN, at(when)) is is_on


def test_days_wrap_round_the_week_and_spans_add_up():
    armed = {"sat-mon": "00:00-24:00", "wed": "10:00-11:00"}
    days = [is_in_schedule(armed, BERLIN, at(f"2026-11-{day}T10:30:00")) for day in range(23, 30)]
    assert days == [True, False, True, False, False, True, True]


def test_daylight_saving_is_the_sites_own():
    armed = {"sun": "02:00-03:00"}
    # On 25 October 2026 the hour from two to three happens twice in Berlin; on 29 March it does not happen.
    assert is_in_schedule(armed, BERLIN, at("2026-10-25T02:30:00", fold=0))
    assert is_in_schedule(armed, BERLIN, at("2026-10-25T02:30:00", fold=1))
    assert not is_in_schedule(armed, BERLIN, at("2026-10-25T03:00:00"))
    march = [at("2026-03-29T01:59:00") + minute * 60_000_000_000 for minute in range(120)]
    assert not any(is_in_schedule(armed, BERLIN, wall_ns) for wall_ns in march)


def test_another_time_zone_gives_another_answer():
    noon = at("2026-11-23T12:00:00")
    assert is_in_schedule({"mon": "11:00-13:00"}, BERLIN, noon)
    assert not is_in_schedule({"mon": "11:00-13:00"}, "America/New_York", noon)
