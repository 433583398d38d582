"""`state show`: publishers, cameras, episodes and messages that wait."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.config_argument import load
from pipeline.cli.stored.lines import camera_line, counted, publisher_line
from pipeline.cli.stored.stopped import stopped
from pipeline.control.publisher_states import publisher_states
from pipeline.frame_path.publisher.state_holdings import holdings


def show(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Configuration: a file or a folder.")],
) -> None:
    """Print what each publisher keeps of its cameras, while the pipeline is stopped; a running one says it on /status.

    Of a camera: its lease, episodes that are on (RULE/EPISODE), mutes, the empty view, messages that some sink does not
    have yet.
    """
    with stopped(load(config)) as state_dir:
        states = {number: holdings(path) for number, path in publisher_states(state_dir).items()}
    num_cameras = sum(len(held) for held in states.values())
    print(f"{state_dir}: {counted(len(states), 'publisher')}, {counted(num_cameras, 'camera')}")
    for number, held in states.items():
        print(publisher_line(number, held, has_names=False))
        for each in held.values():
            print(camera_line(each))
