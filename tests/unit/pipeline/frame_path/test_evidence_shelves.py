"""One suite for every kind of store."""

from __future__ import annotations

import fsspec
import pytest

from pipeline.frame_path.publisher.evidence import EvidenceStore, StillNamed, evidence_path
from pipeline.frame_path.publisher.evidence_shelves import read_evidence, shelf_of, store_complaint
from pipeline.messages import Delivery, Picture
from pipeline.sinks.config import EvidenceConfig
from tests.fakes_publisher import CAMERA, HandSink, body, camera, frame, publisher, rule


@pytest.fixture(params=["folder", "file", "memory"])
def store(request, tmp_path):
    address = {"folder": f"{tmp_path}/evidence", "file": f"file://{tmp_path}/evidence", "memory": "memory://evidence/a"}
    yield address[request.param]
    fsspec.filesystem("memory").store.clear()


def test_what_is_put_can_be_had_again_listed_and_deleted(store):
    shelf = shelf_of(store)
    assert list(shelf.files()) == []
    where = shelf.put("dock-03/near/000001-start.jpg", b"one")
    assert where == f"{store}/dock-03/near/000001-start.jpg"
    assert shelf.put("dock-03/near/000001-start.jpg", b"two!") == where, "replaced"
    shelf.put("dock-03/near/000001-start.mp4", b"clip")
    shelf.put("notes.txt", b"somebody else's")
    assert read_evidence(where) == shelf.get("dock-03/near/000001-start.jpg") == b"two!"
    found = {each.path: each for each in shelf.files()}
    assert set(found) == {"dock-03/near/000001-start.jpg", "dock-03/near/000001-start.mp4"}
    assert all(each.num_bytes == 4 and each.written_ns > 1_700_000_000 * 10**9 for each in found.values())
    shelf.delete("dock-03/near/000001-start.jpg")
    shelf.delete("dock-03/near/000001-start.jpg")
    assert [each.path for each in shelf.files()] == ["dock-03/near/000001-start.mp4"]
    with pytest.raises(FileNotFoundError):
        read_evidence(where)


def test_age_and_bytes_hold_in_every_store(store):
    evidence = EvidenceStore(EvidenceConfig.model_construct(store=store, keep=3600.0, max_bytes=10))
    paths = [evidence_path("dock-03", "near", episode, "start") for episode in range(1, 5)]
    for path in paths:
        evidence.put(path, b"12345")
    now_ns = max(each.written_ns for each in shelf_of(store).files())
    assert evidence.prune(now_ns, StillNamed(events=frozenset(paths[:1]))) == 2
    assert sorted(each.path for each in shelf_of(store).files()) == [paths[0], paths[3]]
    assert evidence.prune(now_ns + round(3601e9)) == 2


def test_an_alert_leaves_its_picture_there_and_names_it(tmp_path, store, monkeypatch):
    monkeypatch.setattr("tests.fakes_publisher.EvidenceConfig", lambda **_: EvidenceConfig(store=store))
    sink = HandSink()
    made = publisher(tmp_path, [camera(too_close=rule(evidence={"snapshot": True}))], [sink])
    receipt = made.publish(Delivery(tuple(frame(n, 2.5, preview=b"small") for n in range(5)))).of(CAMERA)
    (wanted,) = receipt.pictures_wanted
    made.publish(Delivery((), (Picture(wanted.event_id, wanted.ticket, b"jpeg"),)))
    made.turn()
    said = next(body(each) for each in sink.seen if each.type == "dinostream.alert.evidence.v1")
    start = next(body(each) for each in sink.seen if each.type == "dinostream.alert.start.v1")
    assert said["picture"]["path"] == start["evidence"]
    assert read_evidence(start["evidence"]) == b"jpeg"
    assert read_evidence(start["evidence"].replace(".jpg", "-preview.jpg")) == b"small"
    made.close(1.0)


def test_a_kind_that_nothing_here_can_reach_says_so_and_no_key_is_told():
    assert "fsspec knows" in store_complaint("nowhere://bucket/prefix")
    assert store_complaint("memory://x") == store_complaint("state/evidence") == ""
    with pytest.raises(OSError, match="ValueError") as caught:
        shelf_of("nowhere://bucket/prefix")
    assert caught.value.__cause__ is None
