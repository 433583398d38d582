"""Servers for every test, what to do where one is missing, and what runs where when several workers share the suite.

`REQUIRE_SERVERS=1` turns each skip for a missing server into a failure. `TEST_REDIS_URL` and `KAFKA_BOOTSTRAP` point
the tests at servers of your own; names are unique per test, so that they may be shared.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
from xdist.scheduler import LoadScopeScheduling

from pipeline.local.child import ServerError
from pipeline.local.kafka import KafkaServer
from pipeline.local.redis import RedisServer
from tests.servers.apache_kafka import ApacheKafka


def pytest_configure(config: pytest.Config) -> None:
    # kafka-python reads its schemas that way when it is imported.
    config.addinivalue_line("filterwarnings", "ignore:read_text is deprecated:DeprecationWarning")
    config.addinivalue_line("filterwarnings", "ignore:open_text is deprecated:DeprecationWarning")

    if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as cores: each computes on one
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ray first, then the tests that mostly wait for servers, then those that compute.

    The demo, whose rates suppose the whole machine, is the last of Ray's: the others have mostly ended by then.
    """
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, bool]:
    marks = ["ray", "kafka", "redis", "rtsp", "slow"]
    turn = next((number for number, mark in enumerate(marks) if item.get_closest_marker(mark)), len(marks))
    return turn, item.path.name == "test_demo.py"


SHARED = {"pytest.mark.ray": "ray", 'importorskip("transformers")': "transformers"}
"""Files with these words stay on one worker: a Ray at a time, and one import of what takes ten seconds to import."""


class OneWorkerEach(LoadScopeScheduling):
    """A file stays on one worker, and all files that share something heavy on the same one.

    Not by xdist's groups: those are lost under pytest 9.2, which keeps ids in another form than xdist 3.8 writes.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return _shared_by(self.config.rootpath / path) or path


@cache
def _shared_by(path: Path) -> str | None:
    text = path.read_text(encoding="utf-8")
    return next((scope for words, scope in SHARED.items() if words in text), None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerEach:
    return OneWorkerEach(config, log)


def _missing(what: str) -> NoReturn:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"REQUIRE_SERVERS=1, but {what}", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def missing_server() -> Callable[[str], NoReturn]:
    """Skips, or fails where every server is required."""
    return _missing


@pytest.fixture
def prefix() -> str:
    """Of topics and streams; no other test has it."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis-protocol server, shared by the session: use `prefix`."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    try:
        server = RedisServer(tmp_path_factory.mktemp("redis"))
    except ServerError as error:
        _missing(str(error))
    with server:
        yield server.url


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test alone, to kill, stop and start; keeps its data over a kill."""
    try:
        server = RedisServer(tmp_path, options=("--appendonly", "yes"))
    except ServerError as error:
        _missing(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """A Ray of one node, shared by the session, as a site's own cluster is; `ray: local` starts one for each run.

    Whoever adds nodes takes them away again.
    """
    from ray.cluster_utils import Cluster  # a second to import, and only few tests ask for it

    head = {"num_cpus": 2, "resources": {"state": 1}, "include_dashboard": False, "object_store_memory": 256 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="session")
def ray_address(ray_cluster: Any) -> str:
    """Where it is joined."""
    return ray_cluster.address


@pytest.fixture(scope="session")
def tansu_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo's embedded broker, shared by the session."""
    try:
        server = KafkaServer(tmp_path_factory.mktemp("tansu"))
    except ServerError as error:
        _missing(str(error))
    with server:
        yield server.brokers


@pytest.fixture(scope="session")
def kafka_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Apache Kafka, or what `KAFKA_BOOTSTRAP` names; shared by the session."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        yield given
        return
    try:
        server = ApacheKafka(tmp_path_factory.mktemp("kafka"))
    except ServerError as error:
        _missing(str(error))
    with server:
        yield server.brokers


@pytest.fixture
def kafka_server(tmp_path: Path) -> Iterator[ApacheKafka]:
    """Apache Kafka of this test alone, to kill, stop and start; not started, data kept."""
    try:
        server = ApacheKafka(tmp_path, session_ms=2_000)
    except ServerError as error:
        _missing(str(error))
    try:
        yield server
    finally:
        server.stop()
