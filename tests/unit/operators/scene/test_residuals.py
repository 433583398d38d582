import numpy as np
import pytest

from operators.frames import Placement, Ticket, Times
from operators.results import Analysis, Depth, LineDistance, Subject
from operators.scene.config import ViewConfig
from operators.scene.corrected import corrected
from operators.scene.residuals import (
    MeasuredMetres,
    Stop,
    drift_metres,
    measured,
    metres_fingerprint,
    proven_offset,
    step_noise_metres,
)

VIEW = ViewConfig.model_validate({"hfov": "74deg", "height": "3.5m", "pitch": "32deg"})


def stop(known, residual, spread=0.05, *, line="dock", floor="here", vehicle="vehicle"):
    readings = tuple(known + residual + spread * each for each in (-2, -1, 0, 0, 1, 2))
    return Stop(line, floor, known, readings, known - 0.1, "2026-03-01T09:30:00Z", vehicle)


def test_a_stop_tells_its_residual_and_its_jitter():
    found = stop(3.0, 0.4)
    assert (found.measured_metres, found.residual_metres) == (pytest.approx(3.4), pytest.approx(0.4))
    noise = np.random.default_rng(7).normal(5.2, 0.08, 4000)
    assert Stop("dock", "here", 5.0, tuple(noise), None, "").jitter_metres == pytest.approx(0.08, rel=0.1)


def test_jitter_is_over_all_stops_and_one_wild_reading_does_not_make_it():
    wild = Stop("dock", "here", 3.0, (*[3.1] * 5, 3.2, 3.0, 3.15, 3.05, 9.0), None, "")
    assert wild.jitter_metres < 0.1
    both = measured("f", [stop(3.0, 0.1, 0.03), stop(5.0, 0.1, 0.04)])
    assert both.jitter_metres == pytest.approx(np.hypot(*(each.jitter_metres for each in both.stops)) / np.sqrt(2))


def driven(*residuals, knowns=(3.0, 6.0)):
    """Each vehicle with its residuals at 3 and 6 m."""
    return [
        stop(known, residual, 0.0, vehicle=f"vehicle-{number}")
        for number, pair in enumerate(residuals)
        for known, residual in zip(knowns, pair, strict=True)
    ]


@pytest.mark.parametrize(
    ("residuals", "offset"),
    [
        (((0.7, 0.6), (0.8, 0.7)), 0.7),
        (((-0.7, -0.6), (-0.6, -0.5)), -0.6),
        (((0.7, 0.6),), None),  # of one vehicle: may be its own
        (((0.9, 0.8), (0.0, 0.1)), None),  # the one says nothing of the other
        (((0.8, -0.6), (-0.7, 0.7)), None),
        (((0.2, 0.2), (0.2, 0.2)), None),  # as likely to be the vehicles'
    ],
)
def test_a_correction_is_proven_by_leaving_one_vehicle_out(residuals, offset):
    stops = driven(*residuals)
    found = proven_offset(stops)
    assert found == (None if offset is None else pytest.approx(offset))
    assert measured("f", stops).offsets_metres == ({} if found is None else {"dock": found})


def test_a_head_that_was_fitted_at_the_view_is_never_corrected():
    found = measured("f", driven((0.7, 0.6), (0.8, 0.7)), is_fitted_here=True)
    assert found.offsets_metres == {}
    assert MeasuredMetres.from_bytes(found.to_bytes()).is_fitted_here


def test_a_vehicle_that_stops_often_weighs_no_more_than_another():
    many = [*driven((0.8, 0.8), (0.6, 0.6)), *[stop(5.0, 0.8, 0.0, vehicle="vehicle-0")] * 4]
    assert proven_offset(many) == pytest.approx(0.7)


def test_stops_at_one_place_prove_nothing():
    assert proven_offset(driven((0.7, 0.7), (0.7, 0.7), knowns=(5.0, 5.4))) is None


def test_p90_is_of_single_readings_and_never_below_nothing():
    assert measured("f", [stop(3.0, 0.2, 0.0), stop(5.0, -0.2, 0.0)]).p90_metres("dock") == pytest.approx(0.2)
    assert measured("f", [stop(3.0, -0.2), stop(5.0, -0.3)]).p90_metres("dock") == 0.0
    assert measured("f", [stop(3.0, 0.2)]).p90_metres("gate") is None
    wide = measured("f", [stop(3.0, 0.2, 0.2), stop(5.0, -0.2, 0.2)]).p90_metres("dock")
    assert wide is not None
    assert 0.35 < wide < 0.6


