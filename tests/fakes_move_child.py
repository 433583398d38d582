"""Moves of states in processes that are killed at a chosen moment.

`python -m tests.fakes_move_child`: reads lines `STATE_DIR COUNT KILL_AT`, and for each moves that state to COUNT
publishers in a process of its own, which ends itself with SIGKILL before the line of the move's code that it runs as
number KILL_AT (0: never). Answers with the number of lines that ran, or `killed`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from pipeline.control import publisher_states
from pipeline.frame_path.publisher import artefacts, state_db, state_deal, state_holdings

FILES = {each.__file__ for each in (publisher_states, artefacts, state_db, state_deal, state_holdings)}


def move(state_dir: Path, count: int, kill_at: int) -> int:
    """How many lines ran, if it lives."""
    num_lines = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal num_lines
        del arg
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "line":
            num_lines += 1
            if num_lines == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    publisher_states.move_publishers(state_dir, count)
    sys.settrace(None)
    return num_lines


def answer(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main() -> None:
    for line in sys.stdin:
        state_dir, count, kill_at = line.split()
        child = os.fork()
        if child == 0:
            answer(move(Path(state_dir), int(count), int(kill_at)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            answer("killed")


if __name__ == "__main__":
    main()
