"""Servers as child processes, which never outlive us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02
_LOG_CHARACTERS = 2000
_DIE_WITH_PARENT = """\
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
except AttributeError:
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs in the child before the server: PR_SET_PDEATHSIG survives `exec`; a `preexec_fn` would not be safe with
threads. Where there is no prctl (macOS) a server outlives a parent that is killed."""


class ServerError(Exception):
    """A child server did not come up; the message holds the end of its log."""


def free_port() -> int:
    """A loopback port that nobody held a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ChildServer:
    """One server process in a session of its own, so that Ctrl-C in our terminal is ours alone.

    Start it from a thread that lives as long as it should: the kernel ends it when that *thread* ends. Ready means
    that `is_ready` returned True, which asks the server in its own protocol.
    """

    def __init__(
        self,
        command: Sequence[str],
        is_ready: Callable[[], bool],
        log_path: Path,
        *,
        environment: dict[str, str] | None = None,
        start_timeout_seconds: float = 30.0,
    ) -> None:
        self._command = list(command)
        self._is_ready = is_ready
        self._log_path = log_path
        self._environment = environment
        self._start_timeout_seconds = start_timeout_seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Starts it and waits until it answers.

        Raises:
            ServerError: it ended, or did not answer in time; it is then gone.
        """
        if self._process is not None:
            raise RuntimeError("the server runs already")
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=self._environment,
            )
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._start_timeout_seconds
        never = threading.Event()
        while not self._is_ready():
            if self._process.poll() is not None:
                raise ServerError(f"{self._command[0]} ended with {self._process.returncode}: {self._log_end()}")
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{self._command[0]} did not answer within {self._start_timeout_seconds:g} s: {self._log_end()}"
                )
            never.wait(_POLL_SECONDS)

    def _log_end(self) -> str:
        return self._log_path.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:].strip() or "(no log)"

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not go. Idempotent."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """SIGKILL, as a power cut would; `start` begins again on the same port and data. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing. Returns once every thread of it stands."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task")
        polling = threading.Event()
        while any(_runs(task) for task in tasks.iterdir()):
            polling.wait(0.001)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("the server does not run")
        self._process.send_signal(number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _runs(task: Path) -> bool:
    """Whether a thread is neither stopped nor gone. Source: proc(5), the letter after the name in `stat`."""
    try:
        return (task / "stat").read_text().rpartition(") ")[2][0] not in "TtZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
