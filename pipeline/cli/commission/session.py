"""Setting up one camera, step by step; knows no browser and no prompt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from operators.geometry import FloorCamera
from operators.scene.config import ViewConfig
from pipeline.cli.app import UserError
from pipeline.cli.camera_model import Model
from pipeline.cli.commission.draft import Draft, Posed, camera_values, drawn_line, mistakes, posed
from pipeline.cli.commission.new_camera import example, example_rule, with_example
from pipeline.cli.commission.remaining import remaining
from pipeline.cli.commission.step_state import Step, StepAsked, StepState, Told
from pipeline.cli.commission.target import Target
from pipeline.cli.commission.teaching import VIEW_EVERY_SECONDS, Teaching
from pipeline.config.loader import Config
from pipeline.config.problems import ConfigError

_APART_PICTURES = 5
"""Seconds between the picture that is shown and the next one that is asked for, of a file."""


_ANEW = {
    Step.DEPTH: "the pose has changed since: do it again",
    Step.EMPTY_VIEW: "the pose or a mask has changed since: learn it anew",
    Step.DRIVE_IN: "the pose or a mask has changed since: measure again; what was read before does not count",
}


class Answer(StrEnum):
    """What became of a save."""

    WRITTEN = "written"
    ASK = "ask"
    """A file is there: the difference is shown, and somebody must agree to it."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The outcome of `save`."""

    answer: Answer
    text: str
    """Of the file, or the difference to what is there."""
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Session:
    """The state of setting up one camera. Blocks; not thread-safe."""

    def __init__(self, target: Target, model: Model, view_every_seconds: float = VIEW_EVERY_SECONDS) -> None:
        """Takes the first picture.

        Raises:
            UserError: the camera cannot be opened.
        """
        self.target = target
        self._num_taken = 0
        self.picture: np.ndarray = self._taken()
        """uint8 (H, W, 3) RGB at full size."""
        self.draft = self._first_draft()
        self.posed: Posed = posed(self.draft, self.size, self._written_view)
        self.notes: tuple[str, ...] = ()
        """What is still to do, once it was saved."""
        self.steps: dict[Step, StepState] = {step: StepState() for step in Step}
        self._refresh()
        self.teaching = Teaching(target.camera, model, view_every_seconds)
        self.steps |= self.teaching.recall(self._written())

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.picture.shape[0], self.picture.shape[1]

    @property
    def _written_view(self) -> ViewConfig | None:
        return None if self.target.before is None else self.target.before.view

    @property
    def floor(self) -> FloorCamera | None:
        """The floor as the picture shows it; None: the pose is not known."""
        return None if self.posed.view is None else FloorCamera(self.posed.view, self.size)

    def take_picture(self) -> None:
        """Another picture.

        Raises:
            UserError: the camera fails, or its pictures have another size now.
        """
        size, picture = self.size, self._taken()
        if picture.shape[:2] != size:
            raise UserError(
                f"the camera sends {picture.shape[0]}x{picture.shape[1]} now and sent {size[0]}x{size[1]}: start again"
            )
        self.picture = picture

    @property
    def line_names(self) -> tuple[str, ...]:
        """All lines that are drawn."""
        return (*self.draft.lines, *self.draft.kept_lines)

    def redraw(self, draft: Draft) -> None:
        """Takes what was drawn; steps that were done with another view are to be done again."""
        before = self.posed.view, draft.privacy != self.draft.privacy
        self.draft = draft
        self.posed = posed(draft, self.size, self._written_view)
        if before != (self.posed.view, False):
            for step in (Step.DEPTH, Step.EMPTY_VIEW, Step.DRIVE_IN):
                is_learnt = step is Step.EMPTY_VIEW and self.teaching.is_learnt
                if self.steps[step].status == "done" or is_learnt:
                    self.steps[step] = StepState(said=_ANEW[step])
        self._refresh()

    def mistakes(self) -> list[str]:
        """What keeps it from being written."""
        found = mistakes(self.draft, self.posed.view, self.size)
        return [self.posed.problem, *found] if self.posed.problem else found

    def text(self) -> str:
        """The camera's file as drawn.

        Raises:
            UserError: there are mistakes, or the file is written so that it cannot be changed line by line.
        """
        if found := self.mistakes():
            raise UserError("; ".join(found))
        try:
            text = self.target.with_values(camera_values(self.draft, self.posed.view, self.size))
        except ValueError as error:
            raise UserError(f"{self.target.file}: {error}") from None
        metres = self.teaching.metres
        jitter = metres.jitter_metres if metres else 0.0
        return with_example(text, example(example_rule(self.line_names, list(self.draft.zones), self.floor, jitter)))

    def candidate(self) -> Config:
        """The configuration as it would be.

        Raises:
            UserError: with every mistake.
        """
        try:
            return self.target.candidate(self.text())
        except ConfigError as error:
            raise UserError(f"the file would not be right:\n{error}") from None

    def run(self, asked: StepAsked, told: Told) -> str:
        """Does a step that takes its time; returns what came of it. Raises as `Teaching.do` does."""
        return self.teaching.do(asked, self.candidate(), self._written(), told)

    def forget(self, number: int) -> None:
        """Takes drive-in `number` out, from 1. Raises: UserError: there is none of that number."""
        self.steps[Step.DRIVE_IN] = self.teaching.forget(number, self.candidate())

    def save(self, *, may_replace: bool = False) -> Saved:
        """Checks the whole configuration and writes the camera's file.

        Args:
            may_replace: Whether somebody has seen the difference to the file that is there.

        Raises:
            UserError: it would not be right, or cannot be written.
        """
        text, config = self.text(), self.candidate()
        if not may_replace and (difference := self.target.difference(text)):
            return Saved(Answer.ASK, difference)
        try:
            files = self.target.write(text)
        except OSError as error:
            raise UserError(f"cannot write {self.target.file}: {error.strerror}", 3) from None
        self.steps[Step.FILE] = StepState("done", f"written: {', '.join(map(str, files))}")
        self.notes = tuple(remaining(config, self.target.name, self.floor, self.teaching.metres))
        return Saved(Answer.WRITTEN, text, tuple(map(str, files)), self.notes)

    def _written(self) -> Config | None:
        """The configuration as it was when this began, where it has the camera."""
        return None if self.target.before is None else self.target.candidate(self.target.text)

    def _taken(self) -> np.ndarray:
        (picture,) = self.target.camera.pictures(1, skip=self._num_taken * _APART_PICTURES)
        self._num_taken += self.target.camera.source.is_replayable
        return picture

    def _first_draft(self) -> Draft:
        before = self.target.before
        if before is None:
            return Draft()
        view = before.view
        seen = {name: drawn_line(line, view, self.size) for name, line in before.lines.items()}
        return Draft(
            yaw_degrees=0.0 if view is None else view.yaw,
            zones=dict(before.zones),
            lines={name: ends for name, ends in seen.items() if ends is not None},
            kept_lines={name: before.lines[name] for name, ends in seen.items() if ends is None},
            privacy=before.privacy,
        )

    def _refresh(self) -> None:
        """The states of the steps that follow from what is drawn."""
        self.steps[Step.PICTURE] = StepState("done", f"{self.size[1]} x {self.size[0]} pixels")
        view, pose = self.posed.view, self.posed.pose
        if self.posed.problem:
            self.steps[Step.POSE] = StepState("failed", self.posed.problem)
        elif view is None:
            self.steps[Step.POSE] = StepState(said="mark something of known size on the floor, or type it")
        else:
            how = "from the markings" if pose else "as in the file" if not self.draft.typed else "as typed"
            said = f"{view.height:g} m high, {view.pitch:g} degrees down, {view.hfov:g} degrees wide, {how}"
            self.steps[Step.POSE] = StepState("done", said)
        num_lines = len(self.draft.lines) + len(self.draft.kept_lines)
        counts = (len(self.draft.zones), "zone"), (num_lines, "line"), (len(self.draft.privacy), "privacy mask")
        said = ", ".join(f"{count} {what}{'s' * (count != 1)}" for count, what in counts)
        found = mistakes(self.draft, view, self.size)
        done = "failed" if found else "done" if self.draft.zones or num_lines else "open"
        self.steps[Step.AREAS] = StepState(done, "; ".join(found) or said)
