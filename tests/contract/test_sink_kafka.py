from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from kafka.producer.sender import Sender

from pipeline.kafka_client import KafkaSecurity
from pipeline.local.child import ServerError
from pipeline.local.kafka import KafkaServer
from pipeline.messages import Kind, Message
from pipeline.secrets import Secrets
from pipeline.sinks.base import Sink
from pipeline.sinks.config import KafkaSinkConfig
from pipeline.sinks.kafka_topics import KafkaTopics
from pipeline.sinks.queued import QueuedSink
from pipeline.sinks.topics import TopicPlan, check_topics, create_topics, planned_topics
from tests.contract.sink_contract import CANARY, Event, SinkContract, running, tombstone, without_repetition
from tests.fakes_sinks import Settled, message, results
from tests.kafka_records import records
from tests.servers.apache_kafka import ApacheKafka, SecureKafka

pytestmark = pytest.mark.kafka

SECURE_USER, SECURE_PASSWORD = "alice", "wonder-land-7"

_TOPICS: dict[Kind, str] = {
    "result": "results",
    "alert": "alerts",
    "state": "alerts.state",
    "status": "status",
    "dead_letter": "dlq",
}


def read_topic(brokers: str, topic: str) -> list[tuple[str, Event]]:
    """(key, event) of every record, through librdkafka, up to the end that its fetches report."""
    read: list[tuple[str, Event]] = []
    for record in records(brokers, topic):
        attributes = {name[3:]: value.decode() for name, value in record.headers()}
        read.append((record.key().decode(), Event(attributes["id"], attributes, record.value() or b"")))
    return read


def config(brokers: str, prefix: str, **settings: object) -> KafkaSinkConfig:
    return KafkaSinkConfig(brokers=(brokers,), prefix=prefix, **settings)


def kafka_sink(brokers: str, prefix: str, queue_bytes: int = 2**24, **settings: object) -> QueuedSink:
    return QueuedSink(KafkaTopics(config(brokers, prefix, **settings), "test", Secrets({})), queue_bytes)


def create_all(brokers: str, prefix: str) -> None:
    settings = config(brokers, prefix)
    create_topics(settings, Secrets({}), planned_topics(settings))


def await_error(sink: Sink, *codes: str) -> None:
    """Waits for what /readyz would show."""
    deadline = time.monotonic() + 40.0
    while not sink.health().last_error.startswith(codes):
        assert time.monotonic() < deadline, sink.health()
        threading.Event().wait(0.02)


