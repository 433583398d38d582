"""Kafka brokers named on the command line, and how to prove who we are to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.addresses import check_broker
from pipeline.cli.app import UserError
from pipeline.config.loader import Config
from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_SECRET = "kafka-argument"  # noqa: S105 - a name, not a value


@dataclass(frozen=True, slots=True)
class KafkaArgument:
    """Where to connect, and as whom."""

    brokers: tuple[str, ...]
    security: KafkaSecurity
    secrets: Secrets


def parse_kafka(
    brokers: str | None,
    config: Config | None = None,
    *,
    tls: bool = False,
    ca_file: str | None = None,
    user: str | None = None,
    password: str | None = None,
    mechanism: Mechanism = "SCRAM-SHA-512",
) -> KafkaArgument:
    """What the options say; what they leave open comes from `sinks.kafka` of the configuration, if there is one.

    Args:
        brokers: `host:port,host:port`.
        config: read before.
        tls: connect with TLS; a `ca_file` says so too.
        ca_file: certificates to trust instead of the system's.
        user: for SASL.
        password: name of the environment variable that holds it.
        mechanism: of SASL.

    Raises:
        UserError: no brokers, or options that need each other.
    """
    sink = None if config is None else config.sinks.kafka
    addresses = tuple(brokers.split(",")) if brokers else () if sink is None else sink.brokers
    if not addresses:
        raise UserError("expected --kafka HOST:PORT, or --config with brokers under sinks.kafka, got neither")
    for address in addresses:
        for _, message in check_broker((), address):
            raise UserError(f"--kafka: {message}")
    if (user is None) != (password is None):
        raise UserError("expected --kafka-user and --kafka-password together: a name, and the variable of its password")
    if user is None and not tls and ca_file is None:
        if config is None or sink is None:
            return KafkaArgument(addresses, KafkaSecurity(), Secrets({}))
        return KafkaArgument(addresses, sink.security, config.secrets)
    has_tls = tls or ca_file is not None
    if user is None:
        return KafkaArgument(addresses, KafkaSecurity(protocol="SSL", ca_file=ca_file), Secrets({}))
    security = KafkaSecurity(
        protocol="SASL_SSL" if has_tls else "SASL_PLAINTEXT",
        mechanism=mechanism,
        user=user,
        password=_SECRET,
        ca_file=ca_file,
    )
    return KafkaArgument(addresses, security, Secrets({_SECRET: f"${{env:{password}}}"}))
