"""The life of the empty view as the publisher tells it: learning, well, moved, absorbed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from operators.results import ViewSample
from operators.scene.empty_view import build_view
from operators.scene.view_learner import ViewLearner
from pipeline.errors import PublishError
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from tests.fakes_publisher import (
    CAMERA,
    GRID,
    MODEL,
    HandSink,
    body,
    camera,
    deliver,
    frame,
    ids,
    publisher,
    reused,
    rule,
    subject,
)


def looked(seq, metres=None, *, check="ok", lights=3, **more):
    """A frame, one a second."""
    entry = frame(seq * 5, metres, view_check=check, **more)
    return replaced(entry, view_lights=lights, view=f"view/{CAMERA}@1" if lights else None)


def replaced(entry, **changes):
    return dataclasses.replace(entry, analysis=dataclasses.replace(entry.analysis, **changes))


def results(sink):
    return [body(each) for each in sink.seen if each.kind == "result"]


def conditions(sink):
    found = [body(each) for each in sink.seen if each.kind == "scene"]
    return [each for each in found if each["change"] == "condition"]


def test_a_moved_camera_has_no_subjects_and_its_rules_are_unknown_from_the_first_frame(tmp_path):
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    for seq in range(3):
        deliver(made, looked(seq, None))
    for seq in range(3, 12):
        deliver(made, looked(seq, 2.0, check="moved"))
    made.close(1.0)
    told = results(sink)
    assert [each["scene"] for each in told] == ["ok"] * 8 + ["moved"] * 4
    assert all(each["subjects"] == [] for each in told)
    assert [each["rules"]["too_close"]["is_known"] for each in told] == [True] * 3 + [False] * 9
    assert told[-1]["rules"]["too_close"]["reason"] == "moved: the camera was moved, or what it looks at was"
    assert [each.kind for each in sink.seen if each.kind == "alert"] == []
    (event,) = conditions(sink)
    assert (event["id"], event["scene"]) == (f"{CAMERA}/scene/condition/1", "moved")
    assert event["text"].startswith("dock-03: the camera was moved, or what it looks at was; its subjects, zones and")
    assert "main.py scene learn CONFIG dock-03" in event["text"]


def test_a_camera_that_is_put_back_is_well_again_and_alarms(tmp_path):
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    for seq in range(10):
        deliver(made, looked(seq, None, check="covered"))
    for seq in range(10, 20):
        deliver(made, looked(seq, 2.0))
    made.close(1.0)
    assert [each["scene"] for each in conditions(sink)] == ["covered", "ok"]
    assert "dock-03/too_close/1/start" in ids(sink.seen)


def test_a_passing_doubt_is_no_condition(tmp_path):
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    for seq in range(60):
        deliver(made, looked(seq, 2.0, check="faded"))
    made.close(1.0)
    assert conditions(sink) == []
    assert results(sink)[-1]["subjects"] != []


def test_the_condition_goes_on_after_a_restart(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    for seq in range(4):
        deliver(made, looked(seq, None, check="blurred"))
    made.close(1.0)
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    for seq in range(4, 7):
        deliver(made, looked(seq, None, check="blurred", lease=18))
    assert [each["scene"] for each in conditions(sink)] == ["blurred"]
    now = made.snapshot().scenes[CAMERA]
    assert now.scene == "blurred"
    assert now.text.startswith("dock-03: the picture is out of focus")
    made.close(1.0)


def test_pictures_that_do_not_change_go_on_showing_a_covered_lens(tmp_path):
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    deliver(made, looked(0, None, check="covered"))
    for seq in range(1, 8):
        deliver(made, reused(seq * 5, 0))
    made.close(1.0)
    assert [each["scene"] for each in conditions(sink)] == ["covered"]
    assert results(sink)[-1]["scene"] == "covered"


def test_nothing_is_learnt_from_a_view_that_the_camera_does_not_show(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    assert deliver(made, looked(0)).of(CAMERA).view_sample_wanted is True
    assert deliver(made, looked(1, check="moved")).of(CAMERA).view_sample_wanted is False
    assert deliver(made, looked(2)).of(CAMERA).view_sample_wanted is True
    made.close(1.0)


@pytest.mark.parametrize(
    ("lights", "accept", "word", "is_known"),
    [
        (0, (), "learning", False),
        (1, (), "learning", False),
        (1, "one_light", "one_light", True),
        (1, ["one_light", "uncalibrated"], "one_light", True),
        (1, "uncalibrated", "learning", False),
        (2, (), "ok", True),
    ],
)
def test_rules_are_unknown_until_two_lights_unless_one_is_accepted(tmp_path, lights, accept, word, is_known):
    made = publisher(tmp_path, [camera(too_close=rule(accept=accept))], [sink := HandSink()])
    deliver(made, looked(0, 2.0, lights=lights, check="unsure"))
    (told,) = results(sink)
    assert told["scene"] == word
    assert told["rules"]["too_close"]["is_known"] is is_known
    assert made.snapshot().scenes[CAMERA].scene == word
    made.close(1.0)


def test_the_second_light_is_told(tmp_path):
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    for seq, lights in enumerate((0, 1, 1, 2, 2)):
        deliver(made, looked(seq, lights=lights, check="unsure"))
    made.close(1.0)
    (event,) = conditions(sink)
    assert (event["scene"], event["text"]) == ("ok", "dock-03: shows its empty view, learnt under 2 lights")


def parked(seq, *, seconds_each=200, **more):
    """A frame with a parked thing and a sample of it, far apart in time."""
    tokens = np.random.default_rng(3).normal(size=(GRID[0] * GRID[1], 8))
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    sample = ViewSample(np.full(GRID, np.log(4.0), np.float16), tokens.astype(np.float16), 100.0)
    return replaced(frame(seq * 5 * seconds_each, 5.0, view_sample=sample, **more), view_check="ok")


def commissioned(tmp_path):
    tokens = np.random.default_rng(3).normal(size=(GRID[0] * GRID[1], 8))
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    lights = [
        [ViewSample(np.full(GRID, np.log(6.0), np.float16), tokens.astype(np.float16), luma)] * 3
        for luma in (100.0, 50.0)
    ]
    store = ArtefactStore(tmp_path / "state/artefacts")
    store.put(f"view/{CAMERA}", build_view(lights, MODEL.fingerprint).to_bytes())
    store.put(f"learner/{CAMERA}", ViewLearner(made_by=MODEL.fingerprint).seeded(lights).to_bytes())
    made = camera(too_close=rule())
    scene = dataclasses.replace(made.spec, scene=made.spec.scene.model_copy(update={"absorb_after": 600.0}))
    return dataclasses.replace(made, spec=scene)


def test_a_parked_thing_is_absorbed_once_over_a_restart_and_an_event_says_so(tmp_path):
    found = commissioned(tmp_path)
    made = publisher(tmp_path, [found], [first := HandSink()])
    for seq in range(3):
        deliver(made, parked(seq))
    made.close(1.0)
    made = publisher(tmp_path, [found], [second := HandSink()])
    for seq in range(3, 6):
        deliver(made, parked(seq, lease=18))
    made.close(1.0)
    scenes = [body(each) for sink in (first, second) for each in sink.seen if each.kind == "scene"]
    assert [each["change"] for each in scenes].count("absorbed") == 1
    (event,) = [each for each in scenes if each["change"] == "absorbed"]
    assert event["id"] == f"{CAMERA}/scene/{event['view']}/absorbed"
    assert event["text"] == "dock-03: what stood there for 600 s is part of the empty view now, and no subject any more"


def test_what_is_part_of_an_episode_is_never_absorbed(tmp_path):
    found = commissioned(tmp_path)
    made = publisher(tmp_path, [found], [sink := HandSink()])
    for seq in range(8):
        entry = parked(seq)
        deliver(made, replaced(entry, subjects=(subject(2.0),)))
    made.close(1.0)
    assert "absorbed" not in [body(each)["change"] for each in sink.seen if each.kind == "scene"]


def test_a_person_teaches_a_moved_camera_its_new_view_and_it_is_well_again(tmp_path):
    found = commissioned(tmp_path)
    made = publisher(tmp_path, [found], [HandSink()])
    for seq in range(8):
        deliver(made, looked(seq, check="moved"))
    made.teach_view(CAMERA, 10.0, is_anew=True)
    made.close(1.0)
    made = publisher(tmp_path, [found], [sink := HandSink()])
    for seq in range(8, 30):
        receipt = deliver(made, looked(seq, check="moved", lease=18, view_sample=view_sample()))
    assert receipt.of(CAMERA).artefacts[-1].name != f"view/{CAMERA}@1"
    for seq in range(30, 40):
        deliver(made, looked(seq, lights=1, check="ok", lease=18))
    made.close(1.0)
    assert [each["scene"] for each in conditions(sink)] == ["moved", "learning"]
    learnt = [body(each) for each in sink.seen if each.kind == "scene" and body(each)["change"] == "view_learnt"]
    assert [each["lights"] for each in learnt] == [1]


def view_sample():
    tokens = np.random.default_rng(8).normal(size=(GRID[0] * GRID[1], 8))
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    return ViewSample(np.full(GRID, np.log(5.0), np.float16), tokens.astype(np.float16), 90.0)


def test_a_camera_without_an_empty_view_cannot_be_taught(tmp_path):
    plain = rule(measure="score(vehicles.truck)", enter="> 0.5", exit="< 0.4")
    made = publisher(tmp_path, [camera(truck=plain)], [HandSink()])
    with pytest.raises(PublishError, match="dock-03 has no empty view: expected a rule that needs subjects"):
        made.teach_view(CAMERA, 10.0, is_anew=False)
    made.close(1.0)


def test_a_camera_of_unknown_pose_learns_its_empty_view(tmp_path):
    found = camera()
    unposed = dataclasses.replace(found, spec=dataclasses.replace(found.spec, view=None))
    made = publisher(tmp_path, [unposed], [HandSink()])
    assert deliver(made, looked(0)).of(CAMERA).view_sample_wanted is True
    made.close(1.0)


@pytest.mark.parametrize(("has_pose", "counts"), [(True, [1.0, 1.0]), (False, [1.0, 0.0])])
def test_what_leaves_at_the_bottom_is_gone_where_nothing_says_that_it_came_nearer(tmp_path, has_pose, counts):
    found = camera(full=rule(measure="count_in(apron)", enter=">= 1", exit="< 1"))
    spec = found.spec if has_pose else dataclasses.replace(found.spec, view=None)
    made = publisher(tmp_path, [dataclasses.replace(found, spec=spec)], [sink := HandSink()])
    mask = np.zeros(GRID, dtype=bool)
    mask[-4:, 10:14] = True
    lowest = dataclasses.replace(subject(3.0), mask=mask, box=(0.36, 0.75, 0.5, 1.0))
    for seq in (0, 1):
        deliver(made, replaced(looked(seq), subjects=(lowest,)))
    deliver(made, looked(2))
    made.close(1.0)
    assert [each["rules"]["full"]["value"] for each in results(sink)[1:]] == counts


def test_what_was_learnt_while_the_publisher_was_down_is_gone_on_from(tmp_path):
    found = commissioned(tmp_path)
    made = publisher(tmp_path, [found], [HandSink()])
    deliver(made, looked(0, view_sample=view_sample()))
    made.close(1.0)
    store = ArtefactStore(tmp_path / "state/artefacts")
    four = [[dataclasses.replace(view_sample(), luma=luma)] * 3 for luma in (200.0, 90.0, 40.0, 15.0)]
    store.put(f"learner/{CAMERA}", ViewLearner(made_by=MODEL.fingerprint).seeded(four).to_bytes())
    made = publisher(tmp_path, [found], [sink := HandSink()])
    made.teach_view(CAMERA, 10.0, is_anew=False)
    for seq in range(200, 230):
        deliver(made, looked(seq, lease=18, view_sample=view_sample()))
    made.close(1.0)
    learnt = [body(each) for each in sink.seen if each.kind == "scene" and body(each)["change"] == "view_learnt"]
    assert {each["lights"] for each in learnt} == {4}


def low(metres):
    """Somebody at the bottom of the picture."""
    mask = np.zeros(GRID, dtype=bool)
    mask[-3:, 10:14] = True
    return dataclasses.replace(subject(metres), box=(10 / 28, 13 / 16, 0.5, 1.0), mask=mask)


def sunk(tmp_path, hold_below, seconds):
    """Alerts of a forklift that sinks below the picture and is not seen again, one frame a second."""
    made = camera(too_close=rule())
    scene = made.spec.scene.model_copy(update={"hold_below": hold_below})
    made = dataclasses.replace(made, spec=dataclasses.replace(made.spec, scene=scene))
    found = publisher(tmp_path, [made], [sink := HandSink()])
    for seq in range(3):
        deliver(found, replaced(looked(seq), subjects=(low(2.4 - 0.1 * seq),)))
    for seq in range(3, seconds):
        deliver(found, looked(seq))
    found.close(1.0)
    return sink, [body(each) for each in sink.seen if each.kind == "alert"]


def test_what_sank_below_the_picture_and_is_not_seen_again_ends_its_episode_and_the_end_says_why(tmp_path):
    sink, alerts = sunk(tmp_path, 20.0, 40)
    assert ids(sink.seen, "alert") == [f"{CAMERA}/too_close/1/start", f"{CAMERA}/too_close/1/end"]
    assert alerts[-1]["reason"] == "below the picture for 20 s, not seen again"
    assert alerts[-1]["text"].endswith("nearest 2.2 m (below the picture for 20 s, not seen again)")
    held = [each for each in results(sink) if any(subject["is_held"] for subject in each["subjects"])]
    assert len(held) == 20


def test_until_then_the_episode_goes_on(tmp_path):
    sink, _ = sunk(tmp_path, 600.0, 120)
    assert ids(sink.seen, "alert") == [f"{CAMERA}/too_close/1/start"]


def test_a_camera_that_accepts_one_light_waits_for_one_not_for_two(tmp_path):
    made = publisher(tmp_path, [camera(too_close=rule(accept="one_light"))], [HandSink()])
    deliver(made, looked(0, lights=0))
    said = made.snapshot().scenes[CAMERA].text
    assert "has seen no light yet; rules that need subjects are unknown until it has seen one" in said
    made.close(1.0)
