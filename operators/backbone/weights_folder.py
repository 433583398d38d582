"""Where weights are kept: known without loading any."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache_dir() -> Path:
    """Folder of weights: `weights` under `DINOSTREAM_CACHE`, or under `.cache` in the working directory."""
    return Path(os.environ.get("DINOSTREAM_CACHE") or ".cache") / "weights"
