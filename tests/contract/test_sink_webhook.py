from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.frame_path.publisher.action_request import ActionRequest
from pipeline.messages import Delivery, Kind
from pipeline.secrets import Secrets
from pipeline.sinks.base import Sink
from pipeline.sinks.config import WebhookSinkConfig
from pipeline.sinks.names import KINDS
from pipeline.sinks.queued import QueuedSink
from pipeline.sinks.webhook import Webhook, signature, signing_keys
from tests.contract.sink_contract import CANARY, Event, SinkContract, running, without_repetition
from tests.fakes_publisher import CAMERA, camera, frame, publisher
from tests.fakes_sinks import message
from tests.servers.webhook import SECRET, Posted, WebhookServer
from tests.waiting import until

SECRETS = Secrets({"hook": "${env:TEST_WEBHOOK_SECRET}"})


def sink_to(url: str, queue_bytes: int = 2**22, **settings: object) -> QueuedSink:
    config = WebhookSinkConfig.model_validate({"url": url, "secret": "hook", "kinds": KINDS, **settings})
    return QueuedSink(Webhook(config, "yard", SECRETS), queue_bytes, kinds=config.wanted)


def event_of(posted: Posted) -> Event:
    event = json.loads(posted.body)
    body = json.dumps(event.pop("data"), separators=(",", ":")).encode()
    return Event(event["id"], event, body)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", SECRET)


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    with WebhookServer() as started:
        yield started


class TestWebhook(SinkContract):
    @pytest.fixture(autouse=True)
    def _server(self, server: WebhookServer) -> None:
        self.server = server

    def make(self, queue_bytes: int = 2**22) -> Sink:
        return sink_to(self.server.url, queue_bytes)

    def make_unreachable(self, queue_bytes: int = 2**22) -> Sink:
        return sink_to(f"http://127.0.0.1:1/hook?token={CANARY}", queue_bytes)

    def read(self, kind: Kind, camera: str) -> list[Event]:
        events = [event_of(each) for each in self.server.taken]
        return [each for each in events if each.id.endswith(f"/{kind}") and each.attributes["subject"] == camera]

    def test_a_server_that_dies_and_comes_back_gets_the_rest_in_order(self) -> None:
        sent = [message("alert", number) for number in range(60)]
        sink = self.make()
        with running(sink) as settled:
            sink.put(sent[:20])
            settled.await_number(20)
            self.server.stop()
            sink.put(sent[20:])
            until("the receiver is gone", lambda: not sink.health().is_connected)
            self.server.start()
            settled.await_number(60)
        assert set(settled.outcomes().values()) == {("acknowledged", "")}
        assert without_repetition(self.read("alert", "dock-01")) == [one.id for one in sent]


def test_the_signature_is_that_of_the_standard() -> None:
    """Source: the example of Standard Webhooks' own libraries."""
    keys = signing_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_request_carries_the_event_its_id_and_the_time_of_the_attempt(server: WebhookServer) -> None:
    one, before = message("alert", 1), int(time.time())
    sink = sink_to(server.url)
    with running(sink) as settled:
        sink.put([one])
        settled.await_number(1)
    (posted,) = server.posted
    assert posted.path == "/hook?site=yard"
    assert posted.headers["content-type"].startswith("application/cloudevents+json")
    assert posted.headers["webhook-id"] == one.id
    assert before <= int(posted.headers["webhook-timestamp"]) <= int(time.time())
    assert event_of(posted).attributes == one.attributes


@pytest.mark.parametrize("status", [302, 400, 401, 404, 410])
def test_what_the_server_will_never_take_is_a_dead_letter_and_holds_up_nothing(
    server: WebhookServer, status: int
) -> None:
    bad, good = message("alert", 1), message("alert", 2)
    server.answer = lambda posted: status if posted.headers["webhook-id"] == bad.id else 204
    sink = sink_to(server.url)
    with running(sink) as settled:
        sink.put([bad, good])
        settled.await_number(2)
    assert settled.outcomes() == {
        bad.id: ("dead_lettered", f"http_{status}"),
        good.id: ("acknowledged", ""),
    }
    (letter,) = [each.letter for each in settled.all if each.letter is not None]
    assert (letter.kind, letter.id) == ("dead_letter", f"{bad.id}/dead_letter")
    assert json.loads(letter.body)["reason"] == f"webhook: http_{status}"
    assert [each.path for each in server.posted] == ["/hook?site=yard"] * 2, "no redirect was followed"


