"""Who may have the configuration read again, and what is answered: over HTTP, by SIGHUP, by the file itself."""

import os
import signal
import threading
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from pipeline.clock import SystemClock
from pipeline.config import load_config
from pipeline.control.changes.applied import told
from pipeline.control.changes.file_watch import FileWatch, hangups
from pipeline.control.changes.reload import Reload
from pipeline.control.changes.reload_triggers import ReloadTriggers
from pipeline.control.model import ModelSpec
from pipeline.control.planning.specs import RunSpec
from pipeline.control.serving.http import build_app
from pipeline.control.snapshot import PipelineSnapshot
from pipeline.errors import PipelineError

CAMERAS = """\
version: 1
heads: {depth: {kind: depth, checkpoint: fit_for_view}}
cameras:
  a: {source: {url: "rtsp://127.0.0.1/a"}}
  b: {source: {url: "rtsp://127.0.0.1/b"}}
sinks: {jsonl: {path: out}}
"""
POSED = """heads: [depth], view: {hfov: 74deg, height: 3m, pitch: 24deg}}"""


class Crew:
    """Does at once what it is told, unless it is told to wait."""

    def __init__(self, spec):
        self.spec = spec
        self.orders = []
        self.may_finish = threading.Event()
        self.may_finish.set()
        self.failure = None

    def change(self, order):
        self.orders.append(order)
        self.spec = order.spec
        return SimpleNamespace(done=self.may_finish, failure=self.failure)


