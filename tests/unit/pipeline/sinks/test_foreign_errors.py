from __future__ import annotations

import http.client
import inspect
import logging
import socket
import ssl

import kafka.errors
import pytest
import redis.exceptions

from pipeline.kafka_log import ClientLog
from pipeline.secrets import register
from pipeline.sinks import kafka_errors, redis_errors, webhook_errors

_CANARY = "sesame-canary"
_URL = f"redis://user:{_CANARY}@10.0.0.7:6379/0"

_REDIS = [
    found
    for _, found in inspect.getmembers(redis.exceptions, inspect.isclass)
    if issubclass(found, Exception) and found.__module__ == "redis.exceptions"
]
_KAFKA = [
    found
    for _, found in inspect.getmembers(kafka.errors, inspect.isclass)
    if issubclass(found, kafka.errors.KafkaError)
]


def _raised(kind: type[Exception], text: str) -> Exception:
    error = kind.__new__(kind)  # some want arguments of their own
    Exception.__init__(error, text)
    return error


@pytest.mark.parametrize("kind", _REDIS, ids=lambda kind: kind.__name__)
def test_every_exception_of_redis_has_a_row_of_its_own(kind: type[Exception]) -> None:
    assert any(issubclass(kind, row) for row, _, _ in redis_errors._TABLE)
    error = redis_errors.translate(_raised(kind, f"Command # 1 (XADD {_CANARY}) of pipeline caused error"), _URL)
    assert error.is_transient
    assert _CANARY not in str(error)
    assert "10.0.0.7:6379" in str(error)
    assert kind.__name__ in str(error)


def test_redis_has_many_exceptions() -> None:
    assert len(_REDIS) > 30


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (redis.exceptions.AuthenticationError("x"), "unauthorized"),
        (redis.exceptions.NoPermissionError("x"), "unauthorized"),
        (redis.exceptions.OutOfMemoryError("x"), "out_of_memory"),
        (redis.exceptions.BusyLoadingError("x"), "loading"),
        (redis.exceptions.ReadOnlyError("x"), "read_only"),
        (redis.exceptions.TimeoutError("x"), "timeout"),
        (redis.exceptions.ConnectionError("x"), "unreachable"),
        (redis.exceptions.ClusterDownError("x"), "cluster"),
        (redis.exceptions.ResponseError("WRONGTYPE x"), "refused"),
        (ConnectionResetError("x"), "unreachable"),
        (ssl.SSLCertVerificationError("x"), "tls"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_redis_codes(error: Exception, code: str) -> None:
    assert redis_errors.translate(error, _URL).code == code


@pytest.mark.parametrize("kind", _KAFKA, ids=lambda kind: kind.__name__)
def test_every_exception_of_kafka_is_translated(kind: type[Exception]) -> None:
    error = kafka_errors.translate(_raised(kind, _CANARY), ("10.0.0.7:9092",))
    assert _CANARY not in str(error)
    assert "10.0.0.7:9092" in str(error)
    assert error.code != "client" or not issubclass(kind, kafka.errors.BrokerResponseError)


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (kafka.errors.MessageSizeTooLargeError(), "", "too_large"),
        (kafka.errors.InvalidRecordError(), "", "invalid_record"),
        (kafka.errors.TopicAuthorizationFailedError(), "", "unauthorized"),
        (kafka.errors.UnknownProducerIdError(), "", "producer"),
        (kafka.errors.NotLeaderForPartitionError(), "", "busy"),
        (kafka.errors.KafkaConnectionError(), "", "unreachable"),
        (kafka.errors.KafkaTimeoutError(), "", "timeout"),
        (kafka.errors.KafkaTimeoutError(), "Topic x not found in cluster metadata", "no_topic"),
        (kafka.errors.KafkaTimeoutError(), "[Error 58] SaslAuthenticationFailedError: no", "unauthorized"),
        (kafka.errors.KafkaTimeoutError(), "[SSL: CERTIFICATE_VERIFY_FAILED]", "tls"),
        (kafka.errors.KafkaTimeoutError(), "KafkaConnectionError: 111 ECONNREFUSED", "unreachable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value or "-",
)
def test_kafka_codes(error: Exception, reason: str, code: str) -> None:
    assert kafka_errors.translate(error, ("b:1",), reason).code == code


def test_only_faults_of_a_message_are_its_own() -> None:
    own = {kind for kind in _KAFKA if kafka_errors.translate(_raised(kind, ""), ()).code in kafka_errors.MESSAGE_FAULTS}
    assert {kind.__name__ for kind in own} == {
        "MessageSizeTooLargeError",
        "RecordListTooLargeError",
        "InvalidRecordError",
        "InvalidTimestampError",
    }


def test_the_log_of_the_client_is_rate_limited_redacted_and_gives_the_cause(caplog: pytest.LogCaptureFixture) -> None:
    register(_CANARY)
    log = ClientLog()
    complaint = log.listen()
    record = logging.makeLogRecord(
        {"name": "kafka.net.manager", "levelno": logging.ERROR, "msg": f"Authentication failed for {_CANARY}"}
    )
    with caplog.at_level(logging.WARNING, logger="pipeline.kafka_log"):  # a command under test may have quieted it
        for _ in range(100):
            log.handle(record)
        log.handle(
            logging.makeLogRecord({"name": "kafka.net.manager", "levelno": logging.ERROR, "msg": "Unable to bootstrap"})
        )
    assert len(caplog.records) == 1
    assert _CANARY not in caplog.text
    assert complaint.take() == "Authentication failed for ***"
    assert complaint.take() == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError("x"), "refused"),
        (ConnectionResetError("x"), "unreachable"),
        (TimeoutError("x"), "timeout"),
        (socket.gaierror("x"), "dns"),
        (ssl.SSLCertVerificationError("x"), "tls"),
        (ssl.SSLError("x"), "tls"),
        (FileNotFoundError("ca.pem"), "tls"),
        (http.client.RemoteDisconnected("x"), "unreachable"),
        (http.client.BadStatusLine("x"), "protocol"),
        (http.client.IncompleteRead(b"x"), "protocol"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_webhook_codes(error: Exception, code: str) -> None:
    made = webhook_errors.translate(error, f"https://user:{_CANARY}@pager.example")
    assert (made.code, made.is_transient) == (code, True)
    assert _CANARY not in str(made)
    assert "pager.example" in str(made)
