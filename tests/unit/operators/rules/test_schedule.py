from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from operators.rules.schedule import is_in_schedule, next_change

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


MINUTE_NS = 60_000_000_000


def minutes_on(armed, first, last):
    """Armed minutes between two instants."""
    return sum(is_in_schedule(armed, BERLIN, each) for each in range(first, last, MINUTE_NS))


@pytest.mark.parametrize(
    ("night", "hours"),
    [
        ("2026-03-27", 8.0),  # an ordinary Friday
        ("2026-03-28", 7.0),  # the clock goes from 2:00 to 3:00
        ("2026-10-24", 9.0),  # the clock goes from 3:00 back to 2:00
    ],
)
def test_a_night_is_as_long_as_the_local_clock_makes_it(night, hours):
    armed = {"mon-sun": "22:00-06:00"}
    noon = at(f"{night}T12:00:00")
    assert minutes_on(armed, noon, noon + 24 * 60 * MINUTE_NS) == hours * 60


def test_a_span_over_midnight_that_ends_in_the_hour_that_comes_twice_is_on_in_both():
    armed = {"sat": "22:00-02:30"}
    first, again = at("2026-10-25T02:29:00", fold=0), at("2026-10-25T02:29:00", fold=1)
    assert again - first == 60 * MINUTE_NS
    assert [is_in_schedule(armed, BERLIN, first + minute * MINUTE_NS) for minute in (0, 1, 30, 31, 60, 61)] == [
        True,
        False,
        False,  # 02:59, before the clock goes back
        True,  # 02:00 again
        True,
        False,
    ]


def test_a_span_that_ends_in_the_missing_hour_ends_where_the_clock_jumps():
    armed = {"sat": "22:00-02:30"}
    jump = at("2026-03-29T03:00:00")
    assert is_in_schedule(armed, BERLIN, jump - 1)
    assert not is_in_schedule(armed, BERLIN, jump)


@pytest.mark.parametrize(
    ("armed", "now", "then"),
    [
        ({"mon-fri": "06:00-22:00"}, "2026-11-23T07:00:00", "2026-11-23T22:00:00"),
        ({"mon-fri": "06:00-22:00"}, "2026-11-27T22:00:00", "2026-11-30T06:00:00"),
        ({"fri": "22:00-06:00"}, "2026-11-27T23:00:00", "2026-11-28T06:00:00"),
        ({"sat": "22:00-02:30"}, "2026-03-28T23:00:00", "2026-03-29T03:00:00"),
        ({"sun": "02:30-05:00"}, "2026-03-29T01:00:00", "2026-03-29T03:00:00"),
        ({"mon-sun": "22:00-06:00"}, "2026-10-24T23:00:00", "2026-10-25T06:00:00"),
        ({"sun": "02:10-02:20"}, "2026-03-28T12:00:00", "2026-04-05T02:10:00"),  # its hour is missing this week
    ],
)
def test_the_next_change_is_found_over_days_and_over_both_changes_of_the_clock(armed, now, then):
    assert next_change(armed, BERLIN, at(now)) == at(then)


def test_what_has_no_gap_never_changes():
    assert next_change(None, BERLIN, at("2026-11-23T07:00:00")) is None
    assert next_change({"mon-sun": "00:00-24:00"}, BERLIN, at("2026-11-23T07:00:00")) is None
