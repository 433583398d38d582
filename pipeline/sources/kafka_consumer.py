"""kafka-python's consumer as we use it: assigned by hand, bounded in memory, its errors ours."""

from __future__ import annotations

from functools import partial
from typing import Any

from kafka import KafkaConsumer
from kafka import errors as foreign
from kafka.net.compat import KafkaNetClient
from kafka.structs import TopicPartition

from pipeline import kafka_log
from pipeline.errors import ConnectError, SourceError, StreamStalled
from pipeline.kafka_client import ANSWER_SECONDS, KafkaSecurity, client_settings, closed_doors
from pipeline.secrets import Secrets

_MAX_FETCH_BYTES = 8 << 20
_MAX_PARTITION_FETCH_BYTES = 4 << 20
"""A larger message still comes, alone."""
_MAX_POLL_RECORDS = 64
_SETTINGS: dict[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "fetch_max_bytes": _MAX_FETCH_BYTES,
    "max_partition_fetch_bytes": _MAX_PARTITION_FETCH_BYTES,
    "max_poll_records": _MAX_POLL_RECORDS,
    "fetch_max_wait_ms": 100,
}


def connect(
    where: str, brokers: tuple[str, ...], group: str, security: KafkaSecurity, secrets: Secrets
) -> KafkaConsumer:
    """A consumer that is assigned nothing yet and never joins `group`, whose name commits carry.

    Raises:
        ConnectError: the broker is not there, or does not let us in.
    """
    failure = partial(ConnectError, where=where)
    settings = client_settings(brokers, security, secrets, "dinostream-source", failure)
    knock(where, brokers)
    complaint = kafka_log.listen()
    clients: list[Any] = []

    def client(**config: Any) -> Any:
        clients.append(KafkaNetClient(**config))
        return clients[-1]

    try:
        return KafkaConsumer(group_id=group, kafka_client=client, **_SETTINGS, **settings)
    except (foreign.KafkaError, OSError, ValueError) as error:
        for each in clients:  # a constructor that raises leaves its thread behind
            each.close()
        raise translate(error, where, ",".join(brokers), complaint.take()) from None


def read_one(
    where: str, brokers: tuple[str, ...], at: tuple[str, int, int], security: KafkaSecurity, secrets: Secrets
) -> bytes | None:
    """The value of the message at `at` (topic, partition, offset); None: it is no longer there.

    Raises:
        SourceError: the broker is not there, or does not let us read.
    """
    topic, number, offset = at
    consumer = connect(where, brokers, "dinostream-again", security, secrets)
    partition = TopicPartition(topic, number)
    complaint = kafka_log.listen()
    try:
        consumer.assign([partition])
        consumer.seek(partition, offset)
        batches: Any = consumer.poll(timeout_ms=int(ANSWER_SECONDS * 1000), max_records=1)
        found = next((record for records in batches.values() for record in records), None)
    except LOST:
        return None
    except (foreign.KafkaError, OSError, ValueError) as error:
        raise translate(error, where, ",".join(brokers), complaint.take()) from None
    finally:
        consumer.close()
    return found.value if found is not None and found.offset == offset else None


def knock(where: str, brokers: tuple[str, ...]) -> None:
    """Whether any broker takes a connection: the client takes three seconds to say less than this.

    Raises:
        ConnectError: none does; the code is that of the last one (refused, where there is none to knock at).
    """
    doors = closed_doors(brokers)
    if not doors:
        return
    listed = ", ".join(f"{broker} ({code})" for broker, code in doors.items())
    message = (
        f"no Kafka broker answers: expected a connection, got {listed}. Check that it is up and its address right."
    )
    raise ConnectError(message, code=list(doors.values())[-1], where=where)


_UNAUTHORIZED = (
    foreign.AuthorizationError,
    foreign.SaslAuthenticationFailedError,
    foreign.UnsupportedSaslMechanismError,
    foreign.IllegalSaslStateError,
)
_NOT_FOUND = (foreign.UnknownTopicOrPartitionError, foreign.UnknownTopicIdError, foreign.InvalidTopicError)
LOST = (foreign.OffsetOutOfRangeError, foreign.NoOffsetForPartitionError)


def translate(error: Exception, where: str, address: str, reason: str = "") -> SourceError:
    """The error to raise, `from None`, instead of one of kafka-python's.

    Args:
        error: What the client raised.
        where: The camera.
        address: Of the broker.
        reason: What the client complained of since the call began. Its threads do not say whose they are, so that a
            listener of longer standing may have heard of another broker.
    """
    what = f"could not read {address}: expected records, got {type(error).__name__}"
    if isinstance(error, _UNAUTHORIZED) or "SaslAuthentication" in reason or "Authentication failed" in reason:
        return ConnectError(f"{what}. Check user, password and ACLs.", code="unauthorized", where=where)
    if isinstance(error, _NOT_FOUND):
        return ConnectError(f"{what}. Check the topic's name.", code="not_found", where=where)
    if isinstance(error, LOST):
        return ConnectError(f"{what}. Records are gone: see the topic's retention.", code="lost", where=where)
    if "CERTIFICATE_VERIFY_FAILED" in reason or "SSL:" in reason or "Invalid frame length" in reason:
        return ConnectError(f"{what}. Check `security.protocol` and `security.ca_file`.", code="tls", where=where)
    if "DNS" in reason or "Name or service not known" in reason or "getaddrinfo" in reason:
        return ConnectError(f"{what}. Check the broker's name.", code="dns", where=where)
    if isinstance(error, foreign.KafkaTimeoutError) and "Unable to bootstrap" not in str(error):
        return StreamStalled(f"{what}. The broker does not answer.", code="timeout", where=where)
    return ConnectError(f"{what}. Check that the broker is up and its address is right.", code="refused", where=where)
