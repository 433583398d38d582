import pickle

import pytest

from operators.units import parse_bytes, parse_seconds, parse_threshold
from pipeline.errors import ConnectError


def test_errors_survive_pickling_with_their_fields():
    error = pickle.loads(pickle.dumps(ConnectError("no route", code="refused", where="dock-03")))
    assert (type(error), error.code, error.where, str(error)) == (
        ConnectError,
        "refused",
        "dock-03",
        "dock-03: no route",
    )


@pytest.mark.parametrize(("text", "seconds"), [("600ms", 0.6), ("5s", 5.0), ("30m", 1800.0), ("1d", 86400.0)])
def test_durations(text, seconds):
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["5", 5, "5 parsecs", "-1s", None, True])
def test_a_duration_without_a_unit_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"such as 5s|at least 0"):
        parse_seconds(text)


def test_sizes_and_thresholds():
    assert parse_bytes("256MiB") == 256 * 2**20
    threshold = parse_threshold("< 3.0 m")
    assert threshold.holds(2.99)
    assert not threshold.holds(3.0)
    assert not threshold.holds(float("nan"))
    assert parse_threshold("> 20 %").value == pytest.approx(0.2)
