"""`main.py schema`: JSON Schema for editors and consumers."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from pipeline.config.json_schema import config_schema


def schema(
    what: Annotated[
        Literal["config", "events"], typer.Argument(help="The configuration file, or the events on the wire.")
    ] = "config",
) -> None:
    """Print JSON Schema (2020-12).

    For completion in an editor, write it to a file and name it in the first line of the configuration:
    `# yaml-language-server: $schema=dinostream.schema.json`.
    """
    if what == "config":
        found = config_schema()
    else:
        from pipeline.frame_path.publisher.wire import wire_schema

        found = wire_schema()
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
