"""The Kafka client's exceptions as ours: the one place that looks at them."""

from __future__ import annotations

from kafka import errors as foreign

from pipeline.errors import SinkError
from pipeline.secrets import redact

_TABLE: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    (
        (foreign.MessageSizeTooLargeError, foreign.RecordListTooLargeError),
        "too_large",
        "finds a message larger than the topic's max.message.bytes",
    ),
    (
        (foreign.InvalidRecordError, foreign.InvalidTimestampError),
        "invalid_record",
        "refuses a message of this topic, such as one without a key on a compacted topic",
    ),
    (
        (
            foreign.SaslAuthenticationFailedError,
            foreign.UnsupportedSaslMechanismError,
            foreign.IllegalSaslStateError,
        ),
        "unauthorized",
        "refuses the user or password: check `security`",
    ),
    (
        (
            foreign.TopicAuthorizationFailedError,
            foreign.ClusterAuthorizationFailedError,
            foreign.GroupAuthorizationFailedError,
            foreign.TransactionalIdAuthorizationFailedError,
        ),
        "unauthorized",
        "does not let this user write: check its ACLs",
    ),
    (
        (foreign.UnknownTopicOrPartitionError, foreign.InvalidTopicError),
        "no_topic",
        "lacks a topic: run `main.py topics create`",
    ),
    (
        (foreign.NotEnoughReplicasError, foreign.NotEnoughReplicasAfterAppendError),
        "replicas",
        "has too few replicas in sync",
    ),
    (
        (foreign.UnknownProducerIdError, foreign.OutOfOrderSequenceNumberError, foreign.InvalidProducerEpochError),
        "producer",
        "no longer knows our producer",
    ),
    ((foreign.UnsupportedVersionError, foreign.IncompatibleBrokerVersion), "version", "is too old or too new"),
    (
        (foreign.KafkaConnectionError, foreign.NodeNotReadyError, foreign.MetadataEmptyBrokerList),
        "unreachable",
        "cannot be reached",
    ),
    ((foreign.KafkaTimeoutError, foreign.RequestTimedOutError), "timeout", "did not answer in time"),
    ((foreign.InvalidReceiveError, foreign.KafkaProtocolError), "protocol", "does not speak the Kafka protocol"),
    ((foreign.BrokerResponseError,), "refused", "refuses a request"),
    ((foreign.KafkaError,), "client", "could not be used"),
    ((OSError,), "unreachable", "cannot be reached"),
    ((ValueError, RuntimeError), "client", "could not be used"),
)

MESSAGE_FAULTS = frozenset({"too_large", "invalid_record"})
"""Codes that a message brings upon itself: sending it again cannot help."""


_CAUSES: tuple[tuple[str, str, str], ...] = (
    ("not found in cluster metadata", "no_topic", "lacks a topic: run `main.py topics create`"),
    ("SaslAuthenticationFailed", "unauthorized", "refuses the user or password: check `security`"),
    ("Authentication failed", "unauthorized", "refuses the user or password: check `security`"),
    ("CERTIFICATE_VERIFY_FAILED", "tls", "shows a certificate that `ca_file` does not vouch for"),
    ("SSL:", "tls", "fails the TLS handshake: check `security.protocol`"),
    ("ECONNREFUSED", "unreachable", "refuses the connection"),
    ("socket disconnected", "disconnected", "closes the connection: check `security`, user and password"),
    ("DNS", "unreachable", "has no address that can be found"),
)
"""What the client's log says when its own error is only that time ran out."""


def translate(error: BaseException, brokers: tuple[str, ...], reason: str = "") -> SinkError:
    """What `error` means for `brokers`; `reason` is what the client's log said, since its errors do not."""
    code, sentence = next(
        ((code, text) for kinds, code, text in _TABLE if isinstance(error, kinds)), ("client", "could not be used")
    )
    if code in {"refused", "client"} and getattr(error, "retriable", False):
        code, sentence = "busy", "asks to try again"
    if code == "timeout":
        code, sentence = next(((code, text) for word, code, text in _CAUSES if word in reason), (code, sentence))
    said = f": {redact(reason)}" if reason else ""
    where = redact(",".join(brokers))
    return SinkError(f"Kafka at {where} {sentence} [{type(error).__name__}]{said}", code=code)
