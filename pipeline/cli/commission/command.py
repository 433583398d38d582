"""`main.py commission [CONFIG] CAMERA`: set up a camera without typing polygons."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from operators.backbone.config import ModelConfig
from operators.backbone.official import OFFICIAL
from operators.backbone.weights_folder import default_cache_dir
from pipeline.cli.app import UserError
from pipeline.cli.camera_model import Model
from pipeline.cli.commission.new_camera import NewCamera
from pipeline.cli.commission.session import Session
from pipeline.cli.commission.step_state import Step
from pipeline.cli.commission.target import added, existing
from pipeline.cli.commission.teaching import VIEW_EVERY_SECONDS
from pipeline.cli.source_argument import parse_source
from pipeline.config.schema import CAMERA_ID
from pipeline.errors import PipelineError

_SITE = Path("site")
"""Where a configuration is kept that nobody named."""
_WAIT_SECONDS = 0.5


def commission(
    names: Annotated[
        list[str],
        typer.Argument(metavar="[CONFIG] CAMERA", help="The camera, after its file or folder; left out: ./site."),
    ],
    *,
    source: Annotated[
        str | None, typer.Option(help="Address, file or simulated:SEED of a camera that CONFIG does not have yet.")
    ] = None,
    credentials: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Environment variable that holds user:password.")
    ] = None,
    transport: Annotated[str, typer.Option(help="RTSP over tcp or udp.")] = "tcp",
    ca_file: Annotated[str | None, typer.Option(help="Certificates to trust, for rtsps and https.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="For a new configuration: official, standin or a path; left out: what is here."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Draw on a page; else a picture with a grid, and prompts.")] = True,
    port: Annotated[int, typer.Option(help="Of the page, on this machine alone; 0: any free one.", min=0)] = 0,
    out: Annotated[Path, typer.Option(help="Without a browser: where pictures with the grid go.")] = Path(
        "out/commission"
    ),
    every: Annotated[
        float, typer.Option(metavar="SECONDS", help="Between the pictures of the empty view.", min=0.1)
    ] = VIEW_EVERY_SECONDS,
) -> None:
    """Set up a camera: how it hangs, zones, lines and masks, a depth head for its view, its empty view, drive-ins.

    Opens the camera and serves a page on this machine, where all of it is drawn with the mouse. With --no-browser the
    same from prompts, which a script can answer. Writes the camera's file at the end, after showing what would change.
    """
    config, camera = _named(names)
    if source is None:
        target = existing(config, camera)
    else:
        argument = parse_source(source, credentials=credentials, transport=transport, ca_file=ca_file)
        new = NewCamera(camera, argument.config, argument.secrets, credentials, weights or _weights_here())
        target = added(config, new)
    print(f"{camera}: opening {target.camera.source.shown}", flush=True)
    session = Session(target, Model(), every)
    try:
        if browser:
            _serve(session, port)
        else:
            from pipeline.cli.commission.prompts import Prompts

            Prompts(session, out / camera, sys.stdin, sys.stdout).run()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        raise typer.Exit(130) from None
    finally:
        print(_ending(session), flush=True)


def _named(names: list[str]) -> tuple[Path, str]:
    if len(names) > 2:
        raise UserError(f"expected CAMERA, or CONFIG and CAMERA, got {len(names)} names")
    camera = names[-1]
    if not re.fullmatch(CAMERA_ID, camera):
        raise UserError(f"camera: expected small letters, digits, - and _, such as dock-03, got {camera!r}")
    return Path(names[0]) if len(names) == 2 else _SITE, camera


def _weights_here() -> str:
    is_here = (default_cache_dir() / OFFICIAL[ModelConfig().backbone].file).is_file()
    return "official" if is_here else "standin"


def _serve(session: Session, port: int) -> None:
    """Until somebody presses Finish."""
    from pipeline.cli.commission.access import Access
    from pipeline.cli.commission.web import build_page
    from pipeline.control.serving.http import HttpServer

    finished, access = threading.Event(), Access()
    try:
        server = HttpServer(build_page(session, access, finished), f"127.0.0.1:{port}")
    except PipelineError:
        raise UserError(f"port {port} is taken: expected a free one. Name another with --port", 3) from None
    server.start()
    print(f"open in a browser on this machine: http://{server.address}/open?token={access.token}", flush=True)
    print("the address works once; Finish on the page, or Ctrl-C, ends it", flush=True)
    try:
        while not finished.wait(_WAIT_SECONDS):  # so that Ctrl-C is heard
            pass
    finally:
        server.stop()


def _ending(session: Session) -> str:
    if session.steps[Step.FILE].status != "done":
        return f"nothing was written to {session.target.file}"
    config = session.target.config
    return "\n".join(
        (
            session.steps[Step.FILE].said,
            *session.notes,
            f"check it: python main.py validate {config}",
            f"run it:   python main.py run {config}",
        )
    )