def test_a_letter_that_is_refused_makes_no_letter_of_its_own(server: WebhookServer) -> None:
    server.answer = lambda _: 400
    sink = sink_to(server.url)
    with running(sink) as settled:
        sink.put([message("dead_letter", 1)])
        settled.await_number(1)
    assert [(each.outcome, each.letter) for each in settled.all] == [("dead_lettered", None)]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_the_server_cannot_take_now_comes_again_with_the_same_id(server: WebhookServer, status: int) -> None:
    one = message("alert", 1)
    server.answer = lambda _: status if len(server.posted) < 2 else 204
    sink = sink_to(server.url)
    with running(sink) as settled:
        sink.put([one])
        server.await_posts(1)
        until(
            "refused, or sent twice",
            lambda: f"http_{status}" in sink.health().last_error or len(server.posted) > 1,
        )
        settled.await_number(1)
    assert settled.outcomes() == {one.id: ("acknowledged", "")}
    assert [each.headers["webhook-id"] for each in server.posted] == [one.id] * 3
    assert [each.status for each in server.posted] == [status, status, 204]


def test_kinds_that_it_does_not_want_are_settled_at_once_and_never_sent(server: WebhookServer) -> None:
    sink = sink_to(server.url, kinds=["alert"])
    result, state, alert = message("result", 1), message("state", 2), message("alert", 3)
    with running(sink) as settled:
        assert sink.put([result, state, alert]) == []
        settled.await_number(3)
    assert settled.outcomes() == {
        result.id: ("dropped", "not_wanted"),
        state.id: ("dropped", "not_wanted"),
        alert.id: ("acknowledged", ""),
    }
    assert [each.headers["webhook-id"] for each in server.posted] == [alert.id]


def test_a_server_that_never_answers_does_not_keep_a_sink_from_closing(server: WebhookServer) -> None:
    release = threading.Event()

    def hold(_: Posted) -> int:
        release.wait(20)
        return 204

    server.answer = hold
    sink = sink_to(server.url, timeout="60s")
    one = message("alert", 1)
    began = time.monotonic()
    with running(sink, close_seconds=0.3) as settled:
        sink.put([one])
        until("one is left", lambda: sink.health().queued == 1 and sink.health().is_connected)
    assert time.monotonic() - began < 20, "it waited for the answer"
    release.set()
    assert settled.outcomes() == {}, "it stays in the outbox"


@pytest.mark.parametrize("secret", ["", "hunter2", "whsec_c2hvcnQ=", "whsec_***", "whsec_" + "A" * 120])
def test_a_secret_of_another_form_is_said_and_not_repeated(
    server: WebhookServer, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", secret)
    sink = sink_to(server.url)
    with running(sink, close_seconds=0.1):
        sink.put([message("alert", 1)])
        until("it failed", lambda: bool(sink.health().last_error))
    assert "secret 'hook': expected whsec_ and base64 of 24 to 64 random bytes" in sink.health().last_error
    assert server.posted == []


def test_two_secrets_sign_twice_while_one_replaces_the_other(
    server: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = f"whsec_{base64.b64encode(bytes(range(100, 132))).decode()}"
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", f"{new} {SECRET}")
    sink = sink_to(server.url)
    with running(sink) as settled:
        sink.put([message("alert", 1)])
        settled.await_number(1)
    (posted,) = server.taken
    assert len(posted.headers["webhook-signature"].split(" ")) == 2


def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, missing_server: Callable[[str], NoReturn]
) -> None:
    if shutil.which("openssl") is None:
        missing_server("no openssl to make a certificate with")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    pem = tmp_path / "server.pem"
    words = [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(pem), "-out", "-"]
    made = subprocess.run(words, check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + made.stdout)
    one = message("alert", 1)
    with WebhookServer(pem) as server:
        stranger = sink_to(server.url)
        with running(stranger, close_seconds=0.1):
            stranger.put([one])
            until("the stranger is refused", lambda: bool(stranger.health().last_error))
        assert "shows a certificate that no known authority vouches for" in stranger.health().last_error
        assert server.posted == []
        trusting = sink_to(server.url, ca_file=str(pem))
        with running(trusting) as settled:
            trusting.put([one])
            settled.await_number(1)
        assert settled.outcomes() == {one.id: ("acknowledged", "")}


def test_an_alert_that_found_no_server_is_delivered_by_the_next_publisher(tmp_path: Path) -> None:
    server = WebhookServer()
    made = publisher(tmp_path, [camera()], [sink_to(server.url, kinds=["alert"])], required=[])
    made.publish(Delivery(tuple(frame(n, 2.5) for n in range(5))))
    made.act(CAMERA, ActionRequest(action="mute", by="anna"))
    made.close(0.1)
    with server:
        made = publisher(tmp_path, [camera()], [sink_to(server.url, kinds=["alert"])], required=[])
        server.await_posts(2)
        made.close(5.0)
    assert [each.headers["webhook-id"] for each in server.taken] == [
        "dock-03/too_close/1/start",
        "dock-03/action/1/mute",
    ]
    made = publisher(tmp_path, [camera()], [sink_to(server.url, kinds=["alert"])], required=[])
    assert made.snapshot().outbox_rows == 0
    made.close(0.1)
