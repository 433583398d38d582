"""Folders and processes of Ray that outlived their driver; the processes stand in a drawn /proc."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.control.leftovers import claim_temp_dir, clear_leftovers

HOLDER = """\
import sys
from pathlib import Path
from pipeline.control.leftovers import claim_temp_dir
folder, lock = claim_temp_dir(Path(sys.argv[1]))
print(folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def driver(tmp_path):
    """A process that holds a folder, as a driver does: (process, folder)."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_a_living_drivers_folder_stays_and_a_killed_ones_goes(tmp_path, driver):
    process, folder = driver
    assert clear_leftovers(tmp_path) == []
    assert folder.is_dir()
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert clear_leftovers(tmp_path) == [folder]
    assert not folder.exists()


def test_ours_stays_until_it_is_let_go(tmp_path):
    folder, lock = claim_temp_dir(tmp_path)
    assert clear_leftovers(tmp_path) == []
    lock.close()
    assert clear_leftovers(tmp_path) == [folder]


def test_a_folder_without_a_lock_stays(tmp_path):
    (tmp_path / "dino-other").mkdir()
    assert clear_leftovers(tmp_path) == []
    assert (tmp_path / "dino-other").is_dir()


@pytest.fixture
def sleeper():
    """A process that ends only if somebody ends it."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("command", "is_inside", "is_ended"),
    [
        (b"ray::DashboardAgent\0", True, True),
        (b"python\0/site-packages/ray/_private/log_monitor.py\0", True, True),
        (b"ray::DashboardAgent\0", False, False),
        (b"tail\0-f\0raylet.out\0", True, False),
    ],
)
def test_only_rays_processes_with_files_in_that_folder_are_ended(tmp_path, sleeper, command, is_inside, is_ended):
    folder, lock = claim_temp_dir(tmp_path)
    lock.close()
    process = tmp_path / f"proc/{sleeper.pid}"
    (process / "fd").mkdir(parents=True)
    (process / "cmdline").write_bytes(command)
    (process / "fd/3").symlink_to(f"{folder}/logs/agent.log" if is_inside else f"{folder}-other/agent.log")
    clear_leftovers(tmp_path, tmp_path / "proc")
    if is_ended:
        assert sleeper.wait(10) == -signal.SIGKILL
    else:
        assert sleeper.poll() is None
        sleeper.communicate(timeout=10)
        assert sleeper.returncode == 0
