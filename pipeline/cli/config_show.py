"""`main.py config show`: what the program makes of a configuration, and where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from operators.spelling import did_you_mean
from pipeline.cli.app import UserError
from pipeline.cli.config_argument import load
from pipeline.config.loader import Config
from pipeline.config.problems import Place, shown
from pipeline.config.written import written
from pipeline.secrets import redact

app = typer.Typer(no_args_is_help=True, help="Look at a configuration.")
app.callback()(lambda: None)


@app.command()
def show(
    config: Annotated[Path, typer.Argument(help="One YAML file, or a directory with one file per camera.")],
    camera: Annotated[str | None, typer.Argument(help="One camera; left out: everything.")] = None,
    origin: Annotated[bool, typer.Option("--origin", help="Where each of the camera's values was written.")] = False,
) -> None:
    """Print the configuration as it is after defaults and profiles were merged, defaults of the program included.

    Secrets are shown by reference, never by value.
    """
    loaded = load(config)
    if camera is None:
        if origin:
            raise UserError("--origin needs a camera: config show CONFIG CAMERA --origin")
        text = yaml.safe_dump(everything(loaded), sort_keys=False, allow_unicode=True, width=120)
        typer.echo(redact(text), nl=False)
        return
    if camera not in loaded.cameras:
        known = ", ".join(loaded.cameras)
        raise UserError(f"unknown camera {camera!r}: expected one of {known}{did_you_mean(camera, loaded.cameras)}")
    found = written(loaded.cameras[camera])
    if not origin:
        typer.echo(redact(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=120)), nl=False)
        return
    lines = [(shown(place)[2:], _plain(value), _origin(loaded, camera, place)) for place, value in leaves(found)]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for name, value, where in lines:
        typer.echo(redact(f"{name:<{widths[0]}}  {value:<{min(widths[1], 48)}}  {where}"))


def _plain(value: Any) -> str:
    """On one line, as it would be written in the file."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()


def _origin(config: Config, camera: str, place: Place) -> str:
    mark = config.origin(camera, place)
    if mark is None:
        is_simulated = config.cameras[camera].source.simulated and place[0] in {"view", "lines", "zones"}
        return "simulator" if is_simulated else "default"
    layer = {"defaults": "defaults", "profiles": f"profile {mark.place[1]}" if len(mark.place) > 1 else ""}
    named = layer.get(str(mark.place[0]) if mark.place else "", "camera")
    return f"{named}, {mark}"


def everything(config: Config) -> dict[str, Any]:
    """The whole file as plain values, cameras merged."""
    return {
        **written(config.sections),
        "cameras": {camera: written(found) for camera, found in config.cameras.items()},
    }


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every plain value with its place; lists of numbers or words count as one."""
    if isinstance(value, dict) and value:
        for name, each in cast("dict[str, Any]", value).items():
            yield from leaves(each, (*place, name))
    else:
        yield place, value
