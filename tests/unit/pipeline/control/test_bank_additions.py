"""`POST /banks/add` over a real publisher, a real folder and a real artefact store; the model is a stand-in."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient

from operators.preview import fine_jpeg
from operators.retrieval.bank import Bank
from operators.retrieval.vectors import VectorSet
from pipeline.config import load_config
from pipeline.control.banks.bank_additions import BankAdditions
from pipeline.control.banks.bank_folder import kept_pictures
from pipeline.control.banks.bank_request import AddRequest, parse_span
from pipeline.control.serving.http import build_app
from pipeline.control.snapshot import PipelineSnapshot
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.published import PublishedCamera
from pipeline.messages import Delivery
from tests.fakes_publisher import CAMERA, HandClock, HandSink, frame, publisher, subject

CONFIG = """\
version: 1
heads:
  vehicles: {{kind: knn, bank: {bank}}}
cameras:
  dock-03: {{source: {{simulated: dock}}, heads: [embedding, vehicles]}}
  clip: {{source: {{file: clip.mp4}}, heads: [embedding]}}
sinks: {{jsonl: {{path: out}}}}
evidence: {{store: {evidence}}}
"""
TOKEN = "a-token"


class InProcess:
    """An actor without Ray."""

    def __init__(self, name, target):
        self.name, self.actor, self.target = name, target, target
        self.failure = None

    def call(self, method, *args, timeout_seconds=15.0):
        del timeout_seconds
        if self.failure is not None:
            raise self.failure
        return getattr(self.target, method)(*args)


class Model:
    """Embeds a picture as its mean colour."""

    def __init__(self, diary):
        self.diary = diary

    def learn(self, pictures):
        vectors = np.stack([[*each.rgb.mean(axis=(0, 1)), 1.0] for each in pictures]).astype(np.float32)
        names = [each.name for each in pictures]
        return Bank((pictures[0].label,), VectorSet.of("s", vectors, np.zeros(len(pictures), int), names)).to_bytes()

    def analyze(self, items):
        """Two subjects; the camera's first one is nearer."""
        mask = np.ones((4, 7), bool)
        found = frame(0, 2.0).analysis
        near, far = replace(found.subjects[0], mask=mask), replace(subject(7.0), mask=mask)
        return [replace(found, ticket=item.ticket, subjects=(far, near)) for item in items]

    def load(self, version):
        self.diary.append(("load", version))


