"""What a local Ray leaves behind when its driver is killed, and how the next start clears it away.

The kernel ends Ray's servers and workers with the driver. Two agents of Ray stay for a minute or two, because they try
to tell a server that is gone, and the folder with sockets and logs stays for ever.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

PREFIX = "dino-"
_LOCK = "driver.lock"


def claim_temp_dir(root: Path | None = None) -> tuple[Path, IO[str]]:
    """A new folder for Ray and the lock that says whose driver lives; the kernel releases it when that one dies.

    The path is short: Unix sockets lie in it. `root` is the system's temporary folder if left out.
    """
    temp_dir = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    fresh = temp_dir / f"{_LOCK}.new"
    lock = fresh.open("w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX)
    fresh.rename(temp_dir / _LOCK)  # held before anybody can find it
    return temp_dir, lock


def clear_leftovers(root: Path | None = None, proc: Path = Path("/proc")) -> list[Path]:
    """Removes the folders of dead drivers of this user, and ends what Ray still runs there; returns the folders.

    Folders without a lock are not ours to judge and stay.
    """
    cleared: list[Path] = []
    for lock_path in Path(root or tempfile.gettempdir()).glob(f"{PREFIX}*/{_LOCK}"):
        folder = lock_path.parent
        try:
            if lock_path.stat().st_uid != os.getuid():
                continue
            lock = lock_path.open("a", encoding="utf-8")
        except FileNotFoundError:
            continue  # its driver ends just now
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its driver lives
            for pid in _ray_processes(folder, proc):
                _end(pid)
            shutil.rmtree(folder, ignore_errors=True)
        log.info("cleared away %s: its driver is dead", folder)
        cleared.append(folder)
    return cleared


def _ray_processes(folder: Path, proc: Path) -> list[int]:
    """Processes of Ray that hold a file under `folder` open. Empty where there is no /proc."""
    return [int(each.name) for each in proc.glob("[0-9]*") if _is_ray(each) and _holds_file_under(folder, each)]


def _is_ray(process: Path) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
    except OSError:  # gone, or somebody else's
        return False
    return command.startswith(b"ray::") or b"/ray/" in command


def _holds_file_under(folder: Path, process: Path) -> bool:
    try:
        return any(each.readlink().is_relative_to(folder) for each in (process / "fd").iterdir())
    except OSError:  # gone, or somebody else's
        return False


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        log.debug("process %d left by itself", pid)
