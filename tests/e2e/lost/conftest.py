"""A site of a head and two machines, each a network namespace, with the brokers that foreign clients read."""

from __future__ import annotations

import pytest

from tests.e2e.lost.foreign_clients import Brokers
from tests.e2e.lost.ray_of_machines import RayOfMachines
from tests.servers.namespaces import Bridge, missing_rights


@pytest.fixture(scope="session")
def bridge():
    """A switch that this machine sits at too."""
    if (reason := missing_rights()) is not None:
        pytest.skip(reason)
    with Bridge() as found:
        yield found


@pytest.fixture
def brokers(redis_server, kafka_brokers, prefix):
    return Brokers(redis_server.url, kafka_brokers, prefix)


@pytest.fixture
def site(tmp_path, bridge, brokers, monkeypatch):
    """The head is up, the machines are not."""
    from tests.e2e.lost.site import write_site  # imports kafka, whose warnings are not filtered yet when this is read

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with RayOfMachines(bridge, tmp_path, tmp_path / "hidden") as ray:
        yield write_site(tmp_path / "hidden", tmp_path, brokers, ray)


@pytest.fixture
def machines(bridge, site):
    """Two in the yard: one reads, both compute."""
    found = [bridge.machine() for _ in range(2)]
    for machine in found:
        site.ray.join(machine, place="yard")
    yield found
    for machine in found:
        machine.remove()
