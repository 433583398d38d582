"""The pages and the commands that act on alerts, over a real publisher and a real HTTP server; only Ray is missing."""

from __future__ import annotations

import getpass
import sys
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from pipeline.cli import app as command_line
from pipeline.control.camera_actions import CameraActions
from pipeline.control.serving.http import HttpServer, build_app
from pipeline.control.snapshot import PipelineSnapshot
from pipeline.errors import PipelineError
from pipeline.local.child import free_port
from pipeline.messages import Delivery
from tests.fakes_publisher import CAMERA, START_NS, HandSink, body, camera, frame, publisher

TOKEN = "right-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
START = "dock-03/too_close/1/start"


class Crew:
    """A supervisor with one publisher, which may be away."""

    def __init__(self, made):
        self.made = made
        self.is_away = False

    def publisher_of(self, _camera):
        if self.is_away:
            raise PipelineError("publish-0 is being started again. Ask again in a few seconds", code="not_running")
        return SimpleNamespace(call=lambda method, *args: getattr(self.made, method)(*args))


@pytest.fixture
def yard(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    crew = Crew(made)
    actions = CameraActions(lambda: SimpleNamespace(cameras={CAMERA: None, "gate": None}), crew)
    app = build_app(lambda: PipelineSnapshot("yard", 0), frozenset(), TOKEN, act=actions.act)
    yield SimpleNamespace(sink=sink, made=made, crew=crew, app=app, page=TestClient(app))
    made.close(1.0)


def alerts(sink):
    return [body(each) for each in sink.seen if each.kind == "alert"]


def test_a_mute_over_http_is_an_event_with_who_and_until(yard):
    asked = {"by": "anna", "reason": "crane works", "for_seconds": 7200}
    answer = yard.page.post(f"/cameras/{CAMERA}/mute", json=asked, headers=BEARER)
    assert answer.status_code == 200, answer.text
    assert answer.json()["until_ns"] == START_NS + 7200 * 10**9
    (mute,) = alerts(yard.sink)
    assert answer.json()["events"] == [mute["id"]]
    assert (mute["by"], mute["reason"], mute["action"]) == ("anna", "crane works", "mute")


@pytest.mark.parametrize(
    ("path", "asked", "status", "says"),
    [
        ("/cameras/dock-3/mute", {"by": "anna"}, 404, "unknown camera 'dock-3': expected one of dock-03, gate"),
        (f"/cameras/{CAMERA}/mute", {"by": "anna", "rule": "near"}, 404, "unknown rule 'near' of dock-03"),
        (f"/cameras/{CAMERA}/mute", {}, 422, "wrong request: Object missing required field `by`"),
        (f"/cameras/{CAMERA}/mute", {"by": "anna", "for": "2h"}, 422, "unknown field `for`"),
        (f"/cameras/{CAMERA}/mute", {"by": "anna", "reason": "x" * 501}, 422, "length <= 500"),
        (f"/cameras/{CAMERA}/mute", {"by": "anna", "for_seconds": 1e12}, 422, "for: expected up to 366 days"),
        (f"/cameras/{CAMERA}/unmute", {"by": "anna"}, 409, "dock-03 is not muted"),
        (f"/cameras/{CAMERA}/ack", {"by": "anna", "alert": START}, 409, "is not active"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(yard, path, asked, status, says):
    answer = yard.page.post(path, json=asked, headers=BEARER)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text
    assert yard.sink.seen == []


def test_without_the_token_nothing_is_changed(yard):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = yard.page.post(f"/cameras/{CAMERA}/disarm", json={"by": "eve"}, headers=headers)
        assert answer.status_code == 401
    assert yard.page.post(f"/cameras/{CAMERA}/explode", json={"by": "eve"}, headers=BEARER).status_code == 422
    assert yard.sink.seen == []


def test_a_publisher_that_is_away_is_no_fault_of_whoever_asks(yard):
    yard.crew.is_away = True
    answer = yard.page.post(f"/cameras/{CAMERA}/mute", json={"by": "anna"}, headers=BEARER)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_running")


# --- the commands --------------------------------------------------------------------------------------------------


@pytest.fixture
def served(yard, monkeypatch):
    monkeypatch.setenv("DINOSTREAM_TOKEN", TOKEN)
    server = HttpServer(yard.app, "127.0.0.1:0")
    server.start()
    yard.address = server.address
    yield yard
    server.stop()


def call(monkeypatch, *words):
    """Exit status of `main.py WORDS`."""
    monkeypatch.setattr(sys, "argv", ["main.py", *words])
    with pytest.raises(SystemExit) as left:
        command_line.main()
    return left.value.code


def test_the_five_commands(served, monkeypatch, capsys):
    where = ("--http", served.address)
    served.made.publish(Delivery(tuple(frame(n, 2.5) for n in range(5))))
    said = ("--for", "2h", "--reason", "crane works", *where)
    assert call(monkeypatch, "mute", CAMERA, *said, "--by", "anna") == 0
    assert capsys.readouterr().out == "dock-03: muted by anna until Thu 01 Jan 02:00 (crane works)\n"
    assert call(monkeypatch, "unmute", CAMERA, *where) == 0
    assert capsys.readouterr().out == f"dock-03: unmuted by {getpass.getuser()}\n"
    assert call(monkeypatch, "ack", START, *where, "--by", "bo") == 0
    assert call(monkeypatch, "disarm", CAMERA, "--rule", "too_close", *where, "--by", "anna") == 0
    assert call(monkeypatch, "arm", CAMERA, *where, "--by", "anna") == 0
    assert capsys.readouterr().out.splitlines() == [
        "dock-03: too_close acknowledged by bo",
        "dock-03/too_close: disarmed by anna",
        "dock-03/too_close: armed by anna",
    ]
    assert [each["action"] for each in alerts(served.sink)[1:]] == ["mute", "unmute", "ack", "disarm", "arm"]


def test_commands_say_what_is_wrong_in_one_sentence(served, monkeypatch, capsys):
    where = ("--http", served.address)
    assert call(monkeypatch, "mute", "dock-3", *where) == 2
    assert "error: mute: nothing was changed: unknown camera 'dock-3'" in capsys.readouterr().err
    assert call(monkeypatch, "mute", CAMERA, "--for", "2x", *where) == 2
    assert "--for: expected a duration with a unit" in capsys.readouterr().err
    assert call(monkeypatch, "ack", "17", *where) == 2
    assert "expected the id of an alert, such as" in capsys.readouterr().err
    monkeypatch.setenv("DINOSTREAM_TOKEN", "wrong-token")
    assert call(monkeypatch, "arm", CAMERA, *where) == 2
    assert "refuses the token" in capsys.readouterr().err
    monkeypatch.delenv("DINOSTREAM_TOKEN")
    assert call(monkeypatch, "arm", CAMERA, *where) == 2
    assert "environment variable DINOSTREAM_TOKEN is not there" in capsys.readouterr().err
    monkeypatch.setenv("DINOSTREAM_TOKEN", TOKEN)
    assert call(monkeypatch, "arm", CAMERA, "--http", f"127.0.0.1:{free_port()}") == 3
    assert "does not answer: Connection refused. Does it run there?" in capsys.readouterr().err
    assert served.sink.seen == []
