from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.local.child import ChildServer, ServerError

_PARENT = """
import pathlib, sys
from pipeline.local.child import ChildServer
up = pathlib.Path(sys.argv[1]) / "up"
server = f"import pathlib, time; pathlib.Path({str(up)!r}).touch(); time.sleep(600)"
child = ChildServer([sys.executable, "-c", server], up.exists, up.with_name("log"))
child.start()
print(child.pid, flush=True)
sys.stdin.read()
"""
"""Killed once the server itself runs, not what comes before it."""


def _sleeper(folder: Path, is_ready: bool = True, code: str = "import time; time.sleep(600)") -> ChildServer:
    return ChildServer(
        [sys.executable, "-c", code],
        lambda: is_ready,
        folder / "log",
        start_timeout_seconds=0.3 if not is_ready else 10.0,
    )


def test_runs_in_a_session_of_its_own_and_stops(tmp_path: Path) -> None:
    with _sleeper(tmp_path) as server:
        assert server.pid is not None
        assert os.getsid(server.pid) == server.pid
        pid = server.pid
    assert server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_never_answers_is_gone_again(tmp_path: Path) -> None:
    server = _sleeper(tmp_path, is_ready=False)
    with pytest.raises(ServerError, match=r"did not answer within 0\.3 s"):
        server.start()
    assert server.pid is None


def test_a_server_that_ends_says_why(tmp_path: Path) -> None:
    server = _sleeper(tmp_path, is_ready=False, code="import sys; sys.exit('the port is taken')")
    server._start_timeout_seconds = 10.0
    with pytest.raises(ServerError, match="the port is taken"):
        server.start()


def test_a_paused_server_can_be_stopped(tmp_path: Path) -> None:
    with _sleeper(tmp_path) as server:
        server.pause()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends children with their parent")
def test_dies_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    watched = os.pidfd_open(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert select.select([watched], [], [], 10.0)[0], "the child outlived its parent"
    os.close(watched)
