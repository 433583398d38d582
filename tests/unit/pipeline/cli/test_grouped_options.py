"""Options of a dataclass are options of the command, in `--help`, with their defaults and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli.app import build
from pipeline.cli.grouped_options import grouped


@dataclass(frozen=True)
class Size:
    wide: Annotated[int, typer.Option(min=1, help="Pixels.")]
    name: Annotated[str, typer.Option("--called")] = "it"


seen: list[tuple[str, Size, bool]] = []


@grouped
def measure(what: str, *, size: Size, loud: bool = False) -> None:
    """Measures."""
    seen.append((what, size, loud))


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(measure)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_each_field_is_an_option() -> None:
    seen.clear()
    assert run("box", "--wide", "3", "--called", "crate", "--loud")[0] == 0
    measure("box", wide=4)
    assert seen == [("box", Size(3, "crate"), True), ("box", Size(4), False)]


def test_what_an_option_asks_for_is_asked_for() -> None:
    assert "Missing option '--wide'" in run("box")[1]
    assert "greater than or equal to 1" in run("box", "--wide", "0")[1]
    said = run("--help")[1]
    assert "Measures." in said
    assert "--called" in said


@pytest.mark.parametrize("name", ["mute", "unmute", "ack", "arm", "disarm"])
def test_commands_that_act_share_who_asks_and_whom(name: str) -> None:
    said = CliRunner().invoke(build(name), [name, "--help"]).output
    for option in ("--reason", "--by", "--config", "--http", "--token"):
        assert option in said
    assert ("--for" in said) is (name in {"mute", "arm", "disarm"})