class KafkaContract(SinkContract):
    brokers: str
    prefix: str

    def make(self, queue_bytes: int = 2**22) -> Sink:
        return kafka_sink(self.brokers, self.prefix, queue_bytes)

    def make_unreachable(self, queue_bytes: int = 2**22) -> Sink:
        security = KafkaSecurity(protocol="SASL_PLAINTEXT", mechanism="PLAIN", user="user", password="kafka")
        settings = KafkaSinkConfig(brokers=("127.0.0.1:1",), prefix=self.prefix, security=security)
        return QueuedSink(KafkaTopics(settings, "test", Secrets({"kafka": "${env:TEST_CANARY}"})), queue_bytes)

    @pytest.fixture(autouse=True)
    def _canary(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEST_CANARY", CANARY)

    def read(self, kind: Kind, camera: str) -> list[Event]:
        topic = f"{self.prefix}.{_TOPICS[kind]}.v1"
        return [event for _, event in read_topic(self.brokers, topic) if event.attributes["subject"] == camera]

    def deliver(self, *messages: Message, **settings: object) -> Settled:
        sink = kafka_sink(self.brokers, self.prefix, **settings)
        with running(sink) as settled:
            sink.put(messages)
            settled.await_number(len(messages))
        return settled

    def test_keys_keep_a_camera_in_one_partition_and_tombstones_are_empty(self) -> None:
        first = message("state", 1)
        self.deliver(first, tombstone(first))
        records = read_topic(self.brokers, f"{self.prefix}.alerts.state.v1")
        assert [(key, event.body) for key, event in records] == [("dock-01/rule", first.body), ("dock-01/rule", b"")]

    def test_too_large_becomes_a_dead_letter_without_its_arrays(self) -> None:
        array = b'{"dtype":"float16","shape":[90,40],"data":"%s"}' % (b"A" * 9000)
        big = message("result", 1, body=b'{"label":"forklift","depth":%s}' % array)
        good = message("result", 2)
        settled = self.deliver(big, good, max_message=8000)
        assert settled.outcomes() == {big.id: ("dead_lettered", "too_large"), good.id: ("acknowledged", "")}
        (letter,) = self.read("dead_letter", "dock-01")
        assert b'"label":"forklift","depth":{"dtype":"float16","shape":[90,40]}' in letter.body
        assert f'"id":"{big.id}"'.encode() in letter.body
        assert [event.id for event in self.read("result", "dock-01")] == [good.id]


class TestTansu(KafkaContract):
    @pytest.fixture(autouse=True)
    def _server(self, tansu_brokers: str, prefix: str) -> None:
        self.brokers, self.prefix = tansu_brokers, prefix
        create_all(tansu_brokers, prefix)


class TestApacheKafka(KafkaContract):
    @pytest.fixture(autouse=True)
    def _server(self, kafka_brokers: str, prefix: str) -> Iterator[None]:
        self.brokers, self.prefix = kafka_brokers, prefix
        create_all(kafka_brokers, prefix)
        yield
        admin = AdminClient({"bootstrap.servers": kafka_brokers})
        for done in admin.delete_topics([plan.name for plan in planned_topics(config("", prefix))]).values():
            done.result(20)

    def test_planned_topics_are_what_the_broker_then_has(self) -> None:
        settings = config(self.brokers, self.prefix)
        plans = planned_topics(settings)
        assert [finding.problem for finding in check_topics(settings, Secrets({}), plans)] == [""] * 5
        assert all("was there" in finding.what for finding in create_topics(settings, Secrets({}), plans))

    def test_check_finds_what_differs(self) -> None:
        settings = config(self.brokers, self.prefix)
        wanted = {"max.message.bytes": "2000000", "cleanup.policy": "delete"}
        plans = [
            TopicPlan(f"{self.prefix}.results.v1", 12, wanted),
            TopicPlan(f"{self.prefix}.status.v1", 1, wanted),
            TopicPlan(f"{self.prefix}.absent.v1", 1, {}),
        ]
        results_, status, absent = check_topics(settings, Secrets({}), plans)
        assert results_.problem == (
            "expected at least 12 partitions, got 6; expected max.message.bytes=2000000, got 1048588"
        )
        assert "expected cleanup.policy=delete, got compact" in status.problem
        assert "topics create" in absent.problem

    def test_a_poisoned_producer_is_replaced_and_the_culprit_found(self) -> None:
        topic = f"{self.prefix}x.results.v1"
        create_all(self.brokers, f"{self.prefix}x")
        admin = AdminClient({"bootstrap.servers": self.brokers})
        admin.delete_topics([topic])[topic].result(20)
        admin = AdminClient({"bootstrap.servers": self.brokers})
        _created(admin, NewTopic(topic, 1, 1, config={"max.message.bytes": "5000"}))
        sent = [*results(0, 30), *results(30, 1, size_bytes=20_000), *results(31, 30), message("alert", 99)]
        sink = kafka_sink(self.brokers, f"{self.prefix}x")  # believes that 1 MB is fine
        with running(sink) as settled:
            sink.put(sent)
            settled.await_number(len(sent))
        outcomes = settled.outcomes()
        assert outcomes.pop(sent[30].id) == ("dead_lettered", "too_large")
        assert set(outcomes.values()) == {("acknowledged", "")}
        ids = [event.id for _, event in read_topic(self.brokers, topic)]
        assert list(dict.fromkeys(ids)) == [one.id for one in sent[:61] if one is not sent[30]]
        letters = read_topic(self.brokers, f"{self.prefix}x.dlq.v1")
        assert [event.id for _, event in letters] == [f"{sent[30].id}/dead_letter"]

    def test_missing_topic_is_named_as_such_and_waited_for(self) -> None:
        prefix = f"{self.prefix}y"
        sink = kafka_sink(self.brokers, prefix)
        with running(sink) as settled:
            sink.put([message("alert", 1)])
            await_error(sink, "no_topic")
            create_all(self.brokers, prefix)
            settled.await_number(1)


def _created(admin: AdminClient, topic: NewTopic) -> None:
    admin.create_topics([topic])[topic.topic].result(20)


def test_absent_at_start_then_there(kafka_server: ApacheKafka, prefix: str) -> None:
    sink = kafka_sink(kafka_server.brokers, prefix)
    sent = results(0, 50)
    with running(sink) as settled:
        sink.put(sent)
        await_error(sink, "unreachable")
        kafka_server.start()
        create_all(kafka_server.brokers, prefix)
        settled.await_number(50)
    records = read_topic(kafka_server.brokers, f"{prefix}.results.v1")
    assert without_repetition([event for _, event in records]) == [one.id for one in sent]


def test_killed_and_started_again_while_producing(kafka_server: ApacheKafka, prefix: str) -> None:
    kafka_server.start()
    create_all(kafka_server.brokers, prefix)
    sink = kafka_sink(kafka_server.brokers, prefix)
    sent = results(0, 3000, size_bytes=300)
    with running(sink) as settled:
        for start in range(0, 3000, 100):
            assert sink.put(sent[start : start + 100]) == []
            if start == 1500:
                settled.await_number(1000)
                kafka_server.kill()
                kafka_server.start()
        settled.await_number(3000, timeout_seconds=60.0)
    assert {outcome for outcome, _ in settled.outcomes().values()} == {"acknowledged"}
    records = read_topic(kafka_server.brokers, f"{prefix}.results.v1")
    assert without_repetition([event for _, event in records]) == [one.id for one in sent]


def test_stopped_past_the_deadline_goes_on_through_a_new_producer(kafka_server: ApacheKafka, prefix: str) -> None:
    kafka_server.start()
    create_all(kafka_server.brokers, prefix)
    sink = kafka_sink(kafka_server.brokers, prefix, deadline=2.0)
    sent = results(0, 400, size_bytes=300)
    with running(sink) as settled:
        sink.put(sent[:100])
        settled.await_number(100)
        kafka_server.pause()
        sink.put(sent[100:300])
        await_error(sink, "timeout")
        kafka_server.resume()
        sink.put(sent[300:])
        settled.await_number(400)
        assert _sender_threads() <= 1
    records = read_topic(kafka_server.brokers, f"{prefix}.results.v1")
    assert without_repetition([event for _, event in records]) == [one.id for one in sent]


@pytest.mark.timeout(90)
def test_close_during_an_outage_is_bounded_and_loses_no_outbox_message(kafka_server: ApacheKafka, prefix: str) -> None:
    kafka_server.start()
    create_all(kafka_server.brokers, prefix)
    sink = kafka_sink(kafka_server.brokers, prefix, deadline=600.0)
    result, alert = message("result", 2), message("alert", 3)
    with running(sink, close_seconds=1.0) as settled:
        sink.put([message("result", 1)])
        settled.await_number(1)
        kafka_server.pause()
        sink.put([result, alert])
    outcomes = settled.outcomes()
    assert outcomes[result.id] == ("dropped", "closed")
    assert alert.id not in outcomes
    assert _sender_threads() == 0


def test_embedded_broker_killed_forgets_everything_but_takes_the_rest(
    prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with KafkaServer(tmp_path_factory.mktemp("tansu")) as server:
        create_all(server.brokers, prefix)
        sink = kafka_sink(server.brokers, prefix, deadline=3.0)
        with running(sink) as settled:
            sink.put(results(0, 50))
            settled.await_number(50)
            server.kill()
            server.start()
            create_all(server.brokers, prefix)
            sink.put(results(50, 50))
            settled.await_number(100)
        records = read_topic(server.brokers, f"{prefix}.results.v1")
    assert without_repetition([event for _, event in records]) == [one.id for one in results(50, 50)]


@pytest.fixture
def secure_kafka(tmp_path: Path, missing_server: Callable[[str], NoReturn]) -> Iterator[SecureKafka]:
    try:
        server = SecureKafka(tmp_path, SECURE_USER, SECURE_PASSWORD)
    except ServerError as error:
        missing_server(str(error))
    with server:
        yield server


def _sender_threads() -> int:
    return sum(isinstance(thread, Sender) for thread in threading.enumerate())


def test_sasl_ssl_lets_the_right_password_in_and_names_what_is_wrong(
    secure_kafka: SecureKafka, prefix: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_RIGHT", SECURE_PASSWORD)
    monkeypatch.setenv("TEST_WRONG", CANARY)
    secrets = Secrets({"right": "${env:TEST_RIGHT}", "wrong": "${env:TEST_WRONG}"})

    def made(password: str, ca_file: str | None) -> KafkaSinkConfig:
        security = KafkaSecurity(
            protocol="SASL_SSL", mechanism="SCRAM-SHA-512", user=SECURE_USER, password=password, ca_file=ca_file
        )
        return KafkaSinkConfig(brokers=(secure_kafka.brokers,), prefix=prefix, security=security)

    right = made("right", str(secure_kafka.ca_file))
    create_topics(right, secrets, planned_topics(right))
    sink = QueuedSink(KafkaTopics(right, "test", secrets), 2**20)
    with running(sink) as settled:
        sink.put([message("alert", 1)])
        settled.await_number(1)
    assert set(settled.outcomes().values()) == {("acknowledged", "")}

    # The client does not always read the broker's refusal before it sees the connection closed.
    wrong = (made("wrong", str(secure_kafka.ca_file)), ("unauthorized", "disconnected"))
    for bad, codes in (wrong, (made("right", None), ("tls",))):
        sink = QueuedSink(KafkaTopics(bad, "test", secrets), 2**20)
        with running(sink, close_seconds=0.1):
            await_error(sink, *codes)
        for secret in (CANARY, SECURE_PASSWORD):
            assert secret not in sink.health().last_error
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("pipeline"))
    assert CANARY not in ours
    assert SECURE_PASSWORD not in ours
