"""`bank`: banks of labelled pictures; one file per sub-command."""

from __future__ import annotations

import typer

from pipeline.cli.bank_add import add
from pipeline.cli.bank_build import build
from pipeline.cli.bank_rebuild import rebuild
from pipeline.cli.bank_report import report

app = typer.Typer(no_args_is_help=True, help="Banks of labelled pictures.")
app.callback(help="Banks of labelled pictures.")(lambda: None)
for command in (build, report, rebuild, add):
    app.command()(command)
