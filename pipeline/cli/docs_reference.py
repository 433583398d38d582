"""`main.py docs`: writes the configuration reference from the schema, or checks that it is up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import UserError
from pipeline.config.reference import reference

_PAGE = Path("docs") / "configuration.md"


def docs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if the page is out of date.")] = False,
) -> None:
    """Write docs/configuration.md from the configuration structs and their docstrings."""
    page = reference()
    is_current = _PAGE.is_file() and _PAGE.read_text(encoding="utf-8") == page
    if check:
        if not is_current:
            raise UserError(f"{_PAGE} is not what the code says: run 'python main.py docs'", exit_code=1)
        return
    if not is_current:
        _PAGE.parent.mkdir(exist_ok=True)
        _PAGE.write_text(page, encoding="utf-8")
    typer.echo(f"{_PAGE} {'was up to date' if is_current else 'written'}")