class Yard:
    """A publisher, two analyzers and a bank of two classes; while time passes, frames are delivered."""

    def __init__(self, folder):
        self.diary = []
        vectors = VectorSet.of("s", np.eye(4, dtype=np.float32)[:2], np.arange(2), ("forklift/a.jpg", "truck/b.jpg"))
        self.folder = folder / "bank"
        Bank(("forklift", "truck"), vectors).save(self.folder)
        self.store = ArtefactStore(folder / "state/artefacts")
        self.store.put("head/vehicles", Bank.load(self.folder).to_bytes())
        path = folder / "cameras.yaml"
        path.write_text(CONFIG.format(bank=self.folder, evidence=folder / "evidence"))
        config = load_config(path)
        self.publisher = publisher(folder, [PublishedCamera(config.camera_spec(CAMERA), False)], [HandSink()])
        self.publishers = [InProcess("publish-0", self.publisher)]
        self.analyzers = [InProcess(f"analyze-{n}", Model(self.diary)) for n in range(2)]
        self.clock = HandClock()
        self.clock.wait = self.pass_time
        self.seq = 0
        self.coming = [frame]
        self.stop = threading.Event()
        self.additions = BankAdditions(lambda: config, folder / "state/artefacts", self, self.clock, self.stop)
        self.client = TestClient(build_app(lambda: PipelineSnapshot("yard", 0), frozenset(), TOKEN, self.additions.add))

    def running(self, kind):
        return {"analyze": self.analyzers, "publish": self.publishers}[kind]

    def publisher_of(self, camera):
        del camera
        return self.publishers[0]

    def pass_time(self, event, seconds):
        """Ten frames of a red thing, each asked with what the publisher announces."""
        self.clock.now += seconds
        red = np.zeros((56, 98, 3), np.uint8)
        red[..., 0] = 200
        for _ in range(10):
            self.seq += 1
            versions = self.publisher.attach(CAMERA, 17).artefacts
            found = frame(self.seq, 2.0, picture=fine_jpeg(red))
            mask = np.zeros((4, 7), bool)
            mask[1, 2] = True
            only = replace(found.analysis.subjects[0], mask=mask)
            subjects = () if self.coming == [] else (only,)
            analysis = replace(found.analysis, artefacts=versions, subjects=subjects)
            self.publisher.publish(Delivery((replace(found, analysis=analysis),)))
        return event.is_set()

    def stop_after_collection(self):
        """Its frames come while they are collected, and then no more."""

        def pass_first(event, seconds):
            self.pass_time(event, seconds)
            self.clock.wait = self.pass_empty
            return event.is_set()

        self.clock.wait = pass_first

    def pass_empty(self, event, seconds):
        self.clock.now += seconds
        return event.is_set()

    def post(self, token=TOKEN, **request):
        answer = self.client.post("/banks/add", json=request, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.json()


@pytest.fixture
def yard(tmp_path):
    made = Yard(tmp_path)
    yield made
    made.publisher.close(1.0)


def test_a_class_is_collected_learnt_loaded_by_all_kept_and_named_by_results(yard):
    code, body = yard.post(label="pallet", camera=CAMERA, next_seconds=5.0)
    assert code == 200, body
    assert (body["pictures"], body["with_subject"], body["artefacts"]) == (10, 10, ["head/vehicles@2"])
    assert body["skipped"] == {}
    assert yard.diary == [("load", "head/vehicles@2")] * 2
    assert body["valid_from"] == {CAMERA: f"{CAMERA}/17/11"}
    assert (body["waiting"], body["seconds"] <= 5.0) == ([], True)
    bank = Bank.load(yard.folder)
    assert bank.counts() == [("forklift", 1), ("pallet", 10), ("truck", 1)]
    assert yard.store.get("head/vehicles@2") == bank.to_bytes()
    kept = sorted((yard.folder / "pictures/pallet").rglob("*.jpg"))
    assert len(kept) == 10
    assert len({path.parent for path in kept}) == 1  # one clip


def test_a_camera_whose_results_do_not_name_the_version_in_time_is_named_and_not_passed_over(yard):
    yard.stop_after_collection()
    code, body = yard.post(label="pallet", camera=CAMERA, next_seconds=5.0)
    assert code == 200, body
    assert (body["valid_from"], body["waiting"]) == ({}, [CAMERA])
    assert body["seconds"] >= 5.0


def test_an_alert_gives_its_picture_but_of_two_subjects_none_without_the_rules_line(yard, tmp_path):
    path = tmp_path / "evidence" / CAMERA / "too_close" / "000001-start-preview.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(fine_jpeg(np.full((56, 98, 3), 90, np.uint8)))
    code, body = yard.post(label="pallet", alert=f"{CAMERA}/too_close/1/start")
    assert (code, "1 with several subjects" in body["detail"]) == (422, True), body
    lone = yard.analyzers[0].target
    lone.analyze = lambda items: [replace(each, subjects=each.subjects[:1]) for each in Model([]).analyze(items)]
    code, body = yard.post(label="pallet", alert=f"{CAMERA}/too_close/1/start")
    assert (code, body.get("pictures"), body.get("with_subject")) == (200, 1, 1), body
    assert Bank.load(yard.folder).counts() == [("forklift", 1), ("pallet", 1), ("truck", 1)]


def test_kept_pictures_come_back_with_their_masks(yard):
    yard.post(label="pallet", camera=CAMERA, next_seconds=5.0)
    bank = Bank.load(yard.folder)
    only = Bank(bank.classes, bank.cls.rows(bank.cls.labels == 1))
    assert only.pooled is None  # this bank has no masks: none are kept
    assert all(each.mask is None and each.rgb.shape == (56, 98, 3) for each in kept_pictures(yard.folder, only))


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        ({"camera": "dock-3", "next_seconds": 5.0}, 404, "did you mean 'dock-03'?"),
        ({"camera": "clip", "next_seconds": 5.0}, 422, "expected one head with a bank"),
        ({"camera": CAMERA, "head": "vehicle", "next_seconds": 5.0}, 404, "did you mean 'vehicles'?"),
        ({"camera": CAMERA, "next_seconds": 5.0, "at_seconds": [1, 2]}, 422, "exactly one of"),
        ({"camera": CAMERA, "at_seconds": [1, 2]}, 422, "no file"),
        ({"camera": CAMERA, "next_seconds": 600}, 422, "up to 60 s"),
        ({"camera": CAMERA, "next_seconds": 5.0, "label": "../x"}, 422, "class: expected letters"),
        ({"camera": CAMERA, "next": 5}, 422, "wrong request"),
        ({"alert": f"{CAMERA}/too_close/1/start"}, 422, "no picture of it is kept"),
        ({"alert": CAMERA}, 422, "expected an id such as"),
    ],
)
def test_what_cannot_be_right_is_one_sentence_and_changes_nothing(yard, request_, status, says):
    code, body = yard.post(**{"label": "pallet", **request_})
    assert (code, says in body["detail"]) == (status, True), body
    assert "\n" not in body["detail"]
    assert yard.store.latest("head/vehicles") == "head/vehicles@1"


