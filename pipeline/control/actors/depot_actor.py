"""`Depot` in a Ray actor, on a node that holds the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray
from ray.actor import ActorHandle

from pipeline.control.actors.depot import Depot, WeightsFile
from pipeline.control.cluster import STATE_RESOURCE


@ray.remote(max_restarts=-1, max_task_retries=-1)
class DepotActor:
    """`Depot`. It has no lease and changes nothing, so that Ray may start it again by itself."""

    def __init__(self, artefacts: Path, weights: WeightsFile | None) -> None:
        self._depot = Depot(artefacts, weights)

    def identity(self) -> str:
        return self._depot.identity()

    def latest(self, name: str) -> str | None:
        return self._depot.latest(name)

    def get(self, versioned: str) -> bytes | None:
        """None: there is no such version."""
        try:
            return self._depot.get(versioned)
        except FileNotFoundError:
            return None

    def part(self, sha256: str, offset: int) -> bytes:
        return self._depot.part(sha256, offset)


def start_depot(artefacts: Path, weights: WeightsFile | None) -> ActorHandle[Any]:
    """One for a cluster."""
    options: dict[str, Any] = {"num_cpus": 0, "resources": {STATE_RESOURCE: 0.001}, "max_concurrency": 8}
    actor: Any = DepotActor.options(**options).remote(artefacts, weights)
    return actor
