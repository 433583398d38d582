"""What drive-ins change of a camera's results and alerts."""

import json
from dataclasses import replace

import pytest

from operators.scene.residuals import MeasuredMetres, Stop, measured
from pipeline.messages import Delivery
from tests.fakes_publisher import CAMERA, HandSink, camera, frame, publisher


def driven(*residuals):
    stops = [
        Stop("dock", "here", known, (known + residual,) * 5, None, "2026-03-01T09:30:00Z", f"vehicle-{number}")
        for number, residual in enumerate(residuals)
        for known in (3.0, 6.0)
    ]
    return MeasuredMetres.from_bytes(measured("f", stops).to_bytes(), f"metres/{CAMERA}@2")


def played(folder, metres, *distances):
    sink = HandSink()
    published = camera()
    made = publisher(folder, [replace(published, spec=replace(published.spec, metres=metres))], [sink])
    made.publish(Delivery(tuple(frame(number, each) for number, each in enumerate(distances))))
    made.close(1.0)
    bodies = [json.loads(each.body) for each in sink.seen if each.kind in {"result", "alert"}]
    results = [each for each in bodies if "rules" in each]
    return results, [each for each in bodies if "transition" in each]


def test_a_critical_rule_fires_a_margin_earlier_and_says_both(tmp_path):
    results, alerts = played(tmp_path, driven(0.4, -0.4), *[3.3] * 4)
    rule = results[-1]["rules"]["too_close"]
    assert (rule["asked_enter"], rule["asked_exit"]) == ("< 3 m", "> 3.6 m")
    assert (rule["enter"], rule["exit"]) == ("< 3.4 m", "> 4 m")
    (start,) = alerts
    assert start["text"] == f"{CAMERA}: forklift 3.3 m from the dock (limit 3.0, fires at 3.4), held 0.6 s"
    assert (start["asked_enter"], start["enter"], start["value"]) == ("< 3 m", "< 3.4 m", 3.3)
    assert start["artefacts"] == [f"view/{CAMERA}@1", f"metres/{CAMERA}@2"]


def test_without_drive_ins_the_same_vehicle_is_far_enough(tmp_path):
    results, alerts = played(tmp_path, None, *[3.3] * 4)
    assert alerts == []
    assert results[-1]["rules"]["too_close"]["enter"] == results[-1]["rules"]["too_close"]["asked_enter"] == "< 3 m"


def test_a_proven_correction_is_in_every_distance_and_in_the_rule(tmp_path):
    results, alerts = played(tmp_path, driven(0.7, 0.7), *[3.5] * 4)
    (distance,) = results[-1]["subjects"][0]["distances"]
    assert (distance["metres"], distance["contact_metres"]) == (pytest.approx(2.8), pytest.approx(3.6))
    assert results[-1]["rules"]["too_close"]["value"] == pytest.approx(2.8)
    assert alerts[0]["text"] == f"{CAMERA}: forklift 2.8 m from the dock (limit 3.0), held 0.6 s"


def test_a_jump_keeps_the_rule_unknown_for_one_sample_and_the_gate_open(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    made.publish(Delivery((frame(0, 9.0),)))
    receipt = made.publish(Delivery((frame(1, 1.5),)))
    results = [json.loads(each.body) for each in sink.seen if each.kind == "result"]
    assert results[-1]["rules"]["too_close"]["reason"] == "jumped from 9.0 m to 1.5 m in one sample"
    assert not results[-1]["rules"]["too_close"]["is_known"]
    assert receipt.cameras[0].is_armed
    made.publish(Delivery((frame(2, 1.5),)))
    results = [json.loads(each.body) for each in sink.seen if each.kind == "result"]
    assert results[-1]["rules"]["too_close"]["value"] == 1.5
    made.close(1.0)


def test_a_publisher_that_was_restarted_still_doubts_a_jump(tmp_path):
    first = publisher(tmp_path, [camera()], [HandSink()])
    first.publish(Delivery((frame(0, 9.0),)))
    first.close(1.0)
    sink = HandSink()
    second = publisher(tmp_path, [camera()], [sink])
    second.publish(Delivery((frame(1, 1.5),)))
    second.close(1.0)
    results = [json.loads(each.body) for each in sink.seen if each.kind == "result"]
    assert not results[-1]["rules"]["too_close"]["is_known"]
