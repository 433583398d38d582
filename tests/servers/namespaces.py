"""Machines on this machine: a network namespace each, joined by a bridge, to be killed, frozen and cut off.

Needs root and the tool `ip`. Whatever runs in a namespace has an address of its own, and a wire that can be pulled.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_NETWORK = "198.18.{number}.{host}"
"""Addresses for benchmarks (RFC 2544): nobody's site uses them."""


def missing_rights() -> str | None:
    """Why no namespace can be had here; None: they can."""
    if shutil.which("ip") is None:
        return "no network namespaces: expected the tool `ip` (iproute2) on PATH"
    name = f"ds-probe-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"no network namespaces: expected the rights to make one, got {tried.stderr.strip()!r}"
    _ip("netns", "delete", name)
    return None


class Bridge:
    """A switch. This process sits at it too, as `address`."""

    def __init__(self) -> None:
        """Takes a network that no other bridge has."""
        taken = _ip("-brief", "address")
        free = (number for number in range(1, 255) if _NETWORK.format(number=number, host=1) not in taken)
        self._number = next(free)
        self._name = f"ds{self._number}"
        self._hosts = itertools.count(2)
        self._machines: list[Machine] = []
        self.address = _NETWORK.format(number=self._number, host=1)

    def __enter__(self) -> Self:
        _ip("link", "add", self._name, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self._name)
        _ip("link", "set", self._name, "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for machine in self._machines:
            machine.remove()
        _ip("link", "delete", self._name)

    def machine(self) -> Machine:
        """One more at the switch."""
        host = next(self._hosts)
        machine = Machine(f"{self._name}h{host}", self._name, _NETWORK.format(number=self._number, host=host))
        self._machines.append(machine)
        return machine


class Machine:
    """A namespace with one wire to the bridge."""

    def __init__(self, name: str, bridge: str, address: str) -> None:
        self.address = address
        self._name = name
        self._started: list[subprocess.Popen[bytes]] = []
        inside = f"{name}i"
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", name)
        _ip("link", "set", name, "master", bridge)
        _ip("-netns", name, "link", "set", "lo", "up")
        _ip("-netns", name, "address", "add", f"{address}/24", "dev", inside)
        _ip("-netns", name, "link", "set", inside, "up")
        self.restore()

    def start(self, command: Sequence[str], log: Path, environment: Mapping[str, str], hidden: Sequence[Path]) -> None:
        """Runs it there, in the background; the folders `hidden` are empty to it, as on another machine."""
        mounts = [f"mount -t tmpfs none '{folder}' &&" for folder in hidden]
        script = " ".join([*mounts, 'exec "$@"'])
        with log.open("ab") as output:
            started = subprocess.Popen(
                ["ip", "netns", "exec", self._name, "sh", "-c", script, "sh", *command],
                env=dict(environment),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started.append(started)

    @property
    def pids(self) -> list[int]:
        """Whatever runs there now."""
        return [int(pid) for pid in _ip("netns", "pids", self._name).split()]

    def cut_off(self) -> None:
        """Pulls the wire: nobody is told, nothing arrives."""
        _ip("link", "set", self._name, "down")

    def restore(self) -> None:
        """Puts the wire back."""
        _ip("link", "set", self._name, "up")

    def kill(self) -> None:
        """Ends every process at once; the machine itself goes on and says so to whoever asks."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stops every process; their connections stay."""
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Lets them go on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Ends what runs there, and the machine. Idempotent."""
        if self._name not in _ip("netns", "list").split():
            return
        while self.pids:  # what is started meanwhile is found by the next look
            self.kill()
        for each in self._started:
            each.wait(30)
        _ip("link", "delete", self._name)  # first: with its namespace the kernel removes it too, a moment later
        _ip("netns", "delete", self._name)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            _unless_gone(lambda pid=pid: os.kill(pid, number))


def _unless_gone(act: Callable[[], None]) -> None:
    try:
        act()
    except ProcessLookupError:
        return


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout
