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
    summary: str
    """What `--help` lists without loading the command."""


COMMANDS: tuple[Command, ...] = (
    Command("ack", "pipeline.cli.ack:ack", "Say that you have taken notice of an alert."),
    Command(
        "analyze", "pipeline.cli.analyze:analyze", "Run pictures or a video through the model and its heads; no broker."
    ),
    Command("apply", "pipeline.cli.apply:apply", "Have a running pipeline take its changed file on."),
    Command("arm", "pipeline.cli.arm:arm", "Let a camera's rules watch, whatever their hours say."),
    Command("bank", "pipeline.cli.bank:app", "Banks of labelled pictures."),
    Command(
        "commission",
        "pipeline.cli.commission.command:commission",
        "Set up a camera on a page: pose, zones, lines, depth head, empty view.",
    ),
    Command("config", "pipeline.cli.config_show:app", "Show the configuration as the program understands it."),
    Command(
        "demo",
        "pipeline.cli.demo.command:demo",
        "Show everything at once: servers, four cameras, alerts, pictures, and a proof.",
    ),
    Command("disarm", "pipeline.cli.arm:disarm", "Let a camera's rules rest."),
    Command("docs", "pipeline.cli.docs_reference:docs", "Write docs/configuration.md from the configuration structs."),
    Command(
        "drive-in",
        "pipeline.cli.drive_in.command:drive_in",
        "Measure how far a camera reads wrong: a vehicle stops at known distances.",
    ),
    Command("explain", "pipeline.cli.explain.command:explain", "Say why an alert came, and how to replay it."),
    Command("fit", "pipeline.cli.fit:app", "Fit a head of your own: classes, depth or segments."),
    Command("gallery", "pipeline.cli.gallery:gallery", "Keep what cameras show, so that `search` finds it."),
    Command("gpu-check", "pipeline.cli.gpu_check:gpu_check", "Compare a GPU with the CPU and measure it."),
    Command("models", "pipeline.cli.models:app", "List, download and verify backbone weights."),
    Command("mute", "pipeline.cli.mute:mute", "Tell nobody of a camera's alerts for a while."),
    Command("probe", "pipeline.cli.probe:probe", "Open a camera or file once and say what it sends."),
    Command("publish", "pipeline.cli.publish:publish", "Write a file or camera into a Kafka topic."),
    Command("replay", "pipeline.cli.replay.command:replay", "Step rules over recorded results again; what if."),
    Command("run", "pipeline.cli.run:run", "Run the pipeline."),
    Command("scene", "pipeline.cli.scene.group:app", "Teach and show the empty views of cameras."),
    Command("schema", "pipeline.cli.schema:schema", "JSON Schema of the configuration or of the events."),
    Command("search", "pipeline.cli.search:search", "Find moments like a picture or frame, or that fit a sentence."),
    Command("state", "pipeline.cli.stored.group:app", "Show or move what a stopped pipeline keeps."),
    Command("subscribe", "pipeline.cli.subscribe:subscribe", "Print events from Redis or Kafka as JSON lines."),
    Command("topics", "pipeline.cli.topics:app", "Create or check the Kafka topics that the pipeline writes to."),
    Command(
        "try", "pipeline.cli.try_source:try_source", "Look at a camera or file for half a minute; no configuration."
    ),
    Command("unmute", "pipeline.cli.mute:unmute", "Tell people of a camera's alerts again."),
    Command("validate", "pipeline.cli.validate:validate", "Check a configuration and show the plan."),
)

EXIT_CODES = {
    0: "done",
    1: "ran, and something failed (a proof, a probe, a check)",
    2: "wrong usage or configuration",
    3: "a server, camera or file could not be reached",
    130: "interrupted (Ctrl-C)",
    143: "left at once on a second SIGTERM",
}


def build(asked: str = "") -> typer.Typer:
    """The command `asked`, loaded; where there is none, all by name and summary, for `--help` and for a wrong name."""
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
    for command in COMMANDS:
        if command.name == asked:
            _load(app, command)
            return app
    for command in COMMANDS:
        app.command(name=command.name, help=command.summary)(lambda: None)
    return app


def _load(app: typer.Typer, command: Command) -> None:
    module, _, name = command.target.partition(":")
    found = getattr(importlib.import_module(module), name)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=command.name)
    else:
        app.command(name=command.name)(found)


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
