"""New versions of banks and collections of pictures, from the publisher's side and the owner's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import PublishError
from pipeline.frame_path.owner.versions import Versions
from pipeline.frame_path.owner.wishes import Wishes
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.collection import MAX_PICTURES, Collection
from pipeline.messages import Analysed, ArtefactVersion, CameraReceipt, Delivery
from tests.fakes_publisher import CAMERA, HandSink, camera, frame, publisher, subject


def deliver(made, *entries):
    return made.publish(Delivery(tuple(entries))).of(CAMERA)


def named(seq, version, **more):
    found = frame(seq, None, **more)
    return Analysed(replace(found.analysis, artefacts=(version,)))


@pytest.fixture
def store(tmp_path):
    made = ArtefactStore(tmp_path / "state/artefacts")
    made.put("head/vehicles", b"1")
    return made


@pytest.mark.parametrize("is_replayable", [False, True])
def test_owners_ask_for_a_new_version_with_their_next_frame_and_it_is_told_since_when(tmp_path, store, is_replayable):
    made = publisher(tmp_path, [camera(is_replayable=is_replayable)], [HandSink()])
    assert made.attach(CAMERA, 17).artefacts == ("head/vehicles@1",)
    versions = Versions(("head/vehicles@1",))
    for version in deliver(made, named(0, "head/vehicles@1")).artefacts:
        versions.add(version)
    assert versions.at((17, 1)) == ("head/vehicles@1",)
    made.adopt(store.put("head/vehicles", b"2"))
    for version in deliver(made, named(1, "head/vehicles@1")).artefacts:
        versions.add(version)
    assert versions.at((17, 2)) == ("head/vehicles@2",)
    assert made.snapshot().heads[CAMERA]["vehicles"].name == "head/vehicles@1"
    deliver(made, named(2, "head/vehicles@2"), named(3, "head/vehicles@2"))
    used = made.snapshot().heads[CAMERA]["vehicles"]
    assert (used.name, used.valid_from) == ("head/vehicles@2", (17, 2))
    assert made.attach(CAMERA, 18).artefacts == ("head/vehicles@2",)
    made.close(1.0)


def test_a_publisher_that_is_started_again_asks_for_the_newest(tmp_path, store):
    made = publisher(tmp_path, [camera()], [HandSink()])
    deliver(made, named(0, "head/vehicles@1"))
    made.close(1.0)
    store.put("head/vehicles", b"2")
    made = publisher(tmp_path, [camera()], [HandSink()])
    assert [each.name for each in deliver(made, named(1, "head/vehicles@1")).artefacts] == ["head/vehicles@2"]
    made.close(1.0)


@pytest.mark.usefixtures("store")
def test_a_version_of_a_head_that_the_camera_lacks_is_not_asked_for(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    made.adopt("head/animals@4")
    assert made.attach(CAMERA, 17).artefacts == ("head/vehicles@1",)
    made.close(1.0)


def test_an_older_receipt_that_comes_late_brings_no_older_version_back():
    versions = Versions(("head/vehicles@9",))
    for number in (10, 9, 8):
        versions.add(ArtefactVersion(f"head/vehicles@{number}", (-1, -1)))
    assert versions.at((0, 0)) == ("head/vehicles@10",)


def test_a_collection_opens_the_gate_until_it_ends(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    wishes = Wishes()
    wishes.received(deliver(made, frame(0, None)), has_sample_in_flight=True)
    assert not wishes.needs_analysis
    made.collect(CAMERA)
    wishes.received(deliver(made, frame(1, None)), has_sample_in_flight=True)
    assert (wishes.needs_analysis, wishes.is_collecting) == (True, True)
    made.collected(CAMERA)
    wishes.received(deliver(made, frame(2, None)), has_sample_in_flight=True)
    assert not wishes.needs_analysis
    assert not CameraReceipt(CAMERA, None, ()).is_collecting
    made.close(1.0)


def test_frames_with_one_subject_are_taken_once_and_the_others_are_counted(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    made.collect(CAMERA)
    two = frame(2, 2.0, picture=b"c").analysis
    deliver(made, frame(0, 2.0), frame(1, 2.0, picture=b"a"))
    deliver(made, Analysed(replace(two, subjects=(subject(2.0), subject(4.0)))), frame(3, None, picture=b"d"))
    deliver(made, frame(1, 2.0, picture=b"a"), frame(3, None, picture=b"d"))  # the receipt was lost
    found = made.collected(CAMERA)
    assert [(each.frame, each.jpeg, each.mask.sum()) for each in found.samples] == [(f"{CAMERA}/17/1", b"a", 12)]
    assert found.skipped == {"in flight when it began": 1, "several subjects": 1, "no subject": 1}
    with pytest.raises(PublishError) as caught:
        made.collected(CAMERA)
    assert caught.value.code == "not_collecting"
    with pytest.raises(PublishError, match="not published here"):
        made.collect("gate")
    made.close(1.0)


def test_without_a_learnt_view_whole_pictures_are_taken_and_thinned_evenly():
    collection = Collection()
    for seq in range(50):
        collection.see(replace(frame(seq, None, picture=b"x").analysis, view=None))
    found = collection.end()
    assert [each.mask for each in found.samples] == [None] * MAX_PICTURES
    assert (found.samples[0].frame, found.samples[-1].frame) == (f"{CAMERA}/17/0", f"{CAMERA}/17/49")
    assert found.skipped == {"more than needed": 50 - MAX_PICTURES}
