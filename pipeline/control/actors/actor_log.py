"""Each actor's own log file, redacted: Ray's files go with its session, and nobody reads them."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pipeline.redaction import RedactingFilter

_MAX_BYTES = 4 * 2**20
_NUM_KEPT = 2


def fault_path(state_dir: Path, name: str) -> Path:
    """Where an actor tells what it died of."""
    return state_dir / "logs" / f"{name}.fault"


def log_to(state_dir: Path, name: str) -> None:
    """Warnings and errors of this process go to `state_dir/logs/NAME.log`; a restarted actor goes on in it."""
    folder = state_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / f"{name}.log", maxBytes=_MAX_BYTES, backupCount=_NUM_KEPT, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter())
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
