from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from pipeline.errors import SinkError
from pipeline.kafka_client import KafkaSecurity, client_settings
from pipeline.secrets import Secrets
from pipeline.sinks.config import JsonlSinkConfig, KafkaSinkConfig, RedisSinkConfig, SinksConfig, WebhookSinkConfig
from pipeline.sinks.registry import build_carriers, build_sinks
from pipeline.sinks.topics import planned_topics


@pytest.mark.parametrize(
    ("config", "names", "required"),
    [
        (SinksConfig(), [], set()),
        (SinksConfig(redis=RedisSinkConfig(), kafka=KafkaSinkConfig()), ["redis", "kafka"], {"redis"}),
        (SinksConfig(kafka=KafkaSinkConfig(), jsonl=JsonlSinkConfig(path="x")), ["kafka", "jsonl"], {"kafka"}),
        (SinksConfig(redis=RedisSinkConfig(required=False), kafka=KafkaSinkConfig()), ["redis", "kafka"], set()),
        (
            SinksConfig(redis=RedisSinkConfig(), kafka=KafkaSinkConfig(required=True)),
            ["redis", "kafka"],
            {"redis", "kafka"},
        ),
    ],
    ids=["none", "first", "first-of-others", "first-says-no", "both"],
)
def test_builds_what_is_named_and_says_which_is_required(
    config: SinksConfig, names: list[str], required: set[str]
) -> None:
    sinks, found = build_sinks(config, "north-quay", Secrets({}))
    assert [sink.name for sink in sinks] == names
    assert found == required


def test_every_sink_of_the_file_has_a_carrier() -> None:
    every = SinksConfig(
        redis=RedisSinkConfig(),
        kafka=KafkaSinkConfig(),
        jsonl=JsonlSinkConfig(path="out"),
        webhook=WebhookSinkConfig(url="https://pager.example/hook", secret="hook"),
    )
    assert tuple(every.named) == tuple(SinksConfig.model_fields)
    assert tuple(build_carriers(every, "north-quay", Secrets({}))) == tuple(SinksConfig.model_fields)


def test_mistakes_and_files_say_where_below_sinks_they_stand() -> None:
    security = KafkaSecurity(protocol="SSL", user="alice", ca_file="ca.pem")
    wrong = SinksConfig(
        redis=RedisSinkConfig(url="reddis://host", credentials="unnamed"),
        kafka=KafkaSinkConfig(brokers=("a:1", "b"), prefix="with space", security=security),
    )
    assert [place for place, _ in wrong.mistakes(["known"])] == [
        ("redis", "url"),
        ("redis", "credentials"),
        ("kafka", "brokers", 1),
        ("kafka", "prefix"),
        ("kafka", "security", "protocol"),
    ]
    assert list(wrong.files()) == [(("kafka", "security", "ca_file"), "ca.pem", "certificate")]
    assert [message for _, message in SinksConfig().mistakes([])] == [
        "expected at least one of redis, kafka, jsonl, webhook, got none"
    ]


def test_kafka_security_resolves_the_password_and_checks_the_ca(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "sesame-open")
    secrets = Secrets({"kafka": "${env:KAFKA_PASSWORD}"})
    security = KafkaSecurity(protocol="SASL_SSL", mechanism="SCRAM-SHA-512", user="alice", password="kafka")
    settings = client_settings(("a:1",), security, secrets, "x", SinkError)
    assert settings["sasl_mechanism"] == "SCRAM-SHA-512"
    assert settings["sasl_plain_password"] == "sesame-open"
    assert isinstance(settings["ssl_context"], ssl.SSLContext)
    assert "api_version" not in settings

    absent = security.model_copy(update={"ca_file": str(tmp_path / "ca.pem")})
    with pytest.raises(SinkError, match=r"expected a file of CA certificates at .*ca\.pem"):
        client_settings(("a:1",), absent, secrets, "x", SinkError)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SinkError, match="holds no CA certificates"):
        client_settings(("a:1",), absent, secrets, "x", SinkError)
    with pytest.raises(SinkError, match="unknown secret 'kafka'"):
        client_settings(("a:1",), security, Secrets({}), "x", SinkError)


def test_topics_are_planned_with_room_for_the_largest_message() -> None:
    plans = {plan.name: plan for plan in planned_topics(KafkaSinkConfig(prefix="p", max_message=3_000_000), 12)}
    assert set(plans) == {"p.results.v1", "p.alerts.v1", "p.alerts.state.v1", "p.status.v1", "p.dlq.v1"}
    assert plans["p.results.v1"].num_partitions == 12
    assert plans["p.alerts.state.v1"].settings["cleanup.policy"] == "compact"
    assert plans["p.status.v1"].settings["cleanup.policy"] == "compact"
    assert all(int(plan.settings["max.message.bytes"]) > 3_000_000 for plan in plans.values())
