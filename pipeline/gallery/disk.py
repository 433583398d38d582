"""What must be on disk before anything is built on it."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """New and renamed names in `folder` survive a power loss from here on."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """What was written to `path` survives a power loss from here on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def bytes_under(folder: Path) -> int:
    """Of all files directly in `folder`."""
    return sum(path.stat().st_size for path in folder.iterdir())
