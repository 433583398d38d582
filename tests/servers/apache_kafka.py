"""Apache Kafka for tests: one KRaft node from the jars that Maven brings, kept outside the tree.

Needs `java` and, the first time, `mvn`. The jars lie in `~/.cache/dinostream/kafka-VERSION` (or under
`DINOSTREAM_CACHE`) with a formatted data folder, which each server gets a copy of: formatting takes a second.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from pipeline.local.child import ChildServer, ServerError, free_port
from pipeline.local.kafka import answers_kafka

_POM = Path(__file__).with_name("pom.xml")
_CLUSTER_ID = "ZGlub3N0cmVhbS10ZXN0cw"
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_LOGGING = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.logFile=System.out")
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocol}:{protocol}
inter.broker.listener.name={protocol}
controller.listener.names=CONTROLLER
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# A small heap: the default buffer of the log cleaner alone takes 128 MB of it.
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.io.buffer.size=65536
log.cleaner.backoff.ms=200
num.network.threads=1
num.io.threads=2
background.threads=2
# Without a heartbeat for this long it counts as dead: no topic can be made then. One that was killed may come again.
broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms=250
"""

_SESSION_MS = 20_000

_SECURITY = """\
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\\
  org.apache.kafka.common.security.scram.ScramLoginModule required username="{user}" password="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
ssl.client.auth=none
"""


class ApacheKafka(ChildServer):
    """A broker with its data in `folder`, kept over `kill` and `start`. `brokers` is its address."""

    def __init__(self, folder: Path, session_ms: int = _SESSION_MS) -> None:
        """A busy machine may stall a broker for seconds; short sessions are for those that are killed and start again.

        Raises:
            ServerError: there is no Java, or Maven could not bring the jars.
        """
        home = prepared()
        self.port, controller_port = free_port(), free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        data = folder / "data"
        shutil.copytree(home / "data", data)
        properties = folder / "server.properties"
        properties.write_text(_plain_properties("PLAINTEXT", (self.port, controller_port), data, session_ms=session_ms))
        command = [*_java_with(home), "kafka.Kafka", str(properties)]
        super().__init__(command, lambda: answers_kafka(self.port), folder / "kafka.log", start_timeout_seconds=60.0)


class SecureKafka(ChildServer):
    """The same behind SASL_SSL: SCRAM-SHA-512 for one user, a certificate for 127.0.0.1 that `ca_file` vouches for."""

    def __init__(self, folder: Path, user: str, password: str) -> None:
        """Raises:
        ServerError: there is no Java, Maven or openssl.
        """
        home = prepared()
        self.port, controller_port = free_port(), free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self.ca_file = folder / "ca.pem"
        _certify(folder)
        properties = folder / "server.properties"
        plain = _plain_properties("SASL_SSL", (self.port, controller_port), folder / "data")
        properties.write_text(plain + _SECURITY.format(user=user, password=password, folder=folder))
        scram = f"SCRAM-SHA-512=[name={user},password={password}]"
        tool = [*_java_with(home), "kafka.tools.StorageTool", "format", f"--cluster-id={_CLUSTER_ID}"]
        _call([*tool, "--add-scram", scram, "-c", str(properties)])
        super().__init__(
            [*_java_with(home), "kafka.Kafka", str(properties)],
            self._accepts,
            folder / "kafka.log",
            start_timeout_seconds=60.0,
        )

    def _accepts(self) -> bool:
        """A TLS handshake: ApiVersions would have to prove who asks."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2.0) as connection:
                context.wrap_socket(connection, server_hostname="127.0.0.1").close()
        except OSError:
            return False
        return True


def _certify(folder: Path) -> None:
    """Writes `broker.pem` (key and self-signed certificate) and `ca.pem` (the certificate)."""
    tool = shutil.which("openssl")
    if tool is None:
        raise ServerError("no certificates for Kafka: expected `openssl` on PATH")
    key, certificate = folder / "key.pem", folder / "ca.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    names = ["-subj", "/CN=dinostream test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    _call([tool, "req", "-x509", *curve, *names, "-days", "2", "-out", str(certificate)])
    (folder / "broker.pem").write_text(key.read_text() + certificate.read_text())


def prepared() -> Path:
    """The folder with `libs` and a formatted `data`; made once per machine, by one process at a time."""
    cache = Path(os.environ.get("DINOSTREAM_CACHE", Path.home() / ".cache" / "dinostream"))
    home = cache / f"kafka-{_version()}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "libs").is_dir():
            _download(home)
        if not (home / "data").is_dir():
            _format(home)
    return home


def _plain_properties(protocol: str, ports: tuple[int, int], data: Path, *, session_ms: int = _SESSION_MS) -> str:
    """Of a broker with (its own port, that of its controller)."""
    return _PROPERTIES.format(
        protocol=protocol, port=ports[0], controller_port=ports[1], data=data, session_ms=session_ms
    )


def _version() -> str:
    found = re.search(r"<kafka.version>(.+)</kafka.version>", _POM.read_text())
    assert found is not None
    return found[1]


def _java_with(home: Path) -> list[str]:
    java = shutil.which("java")
    if java is None:
        raise ServerError("no Apache Kafka: expected `java` (17 or newer) on PATH")
    return [java, "-Xmx128m", *_JVM, *_LOGGING, "-cp", f"{home / 'libs'}/*"]


def _download(home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerError("no Apache Kafka: expected `mvn` on PATH to bring its jars")
    partial = home / "libs.partial"
    shutil.rmtree(partial, ignore_errors=True)
    _call([maven, "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies", f"-DoutputDirectory={partial}"])
    partial.rename(home / "libs")


def _format(home: Path) -> None:
    partial = home / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    properties = home / "format.properties"
    properties.write_text(_plain_properties("PLAINTEXT", (9092, 9093), partial))
    _call(
        [*_java_with(home), "kafka.tools.StorageTool", "format", f"--cluster-id={_CLUSTER_ID}", "-c", str(properties)]
    )
    partial.rename(home / "data")


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServerError(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
