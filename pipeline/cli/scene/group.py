"""`scene learn`, `scene show`."""

from __future__ import annotations

import typer

from pipeline.cli.scene.learn import learn
from pipeline.cli.scene.show import show

app = typer.Typer(no_args_is_help=True, help="The learnt empty views of cameras.")
app.callback(help="The learnt empty views of cameras.")(lambda: None)
for command in (learn, show):
    app.command()(command)
