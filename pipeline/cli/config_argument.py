"""A configuration named on the command line."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.app import UserError
from pipeline.config.loader import Config, load_config
from pipeline.config.problems import ConfigError


def load(path: Path) -> Config:
    """The configuration, or a `UserError` with every mistake."""
    try:
        return load_config(path)
    except ConfigError as error:
        count = len(error.problems)
        raise UserError(f"{count} mistake{'s' if count > 1 else ''} in {path}\n{error}") from None