def test_a_wrong_token_opens_nothing(yard):
    assert yard.post(token="another", label="pallet", camera=CAMERA, next_seconds=5.0)[0] == 401
    assert yard.store.latest("head/vehicles") == "head/vehicles@1"


def test_an_empty_collection_says_what_was_seen_instead(yard):
    yard.coming = []
    code, body = yard.post(label="pallet", camera=CAMERA, next_seconds=5.0)
    assert (code, body["code"]) == (422, "empty")
    assert "10 with no subject" in body["detail"]
    assert yard.store.latest("head/vehicles") == "head/vehicles@1"


def test_pictures_of_another_space_change_nothing(yard):
    other = VectorSet.of("other", np.eye(4, dtype=np.float32)[:1], np.zeros(1, int))
    for each in yard.analyzers:
        each.target.learn = lambda _: Bank(("pallet",), other).to_bytes()
    code, body = yard.post(label="pallet", camera=CAMERA, next_seconds=5.0)
    assert (code, "different spaces" in body["detail"]) == (409, True)
    assert yard.store.latest("head/vehicles") == "head/vehicles@1"


def test_a_dead_analyzer_hinders_nobody_and_none_at_all_is_said(yard):
    yard.analyzers[0].failure = PipelineError("the actor is gone", code="died", where="analyze-0")
    assert yard.post(label="pallet", camera=CAMERA, next_seconds=5.0)[0] == 200
    assert yard.diary == [("load", "head/vehicles@2")]
    yard.analyzers.clear()
    code, body = yard.post(label="box", camera=CAMERA, next_seconds=5.0)
    assert (code, "no analyzer runs" in body["detail"]) == (503, True)


def test_two_at_once_are_refused(yard):
    inner = []
    wait = yard.clock.wait
    request = AddRequest(label="box", camera=CAMERA, next_seconds=1.0)

    def ask_meanwhile(event, seconds):
        with pytest.raises(PipelineError) as caught:
            yard.additions.add(request)
        inner.append(caught.value.code)
        return wait(event, seconds)

    yard.clock.wait = ask_meanwhile
    assert yard.post(label="pallet", camera=CAMERA, next_seconds=5.0)[0] == 200
    assert set(inner) == {"busy"}


def test_a_report_stays_readable_after_an_addition(yard):
    yard.post(label="pallet", camera=CAMERA, next_seconds=5.0)
    report = json.loads((yard.folder / "report.json").read_text())
    assert report["classes"]["pallet"] == 10


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:12..00:17", (12.0, 17.0)), ("1:02:03..1:02:08.5", (3723.0, 3728.5)), ("12s..17s", (12.0, 17.0))],
)
def test_spans(text, seconds):
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["00:12", "a..b", "12..17", "00:12..", "..00:17"])
def test_what_is_no_span_is_said(text):
    with pytest.raises(ValueError, match=r"expected a span such as 00:12\.\.00:17"):
        parse_span(text)
