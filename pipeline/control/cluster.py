"""Starts or joins a Ray cluster, with the settings that the frame path was measured with."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from pipeline.clock import Clock
from pipeline.control.leftovers import claim_temp_dir, clear_leftovers
from pipeline.control.planning.plan import Node, Offer
from pipeline.control.ray_words import RaysWords, listen
from pipeline.errors import PipelineError

STATE_RESOURCE = "state"
"""Nodes that hold `state_dir`: publishers and the supervisor run there."""

PLACE_LABEL = "place"
"""Label of nodes from which cameras that name the same `place` can be reached."""

NODES_TIMEOUT_SECONDS = 120.0
NODES_PAUSE_SECONDS = 1.0

_LOOPBACK_ONLY = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""0: every listener of a local Ray is on loopback. Read when ray is imported."""

_RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    _LOOPBACK_ONLY: "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_max_direct_call_object_size": str(2 * 2**20),  # micro-batches travel inline: 3 ms instead of 4.5 ms
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "4",
}

NODE_SETTINGS = {**_RAY_SETTINGS, _LOOPBACK_ONLY: "1"}
"""What every node of a cluster must have in its environment before `ray start`."""

WORKER_ENV = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MKL_NUM_THREADS": "1",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}
"""Before torch is imported: one intra-op thread a lane, and no spinning beside the decoders."""


@dataclass(slots=True)
class Cluster:
    """A Ray that this process started or joined. `close()` leaves it; one that we started ends."""

    address: str
    is_ours: bool
    temp_dir: Path | None = None
    _lock: IO[str] | None = None
    _words: RaysWords | None = None
    _environment: dict[str, str | None] = field(default_factory=dict)

    def offer(self) -> Offer:
        """What the living nodes have. One without a core, as the head of a cluster often is, computes nothing.

        Raises:
            PipelineError: no node has the resource `state`, or none has a core.
        """
        import ray

        alive = [node for node in ray.nodes() if node["Alive"]]
        if not any(node["Resources"].get(STATE_RESOURCE) for node in alive):
            msg = (
                f"no node of the Ray cluster at {self.address} has the resource {STATE_RESOURCE!r}: expected one that "
                "holds runtime.state_dir. Start it with `ray start ... --resources '{\"state\": 1}'`"
            )
            raise PipelineError(msg, code="no_state_node")
        nodes = tuple(_node(node) for node in sorted(alive, key=lambda node: node["NodeID"]) if _cores(node) >= 1)
        if self.is_ours:  # there is no other node to go to, and `validate` says what it takes
            nodes = tuple(replace(node, memory_bytes=0) for node in nodes)
        if not nodes:
            msg = f"no node of the Ray cluster at {self.address} offers a core. Start one with `ray start --num-cpus N`"
            raise PipelineError(msg, code="no_cores")
        return Offer(nodes)

    def await_offer(self, clock: Clock, stop: threading.Event, progress: Callable[[str], None]) -> Offer:
        """As `offer`, but the nodes of a cluster that begins may come later than its driver.

        Raises:
            PipelineError: nothing came in time, or `stop` was set meanwhile (`stopped`).
        """
        deadline = clock.monotonic() + NODES_TIMEOUT_SECONDS
        is_told = False
        while True:
            try:
                return self.offer()
            except PipelineError as error:
                if clock.monotonic() > deadline:
                    raise
                if not is_told:
                    progress(f"waiting {NODES_TIMEOUT_SECONDS:g} s for the nodes of the cluster: {error}")
                is_told = True
            if clock.wait(stop, NODES_PAUSE_SECONDS):
                raise PipelineError("stopped while it started", code="stopped")

    @property
    def logs(self) -> Path | None:
        """Where the actors' own output lies."""
        return self.temp_dir / "session_latest" / "logs" if self.temp_dir else None

    def close(self) -> None:
        """Leaves the cluster."""
        import ray

        ray.shutdown()
        if self._words is not None:
            self._words.close()
        if self.temp_dir is not None:
            shutil.rmtree(self.temp_dir, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
        _restore(self._environment)


def connect(address: str, *, cpus: int | None = None, gpus: int | None = None, logs: Path | None = None) -> Cluster:
    """Joins `address`, or starts a local Ray for `local`; `auto` is `RAY_ADDRESS` where that is set, else local.

    `logs`: a folder for what Ray says of nodes that died, which else is printed.

    Raises:
        PipelineError: the cluster does not answer; or SIGTERM came meanwhile (`stopped`).
    """
    wanted = os.environ.get("RAY_ADDRESS", "local") if address == "auto" else address
    before = {name: os.environ.get(name) for name in _RAY_SETTINGS}
    os.environ.update(_RAY_SETTINGS if wanted == "local" else NODE_SETTINGS)
    import ray
    from ray.exceptions import AuthenticationError

    root = str(Path(__file__).resolve().parents[2])
    workers = {**WORKER_ENV, "PYTHONPATH": os.pathsep.join([root, *_python_path()])}
    common: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if wanted != "local":
        try:
            ray.init(address=wanted, runtime_env={"env_vars": workers}, **common)
        except SystemExit:  # Ray's own answer to SIGTERM, whose handler it has put in the place of ours
            raise PipelineError("stopped while it started", code="stopped") from None
        except (ConnectionError, RuntimeError, ValueError) as error:
            msg = f"no Ray cluster answers at {wanted}: {error}. Start one, or set runtime.ray: local"
            raise PipelineError(msg, code="no_cluster") from None
        except AuthenticationError:
            msg = (
                f"the Ray cluster at {wanted} wants a token and none is here: RAY_AUTH_MODE is `token`. "
                "Set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to what its nodes were started with"
            )
            raise PipelineError(msg, code="no_token") from None
        return Cluster(wanted, is_ours=False, _words=logs and listen(logs), _environment=before)
    clear_leftovers()
    temp_dir, lock = claim_temp_dir()
    ours = Cluster("local", is_ours=True, temp_dir=temp_dir, _lock=lock, _environment=before)
    try:
        with _environment(workers):  # inherited: with a runtime_env, each process starts an interpreter twice
            ray.init(
                address="local",
                num_cpus=cpus or os.cpu_count(),
                num_gpus=gpus,
                resources={STATE_RESOURCE: 1},
                include_dashboard=False,
                object_store_memory=256 * 2**20,
                _temp_dir=str(temp_dir),
                **common,
            )
    except SystemExit:  # as above
        ours.close()
        raise PipelineError("stopped while it started", code="stopped") from None
    except Exception as error:  # noqa: BLE001 - Ray raises the bare class when one of its own servers is late
        ours.close()
        msg = f"Ray did not start on this machine: {error} Try again when the machine is less busy"
        raise PipelineError(msg, code="no_ray") from None
    return ours


@contextmanager
def _environment(values: Mapping[str, str]) -> Generator[None]:
    """For processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        _restore(before)


def _restore(environment: Mapping[str, str | None]) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _cores(node: Mapping[str, Any]) -> int:
    return int(node["Resources"].get("CPU", 0))


def _node(node: Mapping[str, Any]) -> Node:
    gpus = int(node["Resources"].get("GPU", 0))
    place = node.get("Labels", {}).get(PLACE_LABEL) or None
    return Node(node["NodeID"], _cores(node), gpus, place, int(node["Resources"].get("memory", 0)))


def _python_path() -> list[str]:
    return [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
