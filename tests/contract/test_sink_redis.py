from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from pipeline.local.redis import RedisServer
from pipeline.messages import Kind, Message
from pipeline.secrets import Secrets
from pipeline.sinks.base import Sink
from pipeline.sinks.config import RedisSinkConfig
from pipeline.sinks.queued import QueuedSink
from pipeline.sinks.redis_streams import RedisStreams
from tests.contract.sink_contract import CANARY, Event, SinkContract, running, tombstone, without_repetition
from tests.fakes_sinks import Settled, message, results

pytestmark = pytest.mark.redis

_STREAMS: dict[Kind, str] = {
    "result": "{}:results:{}",
    "alert": "{}:alerts:{}",
    "status": "{}:status",
    "dead_letter": "{}:dlq",
}


def events(client: redis.Redis, stream: str) -> list[Event]:
    read: list[Event] = []
    for _, fields in client.xrange(stream):
        attributes = {name[3:].decode(): value.decode() for name, value in fields.items() if name.startswith(b"ce_")}
        read.append(Event(attributes["id"], attributes, fields[b"data"]))
    return read


def redis_sink(url: str, prefix: str, queue_bytes: int = 2**22, **settings: object) -> QueuedSink:
    config = RedisSinkConfig(url=url, prefix=prefix, **settings)
    return QueuedSink(RedisStreams(config, "test", Secrets({})), queue_bytes)


class TestRedis(SinkContract):
    @pytest.fixture(autouse=True)
    def _server(self, redis_url: str, prefix: str) -> Iterator[None]:
        self.url, self.prefix = redis_url, prefix
        self.client = redis.Redis.from_url(redis_url)
        yield
        if left := self.client.keys(f"{prefix}:*"):
            self.client.delete(*left)
        self.client.close()

    def make(self, queue_bytes: int = 2**22) -> Sink:
        return redis_sink(self.url, self.prefix, queue_bytes)

    def make_unreachable(self, queue_bytes: int = 2**22) -> Sink:
        return redis_sink(f"redis://user:{CANARY}@127.0.0.1:1/0", self.prefix, queue_bytes)

    def read(self, kind: Kind, camera: str) -> list[Event]:
        return events(self.client, _STREAMS[kind].format(self.prefix, camera))

    def deliver(self, *messages: Message) -> Settled:
        sink = self.make()
        with running(sink) as settled:
            sink.put(messages)
            settled.await_number(len(messages))
        return settled

    def test_alerts_go_to_the_camera_and_to_all(self) -> None:
        self.deliver(message("alert", 1, "dock-01"), message("alert", 2, "dock-02"))
        ids = [event.id for event in events(self.client, f"{self.prefix}:alerts")]
        assert ids == ["dock-01/1/1/alert", "dock-02/1/2/alert"]

    def test_what_is_active_is_a_hash_that_a_tombstone_clears(self) -> None:
        first, second = message("state", 1, "dock-01"), message("state", 2, "dock-02")
        self.deliver(first, second)
        assert self.client.hgetall(f"{self.prefix}:alerts:active") == {
            b"dock-01/rule": first.body,
            b"dock-02/rule": second.body,
        }
        self.deliver(tombstone(first))
        assert self.client.hkeys(f"{self.prefix}:alerts:active") == [b"dock-02/rule"]

    def test_status_is_a_hash_and_a_stream(self) -> None:
        self.deliver(message("status", 1), message("status", 2))
        assert self.client.hget(f"{self.prefix}:status:dock-01", "ce_id") == b"dock-01/1/2/status"
        assert self.client.xlen(f"{self.prefix}:status") == 2

    def test_streams_are_trimmed_by_bytes(self) -> None:
        max_bytes = 400_000
        sent = [one for n in range(400) for camera in ("a", "b") for one in results(n, 1, camera, size_bytes=3000)]
        sink = redis_sink(self.url, self.prefix, max_bytes=max_bytes)
        with running(sink) as settled:
            sink.put(sent)
            settled.await_number(len(sent))
        taken = sum(int(self.client.memory_usage(f"{self.prefix}:results:{camera}", samples=0)) for camera in "ab")
        assert 0.3 * max_bytes < taken < max_bytes
        newest = [event.id for event in self.read("result", "a")][-1]
        assert newest == "a/1/399/result"

    def test_a_key_of_another_type_costs_that_message_alone(self) -> None:
        self.client.set(f"{self.prefix}:results:dock-01", "not a stream")
        bad, good = message("result", 1, "dock-01"), message("result", 2, "dock-02")
        settled = self.deliver(bad, good)
        assert settled.outcomes() == {bad.id: ("dead_lettered", "refused"), good.id: ("acknowledged", "")}
        (letter,) = self.read("dead_letter", "dock-01")
        assert letter.id == f"{bad.id}/dead_letter"

    def test_what_is_there_already_is_not_written_again(self) -> None:
        first, second = results(0, 20), results(10, 20)
        self.deliver(*first)
        self.deliver(*second)  # a new sink: the one before it may have died before it heard the answer
        assert [event.id for event in self.read("result", "dock-01")] == [one.id for one in results(0, 30)]


