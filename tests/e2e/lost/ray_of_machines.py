"""A Ray whose head is at a bridge of this machine and whose other nodes are machines behind it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pipeline.control.cluster import NODE_SETTINGS
from pipeline.local.child import free_port
from tests.servers.namespaces import Bridge, Machine

MEMORY = 100 * 2**20
_RAY = str(Path(sys.executable).with_name("ray"))


class RayOfMachines:
    """The head holds the state and computes nothing. A machine sees nothing of what lies in `hidden`."""

    def __init__(self, bridge: Bridge, logs: Path, hidden: Path) -> None:
        self._bridge = bridge
        self._logs = logs
        self._hidden = hidden
        self._port = free_port()
        self.address = f"{bridge.address}:{self._port}"
        self._environment = {**os.environ, **NODE_SETTINGS, "RAY_AUTH_MODE": "disabled"}
        self._folders: list[Path] = []
        self._head: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start_head()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill_head()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    def start_head(self) -> None:
        """Also again, at the same address, after `kill_head`: it knows nothing of before."""
        options = [f"--port={self._port}", "--num-cpus=0", '--resources={"state": 1}', "--include-dashboard=false"]
        command = [*self._command(self._bridge.address), "--head", *options]
        with (self._logs / "head.log").open("ab") as output:
            self._head = subprocess.Popen(
                command, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )

    def kill_head(self) -> None:
        """Ends the head's raylet and GCS at once, and every actor on it, as when its machine loses its power."""
        if self._head is None:
            return
        os.killpg(self._head.pid, signal.SIGKILL)
        self._head.wait(30)
        self._head = None
        while found := list(_processes_at(self._bridge.address)):
            for pid in found:
                os.kill(pid, signal.SIGKILL)

    def join(self, machine: Machine, *, place: str | None = None, cpus: int = 1) -> None:
        """Starts a node there; it is up when the cluster says so."""
        labels = [] if place is None else [f"--labels=place={place}"]
        command = [*self._command(machine.address), f"--address={self.address}", f"--num-cpus={cpus}", *labels]
        machine.start(command, self._logs / f"{machine.address}.log", self._environment, [self._hidden])

    def _command(self, address: str) -> list[str]:
        folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short: its sockets lie in it
        self._folders.append(folder)
        options = [f"--node-ip-address={address}", f"--temp-dir={folder}", f"--object-store-memory={MEMORY}"]
        return [_RAY, "start", "--block", "--disable-usage-stats", *options]


def _processes_at(address: str) -> Iterator[int]:
    """Of Ray, with this address as theirs: they are nobody's children once who started them is dead."""
    wanted = f"--node-ip-address={address}".encode(), f"--node_ip_address={address}".encode()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = each.read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        if any(word in wanted for word in command):
            yield int(each.parent.name)
