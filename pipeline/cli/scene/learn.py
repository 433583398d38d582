"""`scene learn`: what a camera shows with nobody there, under one more light."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from operators.units import parse_seconds
from pipeline.cli.app import UserError
from pipeline.cli.commission.learning import LearntView, Model, learn_view
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.config_argument import load
from pipeline.cli.running_pipeline import UNREACHABLE, RunningPipeline
from pipeline.cli.scene.named import camera_of
from pipeline.config.loader import Config
from pipeline.control.bank_pictures import file_items
from pipeline.control.bank_request import parse_span
from pipeline.control.http_scene import SCENE_LEARN
from pipeline.control.view_lessons import LEAST_SECONDS, MARGIN_SECONDS, MOST_SECONDS
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.collection import evenly

PICTURES = 6
"""Of one light; a median of five survives two passers-by."""
ANSWER_SECONDS = 30.0


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
        span = _span(from_, to)
        print(_told(_from_file(loaded, camera, span, is_anew=anew), "the next `run` uses it"))
        return
    if from_ is not None or to is not None:
        raise UserError(f"{camera} is live: expected --for 10s, which counts from now; --from and --to are for files")
    seconds = _seconds(for_)
    if (answer := _asked(loaded, camera, seconds, is_anew=anew)) is not None:
        print(_sentence(camera, answer["view"], answer["lights"], "the running pipeline uses it from its next frame"))
        return
    pictures = Camera(camera, found.source, loaded.secrets).pictures(PICTURES, seconds / PICTURES)
    print(_told(_learn(loaded, camera, pictures, is_anew=anew), "the next `run` uses it"))


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


def _asked(config: Config, camera: str, seconds: float, *, is_anew: bool) -> dict[str, Any] | None:
    """The running pipeline's answer; None: none runs, as far as this machine can tell."""
    served = config.runtime.http
    if served is None or served.token is None:
        print("no runtime.http with a token: the camera is opened here")
        return None
    pipeline = RunningPipeline(served.bind, config.secrets.resolve(served.token))
    request = {"camera": camera, "seconds": seconds, "is_anew": is_anew}
    wait_seconds = seconds + MARGIN_SECONDS + ANSWER_SECONDS
    try:
        return pipeline.ask(SCENE_LEARN, request, wait_seconds=wait_seconds, failed=f"{camera}: nothing was learnt")
    except UserError as error:
        if error.exit_code != UNREACHABLE or "does not answer" not in str(error):
            raise
        print(f"no pipeline answers at {served.bind}: the camera is opened here")
        return None


def _from_file(config: Config, camera: str, span: tuple[float, float], *, is_anew: bool) -> LearntView:
    try:
        items = file_items(config, camera, span, None)
    except PipelineError as error:
        raise UserError(error.message) from None
    chosen = [items[index].pixels for index in evenly(len(items), PICTURES)]
    return _learn(config, camera, iter(chosen), is_anew=is_anew, count=len(chosen))


def _learn(
    config: Config, camera: str, pictures: Iterator[np.ndarray], *, is_anew: bool, count: int = PICTURES
) -> LearntView:
    fitted = Model().fitted(config, camera, _progress)
    if not fitted.spec.needs_subjects:
        raise UserError(
            f"{camera} has no empty view: expected a rule that needs subjects, such as distance_to, got none"
        )
    return learn_view(fitted, pictures, count, _progress, is_anew=is_anew)


def _progress(what: str, done: int, of: int) -> None:
    if done in {0, of}:
        print(f"{what}: {done} of {of}")


def _told(learnt: LearntView, then: str) -> str:
    return _sentence(learnt.version.partition("/")[2].rpartition("@")[0], learnt.version, learnt.num_lights, then)


def _sentence(camera: str, version: str, lights: int, then: str) -> str:
    need = "" if lights > 1 else " Rules that need subjects stay unknown until a second one: run this again then."
    return f"{camera}: {version} knows {lights} {'light' if lights == 1 else 'lights'}; {then}.{need}"
