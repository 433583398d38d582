"""`main.py drive-in CONFIG CAMERA --at 5.0`: measures what the camera's distances are worth, and stores it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from operators.rules.measure_table import parse_measure
from operators.scene.residuals import Stop
from operators.spelling import did_you_mean
from operators.units import parse_metres
from pipeline.cli.app import UserError
from pipeline.cli.camera_model import Model
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.config_argument import load
from pipeline.cli.drive_in.measuring import Reader, UnsteadyError, read_stop, store_stops
from pipeline.cli.drive_in.pictures import Span, parse_span_time, stop_pictures
from pipeline.cli.drive_in.report import conclusion, rule_lines, stop_table
from pipeline.config.loader import Config
from pipeline.config.schema import CameraConfig
from pipeline.errors import PipelineError

_INTERRUPTED = 130


def drive_in(
    config: Annotated[Path, typer.Argument(help="One YAML file, or a directory with one file per camera.")],
    camera: Annotated[str, typer.Argument(help="Id of the camera.")],
    *,
    at: Annotated[
        list[str], typer.Option(metavar="METRES", help="From the line to the vehicle's body, by tape; two or three.")
    ],
    vehicle: Annotated[str, typer.Option(metavar="NAME", help="Which one, such as forklift-7.")] = "vehicle",
    line: Annotated[str | None, typer.Option(help="Floor line; left out: that of the camera's rule.")] = None,
    seconds: Annotated[float, typer.Option(help="How long to read each stop.", min=3.0)] = 10.0,
    begins: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="TIME", help="Of a file: when each stop begins: 12s, 1:02."),
    ] = None,
    ends: Annotated[
        list[str] | None, typer.Option("--to", metavar="TIME", help="Of a file: when the vehicle drives on.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the camera's earlier drive-ins.")] = False,
) -> None:
    """Let a vehicle stop at known distances, read them, and store how far the camera reads wrong.

    The known distance goes from the line to the vehicle's body, not to its fork tips. With several --at you are asked
    to drive on. Stops add up, also over days: measure two vehicles at least, each under its own --vehicle. Rules with
    `margin: auto` and `severity: critical` then fire earlier by what was found, from the next `run` on.

    A simulated dock puts a vehicle there itself: a forklift, or what --vehicle begins with (truck, person).
    """
    loaded = load(config)
    found = _camera(loaded, camera)
    wanted = [_known(text) for text in at]
    name = _line(camera, found, line)
    spans = _spans(camera, found, wanted, begins or [], ends or [])
    reader = _reader(loaded, camera)
    stops: list[Stop] = []
    try:
        for number, known in enumerate(wanted):
            opened = Camera(camera, found.source, loaded.secrets)
            span = spans[number] if spans else None
            pictures = stop_pictures(opened, (name, found.lines[name]), vehicle, known, seconds=seconds, span=span)
            if found.source.simulated is not None:
                print(f"simulated: a vehicle is put with its body {known:g} m from the edge", flush=True)
            if found.source.kind == "url" and len(wanted) > 1:
                _ask(known, name)
            stops.append(_read(reader, pictures, name, known, vehicle))
    except KeyboardInterrupt:
        print("interrupted: nothing was stored", flush=True)
        raise typer.Exit(_INTERRUPTED) from None
    metres = store_stops(reader, stops, is_fresh=fresh)
    print("\n".join(stop_table(metres.of_line(name))))
    print(f"jitter {metres.jitter_metres:.2f} m")
    print(conclusion(metres, name))
    print("\n".join(rule_lines(found.rules, metres)))
    print(f"stored as {metres.version}; `run` uses it from its next start")


def _camera(config: Config, camera: str) -> CameraConfig:
    found = config.cameras.get(camera)
    if found is None:
        known = ", ".join(config.cameras)
        raise UserError(
            f"{config.path} has no camera {camera!r}: expected one of {known}{did_you_mean(camera, config.cameras)}"
        )
    if found.source.kafka is not None:
        raise UserError(
            f"camera {camera} reads topic {found.source.kafka.topic}: expected a camera with an address or a file. "
            "Drive in where its pictures are taken"
        )
    return found


def _known(text: str) -> float:
    try:
        metres = float(text) if text.replace(".", "", 1).isdigit() else parse_metres(text)
    except ValueError:
        metres = 0.0
    if not 0.0 < metres < float("inf"):
        raise UserError(f"--at: expected metres above 0 such as 5.0, got {text!r}")
    return metres


def _line(camera: str, found: CameraConfig, line: str | None) -> str:
    known = ", ".join(found.lines) or "none"
    if line is not None:
        if line not in found.lines:
            raise UserError(
                f"--line: unknown line {line!r}: expected one of {camera}'s ({known}){did_you_mean(line, found.lines)}"
            )
        return line
    measures = [parse_measure(rule.measure) for rule in found.rules.values()]
    named = {each.args[0] for each in measures if each.name == "distance_to"} or set(found.lines)
    if len(named) != 1:
        raise UserError(f"--line: {camera} has {known}: name the one that was measured from")
    return named.pop()


def _spans(
    camera: str, found: CameraConfig, wanted: Sequence[float], begins: Sequence[str], ends: Sequence[str]
) -> list[Span]:
    if found.source.file is None:
        if begins or ends:
            raise UserError(f"--from, --to: {camera} is live: expected none")
        return []
    if len(begins) != len(wanted) or len(ends) != len(wanted):
        raise UserError(
            f"{camera} reads a file: expected one --from and one --to for each --at, got {len(begins)} and {len(ends)}"
        )
    times = [(parse_span_time(a, "--from"), parse_span_time(b, "--to")) for a, b in zip(begins, ends, strict=True)]
    if late := next(((a, b) for a, b in times if b <= a), None):
        raise UserError(f"--to: expected a time after --from, got {late[0]:g} s to {late[1]:g} s")
    return [Span(*each) for each in times]


def _reader(config: Config, camera: str) -> Reader:
    """As `run` would read, but for the rules: those may be what drive-ins show to be wrong."""
    import torch

    torch.set_num_threads(1)
    try:
        fitted = Model().fitted(config, camera, _told, has_rules=False)
        reader = Reader.of(fitted.model, fitted.analyzer, camera)
    except (PipelineError, ValueError) as error:  # WeightsError is a ValueError
        raise UserError(str(error), 3) from None
    if reader.store.latest(f"view/{camera}") is None:
        raise UserError(f"{camera} has not learnt its empty view: `commission` it, or let `run` learn it first", 3)
    return reader


def _told(what: str, done: int, of: int) -> None:
    if done in {0, of} or done % max(1, of // 4) == 0:
        print(f"{what}: {done} of {of}", flush=True)


def _ask(known: float, line: str) -> None:
    asked = f"Stop with the body {known:g} m from {line} (forks reach further). Enter when it stands: "
    print(asked, end="", flush=True)
    if not sys.stdin.readline():
        raise UserError("expected Enter once the vehicle stands, got the end of input: nothing was stored")


def _read(reader: Reader, pictures: Iterator[np.ndarray], line: str, known: float, vehicle: str) -> Stop:
    def told(count: int, metres: float | None) -> None:
        if count % 5 == 0:
            print(f"  {known:g} m: {count} pictures, {'nobody' if metres is None else f'{metres:.2f} m'}", flush=True)

    try:
        return read_stop(reader, pictures, line, known, vehicle=vehicle, told=told)
    except UnsteadyError as error:
        raise UserError(f"at {known:g} m: {error}. Nothing was stored", 1) from None
    except ValueError as error:
        raise UserError(str(error), 3) from None
