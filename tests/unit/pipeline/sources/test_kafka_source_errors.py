import logging

import pytest
from kafka import errors as foreign

from pipeline import kafka_log
from pipeline.errors import ConnectError, SourceError, StreamStalled
from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources import kafka_consumer
from pipeline.sources.kafka_consumer import translate

FOREIGN = [kind for kind in vars(foreign).values() if isinstance(kind, type) and issubclass(kind, foreign.KafkaError)]


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_every_error_of_the_client_becomes_ours_with_a_code(kind):
    error = translate(kind("secret text"), "gate", "frames on broker:9092")
    assert isinstance(error, SourceError)
    assert error.code in {"refused", "timeout", "unauthorized", "not_found", "lost"}
    assert "secret text" not in str(error)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (foreign.TopicAuthorizationFailedError, "unauthorized"),
        (foreign.GroupAuthorizationFailedError, "unauthorized"),
        (foreign.UnknownTopicOrPartitionError, "not_found"),
        (foreign.OffsetOutOfRangeError, "lost"),
        (foreign.KafkaConnectionError, "refused"),
    ],
)
def test_codes(kind, code):
    error = translate(kind(), "gate", "x")
    assert isinstance(error, ConnectError)
    assert error.code == code


def test_a_broker_that_does_not_answer_is_a_stall():
    assert isinstance(translate(foreign.KafkaTimeoutError("no answer"), "gate", "x"), StreamStalled)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("[Error 58] SaslAuthenticationFailedError: invalid credentials", "unauthorized"),
        ("Authentication failed: Invalid username or password", "unauthorized"),
        ("Handshake failed: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate", "tls"),
        ("InvalidReceiveError: Invalid frame length: 352518912", "tls"),
        ("", "refused"),
    ],
)
def test_the_client_s_log_says_why_its_constructor_failed(line, code):
    complaint = kafka_log.listen()
    for said in [line, "Unable to bootstrap"] if line else []:
        logging.getLogger("kafka.net.manager").error(said)
    error = translate(foreign.KafkaTimeoutError("Unable to bootstrap from x"), "gate", "x", complaint.take())
    assert error.code == code


def test_a_secret_that_is_not_there_names_the_camera_that_wants_it():
    security = KafkaSecurity(protocol="SASL_PLAINTEXT", user="alice", password="kafka")
    with pytest.raises(ConnectError, match="unknown secret 'kafka'") as caught:
        kafka_consumer.connect("gate", ("127.0.0.1:1",), "g", security, Secrets({}))
    assert (caught.value.where, caught.value.code) == ("gate", "secret")


def test_what_another_client_complained_of_before_is_no_reason():
    kafka_log.listen()
    logging.getLogger("kafka.net.manager").error("Handshake failed: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed")
    assert translate(foreign.KafkaError(), "gate", "x").code == "refused"
