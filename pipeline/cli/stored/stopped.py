"""The state of a pipeline that does not run, held so that none can start on it meanwhile."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pipeline.cli.app import UserError
from pipeline.config.loader import Config
from pipeline.control.leases import StateLock
from pipeline.control.publisher_states import finish_move, publisher_states
from pipeline.errors import PipelineError


@contextmanager
def stopped(config: Config) -> Generator[Path]:
    """Its `state_dir`, locked; what an interrupted move left there is put right and said first.

    Raises:
        UserError: there is no state, or a pipeline runs with it; also in place of a `PipelineError` of the block.
    """
    state_dir = Path(config.runtime.state_dir)
    if not state_dir.is_dir():
        raise UserError(f"no state in {state_dir}: expected the state_dir of {config.path} once it has run", 1)
    try:
        lock = StateLock(state_dir)
        try:
            if said := finish_move(state_dir):
                print(f"{state_dir}: {said}")
            if not publisher_states(state_dir):
                raise UserError(f"no publisher has left a state in {state_dir} yet", 1)
            yield state_dir
        finally:
            lock.release()
    except PipelineError as error:
        if error.code == "state_in_use":
            held = str(error).partition(": expected")[0]
            raise UserError(f"{held}: expected a pipeline that does not run. Stop it with SIGTERM first", 3) from None
        raise UserError(str(error), 3) from None
    except OSError as error:
        raise UserError(f"{state_dir} cannot be opened: {error.strerror}", 3) from None
