"""One long step at a time, on a thread of its own, so that the page can be looked at meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace

from operators.backbone import WeightsError
from pipeline.cli.app import UserError
from pipeline.cli.commission.session import Session
from pipeline.cli.commission.step_state import Step, StepAsked, StepState, Told
from pipeline.config.problems import ConfigError
from pipeline.errors import PipelineError


def run_step(session: Session, asked: StepAsked, told: Told) -> None:
    """Does the step and keeps its state; what a person can do something about is its sentence."""
    session.steps[asked.step] = StepState("running", "begins")
    try:
        session.steps[asked.step] = StepState("done", session.run(asked, told))
    except (UserError, WeightsError, PipelineError, ConfigError) as error:
        session.steps[asked.step] = StepState("failed", str(error))


class StepTold:
    """Writes progress into a step's state."""

    def __init__(self, session: Session, step: Step) -> None:
        self._session = session
        self._step = step

    def __call__(self, what: str, done: int, of: int) -> None:
        state = self._session.steps[self._step]
        self._session.steps[self._step] = replace(state, said=what, done=done, of=of)


class Worker:
    """Runs steps in the background. `busy` tells whether one is under way."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self, asked: StepAsked) -> None:
        """Begins a step.

        Raises:
            UserError: another one is under way.
        """
        if self.is_busy:
            raise UserError("another step is under way: wait until it ends")
        self._session.steps[asked.step] = StepState("running", "begins")
        work = (self._session, asked, StepTold(self._session, asked.step))
        self._thread = threading.Thread(target=self._run, args=work, name="commission-step", daemon=True)
        self._thread.start()

    def _run(self, session: Session, asked: StepAsked, told: StepTold) -> None:
        try:
            run_step(session, asked, told)
        except Exception as error:
            session.steps[asked.step] = StepState(
                "failed", f"a mistake of this program: {type(error).__name__}: {error}"
            )
            raise
