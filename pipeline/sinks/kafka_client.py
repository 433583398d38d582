"""What every Kafka client of ours is given: addresses and the proof of who we are."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from pipeline.errors import SinkError
from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSecurity

BOOTSTRAP_TIMEOUT_SECONDS = 3.0


def client_settings(
    brokers: tuple[str, ...], security: KafkaSecurity, secrets: Secrets, client_id: str
) -> dict[str, Any]:
    """Keyword arguments for kafka-python's producer, consumer and admin client. The password is resolved here.

    `api_version` is never given: with it a wrong password would pass in silence.

    Raises:
        SinkError: the CA file or the secret is not there; the client itself would only say that it cannot bootstrap.
    """
    settings: dict[str, Any] = {
        "bootstrap_servers": list(brokers),
        "client_id": client_id,
        "security_protocol": security.protocol,
        "bootstrap_timeout_ms": int(BOOTSTRAP_TIMEOUT_SECONDS * 1000),
        "reconnect_backoff_max_ms": 500,
    }
    if security.protocol in {"SSL", "SASL_SSL"}:
        settings["ssl_context"] = _tls_context(security.ca_file)
    if security.protocol in {"SASL_PLAINTEXT", "SASL_SSL"}:
        settings["sasl_mechanism"] = security.mechanism or "PLAIN"
        settings["sasl_plain_username"] = security.user
        settings["sasl_plain_password"] = _password(security, secrets)
    return settings


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is not None and not Path(ca_file).is_file():
        raise SinkError(f"Kafka: expected a file of CA certificates at {ca_file}, found none", code="tls")
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise SinkError(f"Kafka: {ca_file} holds no CA certificates in PEM form", code="tls") from None


def _password(security: KafkaSecurity, secrets: Secrets) -> str | None:
    if security.password is None:
        return None
    try:
        return secrets.resolve(security.password)
    except KeyError as error:
        raise SinkError(f"Kafka: {error.args[0]}", code="secret") from None
