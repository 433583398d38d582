"""`main.py try SOURCE`: what this program makes of a camera, in half a minute; no configuration, no broker."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from operators.backbone.config import ModelConfig
from operators.backbone.official import OFFICIAL
from operators.backbone.weights_folder import default_cache_dir
from pipeline.cli.analyze_model import build_analyzer, load_depth_head
from pipeline.cli.app import UserError
from pipeline.cli.inputs import engine_of
from pipeline.cli.pictures.kept import KeptPictures
from pipeline.cli.source_argument import as_user_error, parse_source
from pipeline.cli.tryout.camera_file import Tried, camera_id, write_configuration
from pipeline.cli.tryout.report import Outcome, claimed, machine_rate, report
from pipeline.cli.tryout.session import Session, clock_text
from pipeline.cli.tryout.watcher import Ended, Opened, Seen, Watcher
from pipeline.cli.tryout.webcam import WebcamFeed, webcam_device
from pipeline.config.schema import CAMERA_ID
from pipeline.sources.base import Feed, SourceInfo
from pipeline.sources.config import SourceConfig

_FPS = 2.0
_MAX_PICTURES = 240
"""A longer look takes fewer pictures per second."""
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class _Source:
    shown: str
    feed: Feed
    config: SourceConfig | None
    """None: a webcam, which no configuration can name."""


def try_source(
    source: Annotated[str, typer.Argument(help="A file, an address, /dev/video0, webcam, or simulated:SEED.")],
    *,
    seconds: Annotated[float, typer.Option(help="How much of it to look at.", min=1.0)] = 30.0,
    out: Annotated[Path, typer.Option("--out", help="Folder; a folder with the camera's name is made in it.")] = Path(
        "out/try"
    ),
    name: Annotated[str | None, typer.Option(help="Id of the camera; taken from the source if left out.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="official, standin, random, or a path; left out: official if it is here, else standin."),
    ] = None,
    hfov: Annotated[str | None, typer.Option(help="Horizontal field of view such as 74deg, for metres.")] = None,
    credentials: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Environment variable that holds user:password.")
    ] = None,
    transport: Annotated[str, typer.Option(help="RTSP over tcp or udp.")] = "tcp",
    ca_file: Annotated[str | None, typer.Option(help="Certificates to trust, for rtsps and https.")] = None,
) -> None:
    """Look at a camera or file for a while: rate, depth, features, what is new, and a configuration to begin with.

    Two pictures a second, at most 240. Ends by itself; Ctrl-C ends it earlier, with what there is. Everything lies in
    OUT/NAME: depth.jpg, pca.jpg, new.jpg, earlier.jpg, and a configuration that `validate` and `run` take.
    """
    _one_thread()
    found = _source(source, credentials=credentials, transport=transport, ca_file=ca_file)
    camera = _camera(name, source)
    folder = out / camera
    fps = min(_FPS, _MAX_PICTURES / seconds)
    with Watcher(found.feed, seconds=seconds, fps=fps) as watcher:
        info = _opened(watcher)
        print(f"{found.shown}: {claimed(info)}", flush=True)
        engine = engine_of(ModelConfig().backbone, weights or _weights_here(), "auto")
        print(f"weights: {engine.backbone.info.weights} ({engine.backbone.info.origin})", flush=True)
        head = load_depth_head(engine, "simulated")
        shapes = ModelConfig().shapes
        analyzer = build_analyzer(engine, shapes, {}, depth=head, hfov=hfov)
        folder.mkdir(parents=True, exist_ok=True)
        with KeptPictures(folder) as kept:
            session = Session(folder, analyzer, shapes, kept)
            outcome = _look(watcher, session)
            if not session.seconds:
                raise _nothing_came(found.shown, outcome)
            machine_fps = machine_rate(engine, session.shape)
            lines = report(session, outcome, machine_fps)
    print("\n".join(lines))
    tried = Tried(
        camera=camera,
        source=found.config,
        credentials=credentials,
        weights=weights or engine.backbone.info.weights,
        has_depth=head is not None,
        stream_fps=outcome.measured.fps,
        machine_fps=machine_fps,
        notes=(claimed(info), *(" ".join(line.split()) for line in lines[:2])),
    )
    print(f"{'configuration':14}{_written(folder, tried)}")
    if outcome.is_interrupted:
        raise typer.Exit(_INTERRUPTED)
    if outcome.trouble:
        raise UserError(f"ended early: {outcome.trouble}", 1)


def _written(folder: Path, tried: Tried) -> str:
    if tried.source is None:
        return "none: a webcam has no address that a configuration could name"
    return f"{write_configuration(folder, tried)}; check it with: python main.py validate {folder}"


def _nothing_came(shown: str, outcome: Outcome) -> UserError:
    why = f": {outcome.trouble}" if outcome.trouble else ""
    return UserError(f"{shown}: opened, but no picture came{why}", _INTERRUPTED if outcome.is_interrupted else 1)


def _one_thread() -> None:
    """One intra-op thread: several wait for each other as soon as something else runs, the decoder for one."""
    import torch

    torch.set_num_threads(1)


def _opened(watcher: Watcher) -> SourceInfo:
    news = watcher.take()
    if isinstance(news, Ended) and news.error is not None:
        raise as_user_error(news.error)
    assert isinstance(news, Opened)
    return news.info


def _source(text: str, *, credentials: str | None, transport: str, ca_file: str | None) -> _Source:
    if (device := webcam_device(text)) is not None:
        return _Source(str(device), WebcamFeed("try", device), None)
    argument = parse_source(text, credentials=credentials, transport=transport, ca_file=ca_file)
    return _Source(argument.shown, argument.feed("try"), argument.config)


def _camera(name: str | None, source: str) -> str:
    if name is not None and not re.fullmatch(CAMERA_ID, name):
        raise UserError(f"--name: expected small letters, digits, - and _, such as dock-03, got {name!r}")
    return name or camera_id(source)


def _weights_here() -> str:
    is_here = (default_cache_dir() / OFFICIAL[ModelConfig().backbone].file).is_file()
    return "official" if is_here else "standin"


def _look(watcher: Watcher, session: Session) -> Outcome:
    """Until the source ends, the time is over, or somebody presses Ctrl-C."""
    outcome = Outcome()
    try:
        while isinstance(news := watcher.take(), Seen):
            began = time.monotonic()
            session.look(news)
            outcome.looking_seconds += time.monotonic() - began
            if len(session.seconds) == 1:
                path = session.draw_latest()
                print(f"first picture: {path}", flush=True)
            elif len(session.seconds) % 10 == 0:
                print(_progress(session), flush=True)
        if isinstance(news, Ended) and news.error is not None:
            outcome.trouble = str(as_user_error(news.error))
    except KeyboardInterrupt:
        watcher.stop()
        outcome.is_interrupted = True
        print("interrupted: this is what there is", flush=True)
    outcome.measured = watcher.measured
    return outcome


def _progress(session: Session) -> str:
    newest = session.new[-1] if session.new and session.new[-1].seconds == session.seconds[-1] else None
    said = newest.text if newest is not None else f"{clock_text(session.seconds[-1])}  nothing new"
    return f"  {said}; {len(session.seconds)} pictures"
