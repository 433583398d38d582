"""What every Kafka client of ours is given, as source and as sink: addresses and the proof of who we are."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from operators.section import Section
from pipeline.addresses import Files, Findings, check_secret_name
from pipeline.errors import PipelineError
from pipeline.secrets import Secrets

ANSWER_SECONDS = 3.0
"""How long a broker may take to answer one question; also how long a client looks for the first broker."""


class KafkaSecurity(Section):
    """How to prove who we are."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    user: str | None = None
    password: str | None = None
    """Name under `secrets:`."""
    ca_file: str | None = None

    def mistakes(self, secrets: Sequence[str]) -> Findings:
        """What one protocol needs and another sends nothing of; a secret that `secrets:` does not name."""
        yield from check_secret_name(("password",), self.password, secrets)
        given = [name for name in ("mechanism", "user", "password") if getattr(self, name) is not None]
        if self.protocol.startswith("SASL"):
            lacking = [name for name in ("mechanism", "user", "password") if name not in given]
            if lacking:
                yield (), f"{self.protocol} needs mechanism, user and password: {', '.join(lacking)} not given"
        elif given:
            suggestion = "SASL_SSL" if self.protocol == "SSL" else "SASL_PLAINTEXT"
            yield (
                ("protocol",),
                f"{self.protocol} sends no {', '.join(given)}: expected {suggestion}, or leave them out",
            )

    def files(self) -> Files:
        """Of certificates."""
        if self.ca_file is not None:
            yield ("ca_file",), self.ca_file, "certificate"


def client_settings(
    brokers: tuple[str, ...],
    security: KafkaSecurity,
    secrets: Secrets,
    client_id: str,
    failure: Callable[..., PipelineError],
) -> dict[str, Any]:
    """Keyword arguments for kafka-python's producer, consumer and admin client. The password is resolved here.

    `api_version` is never given: with it a wrong password would pass in silence.

    Raises:
        PipelineError: as `failure` makes it (ConnectError, SinkError): the CA file (`tls`) or the secret (`secret`) is
            not there; the client itself would only say that it cannot bootstrap.
    """
    settings: dict[str, Any] = {
        "bootstrap_servers": list(brokers),
        "client_id": client_id,
        "security_protocol": security.protocol,
        "bootstrap_timeout_ms": int(ANSWER_SECONDS * 1000),
        "reconnect_backoff_max_ms": 500,
    }
    if security.protocol in {"SSL", "SASL_SSL"}:
        settings["ssl_context"] = _tls_context(security.ca_file, failure)
    if security.protocol in {"SASL_PLAINTEXT", "SASL_SSL"}:
        settings["sasl_mechanism"] = security.mechanism or "PLAIN"
        settings["sasl_plain_username"] = security.user
        settings["sasl_plain_password"] = _password(security, secrets, failure)
    return settings


def _tls_context(ca_file: str | None, failure: Callable[..., PipelineError]) -> ssl.SSLContext:
    advice = "Check `security.ca_file`."
    if ca_file is not None and not Path(ca_file).is_file():
        raise failure(f"Kafka: expected a file of CA certificates at {ca_file}, found none. {advice}", code="tls")
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise failure(f"Kafka: {ca_file} holds no CA certificates in PEM form. {advice}", code="tls") from None


def _password(security: KafkaSecurity, secrets: Secrets, failure: Callable[..., PipelineError]) -> str | None:
    if security.password is None:
        return None
    try:
        return secrets.resolve(security.password)
    except KeyError as error:
        raise failure(f"Kafka: {error.args[0]}. Check `secrets:`.", code="secret") from None


def closed_doors(brokers: tuple[str, ...], seconds: float = ANSWER_SECONDS) -> dict[str, str]:
    """Why no broker takes a connection: dns, timeout or refused by `host:port`. Empty as soon as one does.

    kafka-python takes three seconds to say less, and cannot be asked whether it still reaches anyone.
    """
    doors: dict[str, str] = {}
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=seconds).close()
        except socket.gaierror:
            doors[broker] = "dns"
        except TimeoutError:
            doors[broker] = "timeout"
        except (OSError, ValueError):
            doors[broker] = "refused"
        else:
            return {}
    return doors
