"""The pages over a real server on loopback, and the numbers in them."""

import http.client
import json
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.control.serving.http import HttpServer, build_app
from pipeline.control.snapshot import ActorStatus, PipelineSnapshot, add_ledgers, close_ledger
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.published import PublisherSnapshot
from pipeline.messages import CameraSnapshot, LedgerSnapshot, SinkLedger
from pipeline.sinks.base import SinkHealth

LIVE = LedgerSnapshot("dock", 2, received=12, decoded=12, sampled_out=2, analysed=9, in_flight=1)
DEAD = LedgerSnapshot("dock", 1, received=7, decoded=7, analysed=4, lost={"analyzer_died": 1}, in_flight=2)
SINK = SinkHealth("redis", True, 0, 0, 10**9)


def snapshot(**changes):
    whole = PipelineSnapshot(
        site="lab",
        taken_ns=2 * 10**9,
        cameras=(CameraSnapshot("dock", 2, "live", 0, LIVE),),
        closed={"dock": (close_ledger(DEAD, "owner_died"),)},
        unread_seconds={"dock": 12.5},
        publishers={
            "publish-0": PublisherSnapshot(sinks=[SINK], ledgers=[SinkLedger("redis", "dock", 13, {"queue_full": 2})])
        },
        actors=tuple(ActorStatus(f"{kind}-0", kind, "running", 0, 7) for kind in ("decode", "analyze", "publish")),
    )
    return replace(whole, **changes)


@pytest.fixture
def pages():
    """A server over `state["now"]`, and a way to ask it."""
    state = {"now": snapshot()}
    server = HttpServer(build_app(lambda: state["now"], frozenset({"redis"}), "right"), "127.0.0.1:0")
    server.start()

    def get(path, token=None):
        connection = http.client.HTTPConnection(server.address, timeout=10)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    yield state, get
    server.stop()


def test_a_closed_ledger_loses_what_was_in_flight_and_the_total_stays_balanced():
    closed = close_ledger(DEAD, "owner_died")
    assert closed.lost == {"analyzer_died": 1, "owner_died": 2}
    assert closed.in_flight == 0
    total = add_ledgers("dock", [closed, LIVE])
    assert (total.lease, total.decoded, total.analysed, total.in_flight) == (2, 19, 13, 1)
    assert (DEAD.unaccounted, closed.unaccounted, LIVE.unaccounted, total.unaccounted) == (0, 0, 0, 0)
    assert replace(total, analysed=12).unaccounted == 1, "a frame that vanished is seen"


def test_metrics_are_sums_over_all_leases_and_parse(pages):
    _, get = pages
    code, text = get("/metrics")
    assert code == 200
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["dinostream_frames_total", "decoded", "dock"] == 19
    assert samples["dinostream_frames_total", "analysed", "dock"] == 13
    assert samples["dinostream_frames_lost_total", "dock", "owner_died"] == 2
    assert samples["dinostream_frames_unaccounted", "dock"] == 0
    assert samples["dinostream_camera_unread_seconds_total", "dock"] == 12.5
    assert samples["dinostream_sink_results_total", "acknowledged", "dock", "redis"] == 13
    assert samples["dinostream_sink_results_total", "dock", "dropped_queue_full", "redis"] == 2
    rows = {key: value for key, value in samples.items() if key[0] == "dinostream_camera_state"}
    states = {next(each for each in key[1:] if each != "dock"): value for key, value in rows.items()}
    assert [name for name, value in states.items() if value] == ["live"]
    assert len(states) == 8


def test_only_cameras_that_want_clips_say_what_they_hold_for_them(pages):
    state, get = pages
    assert 'tape_bytes{camera="dock"}' not in get("/metrics")[1]
    taping = CameraSnapshot("dock", 2, "live", 0, LIVE, tape_bytes=4096, tape_cut_short=3)
    state["now"] = snapshot(cameras=(taping,))
    text = get("/metrics")[1]
    assert 'dinostream_clip_tape_bytes{camera="dock"} 4096.0' in text
    assert 'dinostream_clip_tape_cut_short_total{camera="dock"} 3.0' in text


def test_readiness_follows_the_snapshot_and_names_what_is_wrong(pages):
    state, get = pages
    assert get("/livez")[0] == 200
    assert get("/readyz")[0] == 200
    state["now"] = snapshot(publishers={"publish-0": PublisherSnapshot(sinks=[SINK], is_outbox_full=True)})
    code, body = get("/readyz")
    assert code == 503
    assert json.loads(body)["components"]["outbox/publish-0"]["reason"] == "full: alerts are refused"
    assert get("/livez")[0] == 200, "alive although not ready"


def test_status_asks_for_the_token(pages):
    _, get = pages
    assert get("/status")[0] == 401
    assert get("/status", "wrong")[0] == 401
    code, body = get("/status", "right")
    assert code == 200
    assert json.loads(body)["cameras"][0]["camera"] == "dock"


def test_without_a_configured_token_status_stays_closed_and_a_taken_port_is_one_sentence():
    server = HttpServer(build_app(snapshot, frozenset(), None), "127.0.0.1:0")
    server.start()
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.request("GET", "/status", headers={"Authorization": "Bearer "})
    assert connection.getresponse().status == 403
    connection.close()
    with pytest.raises(PipelineError, match=r"expected a free host:port.*runtime\.http\.bind") as caught:
        HttpServer(build_app(snapshot, frozenset(), None), server.address)
    assert caught.value.code == "bind"
    server.stop()
