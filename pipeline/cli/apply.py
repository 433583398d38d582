"""`main.py apply CONFIG`: a running pipeline takes its changed file on; each camera says what became of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.cli.app import UserError
from pipeline.cli.running_pipeline import (
    TOKEN_PLACE,
    AddressOption,
    RunningPipeline,
    TokenOption,
    pipeline_of,
    running_pipeline,
)
from pipeline.config.judged import read_wanted
from pipeline.config.problems import ConfigError
from pipeline.control.changes.applied import Applied, told

CONFIG_PAGE = "/config/apply"
ANSWER_SECONDS = 120.0


def apply(
    config: Annotated[Path, typer.Argument(help="The file or directory that it runs with, as it is now.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    address: AddressOption = None,
    token: TokenOption = TOKEN_PLACE,
) -> None:
    """Have the running pipeline read its file again: cameras come, go and change while the others go on.

    The pipeline reads the file where it runs; nothing is sent. Exit status 1 where a camera is refused or something
    waits for the next start.
    """
    pipeline = _pipeline(config, address, token)
    answer = pipeline.ask(
        CONFIG_PAGE,
        {"dry_run": dry_run, "file": config.resolve().name},
        wait_seconds=ANSWER_SECONDS,
        failed="apply: nothing was changed",
    )
    applied = msgspec.convert(answer, Applied)
    print(f"{applied.file}{', nothing was changed' if dry_run else ''}:")
    for line in told(applied):
        print(line)
    is_done = all(each.outcome in {"applied", "unchanged"} for each in applied.cameras.values())
    sys.exit(0 if is_done and not applied.restart else 1)


def _pipeline(config: Path, address: str | None, token: str) -> RunningPipeline:
    """Where it listens stands in the file itself, unless told otherwise; a mistaken camera does not matter for that."""
    if address is not None:
        return running_pipeline(None, address, token, CONFIG_PAGE)
    try:
        return pipeline_of(read_wanted(config).config, CONFIG_PAGE)
    except ConfigError as error:
        raise UserError(f"the configuration is refused as a whole:\n{error}") from None
    except KeyError as error:
        raise UserError(f"{config}: {error.args[0]}") from None
