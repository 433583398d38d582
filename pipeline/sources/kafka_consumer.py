"""kafka-python's consumer as we use it: assigned by hand, bounded in memory, its errors ours."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from pathlib import Path
from typing import Any, Protocol

from kafka import KafkaConsumer
from kafka import errors as foreign
from kafka.net.compat import KafkaNetClient

from pipeline.errors import ConnectError, SourceError, StreamStalled
from pipeline.secrets import Secrets, redact

ANSWER_SECONDS = 3.0
"""How long the broker may take to answer one question."""
_MAX_FETCH_BYTES = 8 << 20
_MAX_PARTITION_FETCH_BYTES = 4 << 20
"""A larger message still comes, alone."""
_MAX_POLL_RECORDS = 64
_SETTINGS: dict[str, Any] = {
    "client_id": "dinostream-source",
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "bootstrap_timeout_ms": int(ANSWER_SECONDS * 1000),
    "reconnect_backoff_max_ms": 1000,
    "fetch_max_bytes": _MAX_FETCH_BYTES,
    "max_partition_fetch_bytes": _MAX_PARTITION_FETCH_BYTES,
    "max_poll_records": _MAX_POLL_RECORDS,
    "fetch_max_wait_ms": 100,
}


class Security(Protocol):
    """What `sinks.kafka.security` says; sources and sinks share the broker but not their code."""

    @property
    def protocol(self) -> str: ...
    @property
    def mechanism(self) -> str | None: ...
    @property
    def user(self) -> str | None: ...
    @property
    def password(self) -> str | None: ...
    @property
    def ca_file(self) -> str | None: ...


class _Reason(logging.Handler):
    """Keeps why a connection failed: kafka-python tells its log, while its exceptions say `Unable to bootstrap`."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lock = threading.Lock()
        self._text = ""

    def emit(self, record: logging.LogRecord) -> None:
        with self._lock:
            self._text = f"{self._text}\n{record.getMessage()}"[-4000:]

    def take(self) -> str:
        with self._lock:
            text, self._text = self._text, ""
        return text


_REASON = _Reason()


def connect(where: str, brokers: tuple[str, ...], group: str, security: Security, secrets: Secrets) -> KafkaConsumer:
    """A consumer that is assigned nothing yet and never joins `group`, whose name commits carry.

    Raises:
        ConnectError: the broker is not there, or does not let us in.
    """
    logger = logging.getLogger("kafka")
    if not any(isinstance(each, _Reason) for each in logger.handlers):
        logger.addHandler(_REASON)
        logger.propagate = False  # ten lines a second during an outage; what matters is in our errors
    _REASON.take()
    settings = _security_settings(where, security, secrets)
    knock(where, brokers)
    clients: list[Any] = []

    def client(**config: Any) -> Any:
        clients.append(KafkaNetClient(**config))
        return clients[-1]

    try:
        return KafkaConsumer(
            bootstrap_servers=list(brokers), group_id=group, kafka_client=client, **_SETTINGS, **settings
        )
    except (foreign.KafkaError, OSError, ValueError) as error:
        for each in clients:  # a constructor that raises leaves its thread behind
            each.close()
        raise translate(error, where, ",".join(brokers)) from None


def knock(where: str, brokers: tuple[str, ...]) -> None:
    """Whether any broker takes a connection: the client takes three seconds to say less than this.

    Raises:
        ConnectError: none does; the code is that of the last one.
    """
    failures: list[tuple[str, str]] = []
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS):
                return
        except socket.gaierror:
            failures.append((broker, "dns"))
        except TimeoutError:
            failures.append((broker, "timeout"))
        except (OSError, ValueError):
            failures.append((broker, "refused"))
    code = failures[-1][1] if failures else "refused"
    listed = ", ".join(f"{broker} ({code})" for broker, code in failures)
    message = (
        f"no Kafka broker answers: expected a connection, got {listed}. Check that it is up and its address right."
    )
    raise ConnectError(message, code=code, where=where)


def _security_settings(where: str, security: Security, secrets: Secrets) -> dict[str, Any]:
    settings: dict[str, Any] = {"security_protocol": security.protocol}
    if security.protocol.endswith("SSL"):
        if security.ca_file is not None and not Path(security.ca_file).is_file():
            message = f"expected a file of trusted certificates, got {security.ca_file}. Check `security.ca_file`."
            raise ConnectError(message, code="tls", where=where)
        try:
            settings["ssl_context"] = ssl.create_default_context(cafile=security.ca_file)
        except ssl.SSLError:
            message = f"expected certificates in {security.ca_file}, got something else. Check `security.ca_file`."
            raise ConnectError(message, code="tls", where=where) from None
    if security.protocol.startswith("SASL"):
        try:
            password = secrets.resolve(security.password) if security.password else None
        except KeyError as error:
            raise ConnectError(f"{error.args[0]}. Check `secrets:`.", code="unauthorized", where=where) from None
        settings |= {
            "sasl_mechanism": security.mechanism or "PLAIN",
            "sasl_plain_username": security.user,
            "sasl_plain_password": password,
        }
    return settings


_UNAUTHORIZED = (
    foreign.AuthorizationError,
    foreign.SaslAuthenticationFailedError,
    foreign.UnsupportedSaslMechanismError,
    foreign.IllegalSaslStateError,
)
_NOT_FOUND = (foreign.UnknownTopicOrPartitionError, foreign.UnknownTopicIdError, foreign.InvalidTopicError)
LOST = (foreign.OffsetOutOfRangeError, foreign.NoOffsetForPartitionError)


def translate(error: Exception, where: str, address: str) -> SourceError:
    """The error to raise, `from None`, instead of one of kafka-python's."""
    reason = redact(_REASON.take())
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
