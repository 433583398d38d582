"""`scene learn`: what a camera shows with nobody there, under one more light."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operators.units import parse_seconds
from pipeline.cli.app import UserError
from pipeline.cli.camera_model import Model
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.config_argument import load
from pipeline.cli.scene.lesson import Lesson, ask_running, learnt_said, teach
from pipeline.cli.scene.named import camera_of
from pipeline.control.banks.bank_request import parse_span
from pipeline.control.view_lessons import LEAST_SECONDS, MOST_SECONDS
from pipeline.errors import PipelineError


def learn(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Configuration: a file or a folder.")],
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="Its id.")],
    *,
    from_: Annotated[str | None, typer.Option("--from", help="In the camera's file, such as 00:12 or 12s.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="In the camera's file, such as 00:20.")] = None,
    for_: Annotated[str, typer.Option("--for", help="Of a live camera: how long from now.")] = "10s",
    anew: Annotated[bool, typer.Option("--anew", help="Forget all lights: the camera looks elsewhere now.")] = False,
) -> None:
    """Learn what a camera shows with nobody there; once more under another light makes two of them.

    Where the pipeline runs, its own camera is asked, over HTTP with its token. Else the camera is opened here, and the
    next `run` goes on from what was learnt.
    """
    loaded = load(config)
    found = camera_of(loaded, camera)
    if found.source.file is not None:
        lesson = Lesson(0.0, _span(from_, to), is_anew=anew)
    elif from_ is not None or to is not None:
        raise UserError(f"{camera} is live: expected --for 10s, which counts from now; --from and --to are for files")
    else:
        lesson = Lesson(_seconds(for_), is_anew=anew)
        if (learnt := ask_running(loaded, camera, lesson)) is not None:
            print(f"{camera}: {learnt_said(learnt)}; the running pipeline uses it from its next frame")
            return
        print("no pipeline answers (it takes runtime.http with a token): the camera is opened here")
    spec = loaded.camera_spec(camera)
    if not spec.needs_subjects and spec.view is None:
        raise UserError(
            f"{camera} has no empty view: expected `view`, or a rule that needs subjects, such as distance_to; got none"
        )
    try:
        fitted = Model().fitted(loaded, camera, _progress, has_rules=False)
    except (PipelineError, ValueError) as error:  # WeightsError is a ValueError
        raise UserError(str(error), 3) from None
    learnt = teach(fitted, Camera(camera, found.source, loaded.secrets), lesson, _progress)
    print(f"{camera}: {learnt_said(learnt)}; the next `run` uses it")


def _span(from_: str | None, to: str | None) -> tuple[float, float]:
    if from_ is None or to is None:
        raise UserError("a file needs --from and --to: expected moments without anybody, such as --from 0s --to 00:10")
    try:
        begin, end = parse_span(f"{from_}..{to}")
    except ValueError as error:
        raise UserError(f"--from, --to: {error}") from None
    if end <= begin:
        raise UserError(f"--to: expected a moment after --from, got {from_} to {to}")
    return begin, end


def _seconds(text: str) -> float:
    try:
        seconds = parse_seconds(text)
    except ValueError as error:
        raise UserError(f"--for: {error}") from None
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise UserError(f"--for: expected {LEAST_SECONDS:g}s to {MOST_SECONDS:g}s, got {text}")
    return seconds


def _progress(what: str, done: int, of: int) -> None:
    if done in {0, of}:
        print(f"{what}: {done} of {of}")
