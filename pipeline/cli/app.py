"""The command line: one file per command, loaded when it is called, so that `--help` stays fast."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass

import typer


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command lives. `target` is `module:function`, or `module:app` for a group."""

    name: str
    target: str


COMMANDS: tuple[Command, ...] = (
    Command("analyze", "pipeline.cli.analyze:analyze"),
    Command("bank", "pipeline.cli.bank:app"),
    Command("config", "pipeline.cli.config_show:app"),
    Command("demo", "pipeline.cli.demo.command:demo"),
    Command("docs", "pipeline.cli.docs_reference:docs"),
    Command("models", "pipeline.cli.models:app"),
    Command("probe", "pipeline.cli.probe:probe"),
    Command("publish", "pipeline.cli.publish:publish"),
    Command("run", "pipeline.cli.run:run"),
    Command("schema", "pipeline.cli.schema:schema"),
    Command("subscribe", "pipeline.cli.subscribe:subscribe"),
    Command("topics", "pipeline.cli.topics:app"),
    Command("validate", "pipeline.cli.validate:validate"),
)

EXIT_CODES = {
    0: "done",
    1: "ran, and something failed (a proof, a probe, a check)",
    2: "wrong usage or configuration",
    3: "a server, camera or file could not be reached",
    130: "interrupted",
}


def build(asked: str = "") -> typer.Typer:
    """The command `asked` alone, so that it does not wait for the imports of the others; all where there is none."""
    app = typer.Typer(
        name="main.py",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Live video analytics on one DINOv2 backbone.\n\nExit codes: "
        + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
        + ".",
    )
    app.callback()(lambda: None)
    for command in [each for each in COMMANDS if each.name == asked] or COMMANDS:
        module, _, name = command.target.partition(":")
        found = getattr(importlib.import_module(module), name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=command.name)
        else:
            app.command(name=command.name)(found)
    return app


class UserError(Exception):
    """A mistake of the person at the keyboard: printed as one message, never as a traceback."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def main() -> None:
    """Entry point: a `UserError` becomes its message on stderr and its exit code."""
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else "")()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