def test_credentials_are_resolved_where_they_are_used(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    with RedisServer(tmp_path_factory.mktemp("redis"), password=CANARY) as server:
        config = RedisSinkConfig(url=server.url, prefix=prefix, credentials="redis")
        sink = QueuedSink(RedisStreams(config, "test", Secrets({"redis": "${env:TEST_REDIS_PASSWORD}"})), 2**20)
        with running(sink) as settled:
            sink.put([message("alert", 1)])
            assert sink.health().queued == 1  # the variable is not there yet
            monkeypatch.setenv("TEST_REDIS_PASSWORD", CANARY)
            settled.await_number(1)


def test_absent_at_start_then_there(redis_server: RedisServer, prefix: str) -> None:
    redis_server.kill()
    sink = redis_sink(redis_server.url, prefix)
    sent = results(0, 50)
    with running(sink) as settled:
        sink.put(sent)
        redis_server.start()
        settled.await_number(50)
    with redis.Redis.from_url(redis_server.url) as client:
        assert without_repetition(events(client, f"{prefix}:results:dock-01")) == [one.id for one in sent]


def test_killed_and_started_again_while_writing(redis_server: RedisServer, prefix: str) -> None:
    sink = redis_sink(redis_server.url, prefix)
    sent = results(0, 3000, size_bytes=300)
    with running(sink) as settled:
        for start in range(0, 3000, 100):
            assert sink.put(sent[start : start + 100]) == []
            if start in {1000, 2000}:
                settled.await_number(start - 200)
                redis_server.kill()
                redis_server.start()
        settled.await_number(3000)
    assert {outcome for outcome, _ in settled.outcomes().values()} == {"acknowledged"}
    with redis.Redis.from_url(redis_server.url) as client:
        assert without_repetition(events(client, f"{prefix}:results:dock-01")) == [one.id for one in sent]


def test_stopped_past_its_deadline_nothing_is_lost_doubled_or_reordered(redis_server: RedisServer, prefix: str) -> None:
    sink = redis_sink(redis_server.url, prefix)
    sent = results(0, 400, size_bytes=300)
    with running(sink) as settled:
        sink.put(sent[:100])
        settled.await_number(100)
        redis_server.pause()
        sink.put(sent[100:300])  # goes into the socket; the answer does not come in time
        _await_error(sink, "timeout")
        redis_server.resume()
        sink.put(sent[300:])
        settled.await_number(400)
    with redis.Redis.from_url(redis_server.url) as client:
        assert [event.id for event in events(client, f"{prefix}:results:dock-01")] == [one.id for one in sent]


def test_out_of_memory_backs_off_and_goes_on(redis_server: RedisServer, prefix: str) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", used + 200_000)
        sink = redis_sink(redis_server.url, prefix)
        sent = results(0, 1000, size_bytes=1000)
        with running(sink) as settled:
            for start in range(0, 1000, 100):
                sink.put(sent[start : start + 100])
            _await_error(sink, "out_of_memory")
            client.config_set("maxmemory", 0)
            settled.await_number(1000)
        assert {outcome for outcome, _ in settled.outcomes().values()} == {"acknowledged"}
        assert [event.id for event in events(client, f"{prefix}:results:dock-01")] == [one.id for one in sent]


def _await_error(sink: Sink, code: str) -> None:
    """Waits for the state of health that /readyz would show."""
    import threading
    import time

    deadline = time.monotonic() + 20.0
    while not sink.health().last_error.startswith(code):
        assert time.monotonic() < deadline, sink.health()
        threading.Event().wait(0.02)