@pytest.fixture
def site(tmp_path):
    """A pipeline whose file can be edited, with its pages."""
    path = tmp_path / "cameras.yaml"
    path.write_text(CAMERAS)
    config = load_config(path)
    specs = tuple(config.camera_spec(camera) for camera in config.cameras)
    crew = Crew(RunSpec(config, ModelSpec(config.model, config.heads, specs, tmp_path / "artefacts", {})))
    reload = Reload(crew, SystemClock(), threading.Event())
    page = TestClient(build_app(lambda: PipelineSnapshot("yard", 0), frozenset(), "secret", apply=reload.apply))

    def post(token="secret", **asked):
        answer = page.post("/config/apply", json=asked, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.json()

    return SimpleNamespace(path=path, crew=crew, reload=reload, post=post)


def edit(site, old, new):
    text = site.path.read_text()
    assert old in text
    site.path.write_text(text.replace(old, new))


def test_each_camera_has_its_answer(site):
    edit(site, '/a"}}', '/a"}, priority: 2}')
    edit(site, '  b: {source: {url: "rtsp://127.0.0.1/b"}}', '  c: {source: {url: "rtsp://127.0.0.1/c"}}')
    edit(site, "sinks:", '  d: {source: {url: "http://"}}\nsinks:')
    edit(site, "version: 1", "version: 1\nmodel: {weights: random}")
    status, answer = site.post()
    assert status == 200
    assert answer["cameras"]["a"] == {"outcome": "applied", "did": "changed", "what": ["priority"], "reason": ""}
    assert answer["cameras"]["b"]["did"] == "removed"
    assert answer["cameras"]["c"]["did"] == "added"
    assert (answer["cameras"]["d"]["outcome"], "$.cameras.d" in answer["cameras"]["d"]["reason"]) == ("refused", True)
    assert (answer["restart"], answer["file"]) == (["model.weights"], str(site.path))
    (order,) = site.crew.orders
    assert (set(order.spec.cameras), order.changed, order.reopened) == ({"a", "c"}, {"a"}, frozenset())
    assert [each.camera for each in order.spec.model.cameras] == ["a", "c"]
    assert order.spec.config.sections.model == load_config_of(CAMERAS, site).model
    assert site.post()[1]["cameras"]["a"]["outcome"] == "unchanged"
    assert len(site.crew.orders) == 1


def load_config_of(text, site):
    path = site.path.with_name("before.yaml")
    path.write_text(text)
    return load_config(path)


def test_a_dry_run_changes_nothing(site):
    edit(site, '/a"}}', '/other"}}')
    status, answer = site.post(dry_run=True)
    assert (status, answer["cameras"]["a"]["did"], answer["is_dry_run"]) == (200, "reopened", True)
    assert site.crew.orders == []


def test_a_head_that_is_fitted_at_a_view_needs_a_start(site):
    edit(site, '/a"}}', '/a"}, ' + POSED)
    assert site.post()[1]["cameras"]["a"] == {
        "outcome": "needs_restart",
        "did": "",
        "what": [],
        "reason": "head depth must be fitted at its view first",
    }
    assert site.crew.orders == []


def test_cameras_that_share_a_topic_are_opened_anew_together(tmp_path):
    kafka = '{source: {kafka: {topic: t, brokers: ["127.0.0.1:9092"]}}}'
    path = tmp_path / "cameras.yaml"
    path.write_text(f"version: 1\ncameras:\n  a: {kafka}\n  b: {kafka}\nsinks: {{jsonl: {{path: out}}}}\n")
    config = load_config(path)
    specs = tuple(config.camera_spec(camera) for camera in config.cameras)
    crew = Crew(RunSpec(config, ModelSpec(config.model, config.heads, specs, tmp_path, {})))
    path.write_text(path.read_text().replace("sinks:", f"  c: {kafka}\nsinks:"))
    answers = Reload(crew, SystemClock(), threading.Event()).apply().cameras
    assert {camera: (each.did, each.what) for camera, each in answers.items()} == {
        "a": ("reopened", ("shared feed",)),
        "b": ("reopened", ("shared feed",)),
        "c": ("added", ()),
    }
    assert crew.orders[0].reopened == {"a", "b"}


def test_a_file_that_is_mistaken_as_a_whole_is_refused_with_every_mistake(site):
    edit(site, "sinks:", "sink:")
    status, answer = site.post()
    assert (status, answer["code"]) == (422, "usage")
    assert "unknown key 'sink'" in answer["detail"]
    site.path.write_text("cameras: [")
    assert site.post()[0] == 422
    site.path.unlink()
    assert "No such file" in site.post()[1]["detail"]


def test_the_page_wants_the_token_the_right_file_and_a_known_form(site):
    assert site.post(token="other")[0] == 401
    assert site.post(file="cameras.yaml")[0] == 200
    status, answer = site.post(file="others.yaml")
    assert (status, "runs with" in answer["detail"]) == (422, True)
    assert site.post(dri_run=True)[0] == 422


def test_a_second_change_is_told_to_wait_and_one_that_failed_says_so(site):
    edit(site, '/a"}}', '/other"}}')
    site.crew.may_finish.clear()
    answers = []
    first = threading.Thread(target=lambda: answers.append(site.post()))
    first.start()
    while not site.crew.orders:
        first.join(0.002)
    assert (site.post()[0], site.post()[1]["code"]) == (409, "busy")
    site.crew.may_finish.set()
    first.join()
    assert answers[0][0] == 200
    site.crew.failure = PipelineError("nobody has seen the nodes", code="no_nodes")
    edit(site, "/other", "/third")
    assert site.post() == (503, {"detail": "nobody has seen the nodes", "code": "no_nodes"})


def test_the_answer_in_sentences(site):
    edit(site, '/a"}}', '/other"}}')
    edit(site, "version: 1", "version: 1\nruntime: {publishers: 2}")
    assert told(site.reload.apply()) == [
        "a: reopened (source)",
        "1 camera unchanged",
        "runtime.publishers: needs restart",
    ]


def look(triggers):
    """One look, and what came of it."""
    triggers.look()
    if triggers._thread is not None:
        triggers._thread.join()


def test_sighup_reads_the_file_again_and_says_what_became_of_it(site):
    before, said = signal.getsignal(signal.SIGHUP), []
    try:
        triggers = ReloadTriggers(site.reload, said.append, hangups(), None)
        edit(site, '/a"}}', '/other"}}')
        look(triggers)
        assert (site.crew.orders, said) == ([], [])
        os.kill(os.getpid(), signal.SIGHUP)
        look(triggers)
        assert said == [f"{site.path} was read again", "a: reopened (source)", "1 camera unchanged"]
        look(triggers)
        assert len(said) == 3
        site.path.write_text("cameras: [")
        os.kill(os.getpid(), signal.SIGHUP)
        look(triggers)
        assert "nothing was changed" in said[-1]
    finally:
        signal.signal(signal.SIGHUP, before)
    assert len(site.crew.orders) == 1


def test_a_watched_file_is_applied_once_it_has_settled(site):
    said = []
    triggers = ReloadTriggers(site.reload, said.append, threading.Event(), FileWatch(site.path))
    look(triggers)
    text = site.path.read_text()
    site.path.write_text(text[:80])
    look(triggers)
    site.path.write_text(text.replace('/a"}}', '/other"}}'))
    look(triggers)
    assert said == [], "it may be half written"
    look(triggers)
    assert said[1] == "a: reopened (source)"
    os.utime(site.path)
    look(triggers)
    look(triggers)
    assert len(site.crew.orders) == 1, "touched, and it says the same"


def test_a_watched_folder_sees_its_cameras(tmp_path):
    folder = tmp_path / "site"
    (folder / "cameras").mkdir(parents=True)
    (folder / "site.yaml").write_text("version: 1\n")
    (folder / "cameras" / "a.yaml").write_text("source: {file: a.mp4}\n")
    watch = FileWatch(folder)
    assert not watch.has_changed()
    (folder / "cameras" / "b.yaml").write_text("source: {file: b.mp4}\n")
    assert [watch.has_changed() for _ in range(3)] == [False, True, False]
    (folder / "cameras" / "a.yaml").unlink()
    assert [watch.has_changed() for _ in range(3)] == [False, True, False]
