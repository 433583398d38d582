"""`state move`: another number of publishers takes over what those before them kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.config_argument import load
from pipeline.cli.stored.lines import counted, publisher_line, size, waiting_bytes
from pipeline.cli.stored.stopped import stopped
from pipeline.config.loader import Config
from pipeline.control.publisher_states import move_publishers, moved_holdings, publisher_states
from pipeline.frame_path.publisher.state_holdings import holdings


def move(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Configuration: a file or a folder.")],
    *,
    publishers: Annotated[int, typer.Option(min=1, metavar="M", help="How many there shall be.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go where; change nothing.")] = False,
) -> None:
    """Give what is stored of each camera to the publisher that it has among M, while the pipeline is stopped.

    Episodes, mutes, what was learnt and messages that wait go along. When this is killed, the state is the old one or
    the new one. Then set runtime.publishers to M.
    """
    loaded = load(config)
    with stopped(loaded) as state_dir:
        states = {number: holdings(path) for number, path in publisher_states(state_dir).items()}
        print(f"{state_dir}: {counted(len(states), 'publisher')}")
        for number, held in states.items():
            print(publisher_line(number, held))
        if list(states) == list(range(publishers)):
            print(f"nothing to move.{_next_step(loaded, publishers)}")
            return
        after = moved_holdings(states, publishers)
        if not dry_run:
            move_publishers(state_dir, publishers)
    print(f"{'would move' if dry_run else 'moved'} to {counted(publishers, 'publisher')}")
    bound = loaded.outbox.max_bytes
    for number, held in after.items():
        print(publisher_line(number, held))
        if (waiting := waiting_bytes(held)) > bound:
            print(
                f"  above outbox.max_bytes ({size(bound)} of {size(waiting)}): new alerts are refused until it shrinks"
            )
    if not dry_run:
        print(f"done.{_next_step(loaded, publishers)}")


def _next_step(config: Config, publishers: int) -> str:
    if config.runtime.publishers == publishers:
        return ""
    return f" Set `runtime: {{publishers: {publishers}}}` in {config.path}, which says {config.runtime.publishers}"
