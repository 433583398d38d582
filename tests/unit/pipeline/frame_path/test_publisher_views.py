from __future__ import annotations

import numpy as np
import pytest

from operators.results import ViewSample
from operators.scene.empty_view import EmptyView, build_view
from operators.scene.view_learner import ViewLearner
from pipeline.errors import PublishError
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from tests.fakes_publisher import CAMERA, GRID, MODEL, HandSink, body, camera, deliver, frame, publisher


def sample(luma: float = 100.0, seed: int = 0) -> ViewSample:
    tokens = np.random.default_rng(seed).normal(size=(GRID[0] * GRID[1], 8))
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    return ViewSample(np.full(GRID, np.log(6.0), np.float16), tokens.astype(np.float16), luma)


def looked(seq, **more):
    return frame(seq, None, view_sample=sample(), **more)


def learn(made, **more):
    """Samples 2 s apart until the first view is made."""
    for seq in range(0, 50, 10):
        receipt = deliver(made, looked(seq, **more))
    return receipt.of(CAMERA)


def test_a_view_is_learnt_from_samples_and_becomes_valid_with_the_next_live_frame(tmp_path):
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    assert made.attach(CAMERA, 17).view_sample_wanted is True
    receipt = learn(made)
    assert [(each.name, each.valid_from) for each in receipt.artefacts] == [("view/dock-03@1", (17, 41))]
    (event,) = [body(each) for each in sink.seen if each.kind == "scene"]
    assert (event["change"], event["view"], event["lights"]) == ("view_learnt", "view/dock-03@1", 1)
    view = EmptyView.from_bytes(ArtefactStore(tmp_path / "state/artefacts").get("view/dock-03@1"))
    assert (view.num_lights, view.made_by) == (1, MODEL.fingerprint)
    assert made.snapshot().views == {CAMERA: "view/dock-03@1"}
    assert made.attach(CAMERA, 18).artefacts == ("view/dock-03@1",)
    made.close(1.0)


def test_a_store_that_cannot_be_written_is_the_state_and_no_fault_of_the_frame(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    blocked = tmp_path / "state/artefacts/view"
    blocked.parent.mkdir(exist_ok=True)
    blocked.touch()
    with pytest.raises(PublishError) as caught:
        learn(made)
    assert caught.value.code == "state_unwritable"
    blocked.unlink()
    assert [each.name for each in deliver(made, looked(40)).of(CAMERA).artefacts] == ["view/dock-03@1"]
    made.close(1.0)


def test_a_replayable_camera_meets_a_new_view_beyond_every_frame_in_flight(tmp_path):
    made = publisher(tmp_path, [camera(is_replayable=True)], [sink := HandSink()])
    receipt = learn(made, epoch=0)
    (version,) = receipt.artefacts
    assert version.valid_from == (0, 40 + 320 * 10)
    sink.settle()
    assert made.attach(CAMERA, 18).artefacts == ()
    deliver(made, frame(3240, None, epoch=0, lease=18))
    sink.settle()
    assert made.attach(CAMERA, 19).artefacts == ("view/dock-03@1",)
    made.close(1.0)


def test_no_sample_is_asked_for_or_taken_while_a_rule_is_engaged(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    receipt = deliver(made, frame(0, 2.5, view_sample=sample()))
    assert receipt.of(CAMERA).view_sample_wanted is False
    assert deliver(made, frame(1, None)).of(CAMERA).view_sample_wanted is True
    made.close(1.0)


def test_learning_goes_on_after_a_restart(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    for seq in (0, 10, 20):
        deliver(made, looked(seq))
    made.close(1.0)
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    for seq in (30, 40):
        deliver(made, looked(seq, lease=18))
    assert [each.id for each in sink.seen if each.kind == "scene"] == ["dock-03/scene/view/dock-03@1"]
    made.close(1.0)


def test_a_commissioned_view_is_used_and_not_replaced_by_a_poorer_one(tmp_path):
    store = ArtefactStore(tmp_path / "state/artefacts")
    store.put("view/dock-03", build_view([[sample()], [sample(60.0, 1)]], MODEL.fingerprint).to_bytes())
    made = publisher(tmp_path, [camera()], [HandSink()])
    attached = made.attach(CAMERA, 17)
    assert (attached.artefacts, attached.view_sample_wanted) == (("view/dock-03@1",), False)
    assert learn(made).artefacts[-1].name == "view/dock-03@1"
    made.close(1.0)


def test_a_commissioned_learner_goes_on_from_its_lights(tmp_path):
    store = ArtefactStore(tmp_path / "state/artefacts")
    lights = [[sample()] * 3, [sample(60.0, 1)] * 3]
    store.put("view/dock-03", build_view(lights, MODEL.fingerprint).to_bytes())
    store.put("learner/dock-03", ViewLearner(made_by=MODEL.fingerprint).seeded(lights).to_bytes())
    made = publisher(tmp_path, [camera()], [HandSink()])
    attached = made.attach(CAMERA, 17)
    assert (attached.artefacts, attached.view_sample_wanted) == (("view/dock-03@1",), True)
    made.close(1.0)


def test_a_view_of_another_model_is_not_used(tmp_path):
    store = ArtefactStore(tmp_path / "state/artefacts")
    store.put("view/dock-03", build_view([[sample()]], "another model").to_bytes())
    made = publisher(tmp_path, [camera()], [HandSink()])
    attached = made.attach(CAMERA, 17)
    assert (attached.artefacts, attached.view_sample_wanted) == ((), True)
    made.close(1.0)


def test_banks_of_the_cameras_heads_are_named_with_their_version(tmp_path):
    store = ArtefactStore(tmp_path / "state/artefacts")
    store.put("head/vehicles", b"1")
    store.put("head/vehicles", b"2")
    store.put("head/animals", b"3")
    made = publisher(tmp_path, [camera()], [HandSink()])
    assert made.attach(CAMERA, 17).artefacts == ("head/vehicles@2",)
    made.close(1.0)