def test_with_a_correction_no_vehicle_vouches_for_itself():
    found = measured("f", driven((0.8, 0.8), (0.6, 0.6)))
    assert found.offsets_metres == {"dock": pytest.approx(0.7)}
    assert found.p90_metres("dock") == pytest.approx(0.2)  # the worse one, corrected by the better


def test_lines_have_stops_of_their_own():
    gate = ((0.0, 4.0), (2.0, 4.0))
    found = measured("f", [*driven((0.7, 0.7), (0.7, 0.7)), stop(3.0, 0.1, line="gate", floor=gate)])
    assert list(found.offsets_metres) == ["dock"]
    assert [each.line for each in found.of_line("gate")] == ["gate"]


def test_bytes_bring_back_what_was_concluded():
    gate = ((0.0, 4.0), (2.0, 4.0))
    found = measured("f", [*driven((0.7, 0.7), (0.7, 0.7)), stop(3.0, 0.1, line="gate", floor=gate)])
    back = MeasuredMetres.from_bytes(found.to_bytes(), "metres/dock-03@2")
    assert (back.stops, back.jitter_metres, back.offsets_metres) == (
        found.stops,
        found.jitter_metres,
        found.offsets_metres,
    )
    assert (back.fingerprint, back.version) == ("f", "metres/dock-03@2")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"fingerprint": "f", "stops": [1]}', b"\xff"])
def test_other_bytes_are_refused(data):
    with pytest.raises(ValueError, match="metres/dock@1 holds no drive-ins"):
        MeasuredMetres.from_bytes(data, "metres/dock@1")


def test_too_little_is_refused():
    with pytest.raises(ValueError, match="at least one stop"):
        measured("f", [])
    with pytest.raises(ValueError, match="at least 5 readings of a stop, got 4"):
        measured("f", [Stop("dock", "here", 3.0, (3.0,) * 4, None, "")])


def test_another_head_or_another_view_is_another_fingerprint():
    ours = metres_fingerprint(b"head", VIEW)
    assert ours == metres_fingerprint(b"head", VIEW.model_copy())
    assert ours != metres_fingerprint(b"heaD", VIEW)
    assert ours != metres_fingerprint(b"head", VIEW.model_copy(update={"pitch": 33.0}))


def test_a_proven_correction_is_taken_off_each_distance_and_named():
    mask = np.ones((2, 2), dtype=bool)
    distances = (LineDistance("dock", 3.7, 0.6, 2.9), LineDistance("gate", 1.0, 0.2))
    analysis = Analysis(
        ticket=Ticket("dock-03", 1, 1, 1),
        times=Times(0, 0, 0, "arrival", 0),
        placement=Placement((56, 56), (56, 56), (1.0, 1.0)),
        space="s",
        embedding=None,
        depth=Depth("depth", np.ones((2, 2), np.float16), 1, 1, 1, is_calibrated=True),
        labels=(),
        subjects=(Subject((0, 0, 1, 1), mask, distances),),
        view="view/dock-03@1",
        artefacts=("view/dock-03@1",),
    )
    found = measured("f", driven((0.7, 0.7), (0.7, 0.7)))
    stored = MeasuredMetres.from_bytes(found.to_bytes(), "metres/dock-03@2")
    after = corrected(analysis, stored)
    dock, gate = after.subjects[0].distances
    assert (dock.metres, dock.contact_metres, gate.metres) == (pytest.approx(3.0), 2.9, 1.0)
    assert after.artefacts == ("view/dock-03@1", "metres/dock-03@2")
    assert corrected(analysis, None) is analysis


def test_drift_tells_a_vehicle_that_moves_from_one_that_stands():
    assert drift_metres([5.0, 5.1, 4.9, 5.0, 5.1, 5.0]) == pytest.approx(0.0)
    assert drift_metres([5.0, 4.8, 4.6, 4.4, 4.2, 4.0]) == pytest.approx(-0.8)
    assert step_noise_metres([5.0, 4.8, 4.6, 4.4, 4.2, 4.0]) == pytest.approx(0.0)
    noise = np.random.default_rng(7).normal(5.2, 0.08, 4000)
    assert step_noise_metres(list(noise)) == pytest.approx(0.08, rel=0.1)
