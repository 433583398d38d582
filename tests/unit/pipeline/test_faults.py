"""Processes that really die, and what they leave behind about it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.faults import fatal_fault, name_thread

PROGRAM = """
import ctypes, os, signal, sys, threading
from pathlib import Path
from pipeline.faults import name_thread, watch_faults

watch_faults(Path(sys.argv[1]))
deaths = {
    "read": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "leave": lambda: os._exit(3),
}

def run(is_named, die):
    if is_named:
        name_thread()
    die()

for _ in range(int(sys.argv[4])):
    quiet = threading.Thread(target=run, args=(True, lambda: None), name="reader-yard")
    quiet.start()
    quiet.join()
last = threading.Thread(target=run, args=(sys.argv[3] == "named", deaths[sys.argv[2]]), name="reader-gate pump")
last.start()
last.join()
"""


def die(path: Path, how: str, thread: str = "named", others: int = 1) -> int:
    command = [sys.executable, "-c", PROGRAM, str(path), how, thread, str(others)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL, timeout=60).returncode


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ("read", -signal.SIGSEGV, ("reader-gate pump", "Segmentation fault")),
        ("abort", -signal.SIGABRT, ("reader-gate pump", "Aborted")),
        ("killed", -signal.SIGKILL, None),
        ("leave", 3, None),
    ],
)
def test_the_thread_that_brought_its_process_down_is_known_afterwards(tmp_path, how, status, told):
    path = tmp_path / "logs" / "decode-0.fault"
    assert die(path, how) == status
    assert fatal_fault(path) == told


def test_a_thread_without_a_name_is_no_other_one(tmp_path):
    path = tmp_path / "decode-0.fault"
    assert die(path, "read", "unnamed", others=0) == -signal.SIGSEGV
    assert fatal_fault(path) is None


def test_threads_that_come_and_go_do_not_fill_the_disk(tmp_path):
    path = tmp_path / "decode-0.fault"
    die(path, "leave", others=300)
    assert len(path.read_text("utf-8").splitlines()) < 100


def test_the_next_process_begins_anew_and_keeps_what_the_last_crash_was(tmp_path):
    path = tmp_path / "decode-0.fault"
    die(path, "read")
    for _ in range(2):
        die(path, "killed")
        assert fatal_fault(path) is None
    assert "string_at" in (tmp_path / "decode-0.crash").read_text("utf-8")


def test_where_nobody_watches_nothing_is_noted_and_nothing_was_fatal(tmp_path):
    name_thread()
    assert fatal_fault(tmp_path / "never.fault") is None
