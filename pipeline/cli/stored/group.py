"""`state move`, `state show`."""

from __future__ import annotations

import typer

from pipeline.cli.stored.move import move
from pipeline.cli.stored.show import show

app = typer.Typer(no_args_is_help=True, help="What a stopped pipeline keeps in its state_dir.")
app.callback(help="What a stopped pipeline keeps in its state_dir.")(lambda: None)
for command in (move, show):
    app.command()(command)
