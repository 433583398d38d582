"""Setting up one camera, step by step; knows no browser and no prompt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from operators.geometry import FloorCamera
from operators.heads.config import DepthHead
from operators.scene.config import ViewConfig
from pipeline.cli.app import UserError
from pipeline.cli.commission.draft import Draft, Posed, camera_values, drawn_line, mistakes, posed
from pipeline.cli.commission.learning import Model, learn_view
from pipeline.cli.commission.step_state import Step, StepState, Told
from pipeline.cli.commission.target import Target
from pipeline.config.check_pose import CLEAR, reaches
from pipeline.config.loader import Config
from pipeline.config.problems import ConfigError

VIEW_PICTURES = 6
"""A median of five survives two passers-by; one more, since the first may be the one that somebody leaves in."""
VIEW_EVERY_SECONDS = 2.0
_APART_PICTURES = 5
"""Seconds between the picture that is shown and the next one that is asked for, of a file."""


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
        self._model = model
        self._view_every_seconds = view_every_seconds
        self._num_taken = 0
        self.picture: np.ndarray = self._taken()
        """uint8 (H, W, 3) RGB at full size."""
        self.draft = self._first_draft()
        self.posed: Posed = posed(self.draft, self.size, self._written_view)
        self.steps: dict[Step, StepState] = {step: StepState() for step in Step}
        self._refresh()

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

    def redraw(self, draft: Draft) -> None:
        """Takes what was drawn; steps that were done with another view are to be done again."""
        before = self.posed.view, draft.privacy != self.draft.privacy
        self.draft = draft
        self.posed = posed(draft, self.size, self._written_view)
        if before != (self.posed.view, False):
            for step in (Step.DEPTH, Step.EMPTY_VIEW):
                if self.steps[step].status == "done":
                    self.steps[step] = StepState(said="drawn anew since: do it again")
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
            return self.target.with_values(camera_values(self.draft, self.posed.view, self.size))
        except ValueError as error:
            raise UserError(f"{self.target.file}: {error}") from None

    def candidate(self) -> Config:
        """The configuration as it would be.

        Raises:
            UserError: with every mistake.
        """
        try:
            return self.target.candidate(self.text())
        except ConfigError as error:
            raise UserError(f"the file would not be right:\n{error}") from None

    def run(self, step: Step, told: Told) -> str:
        """Does a step that takes its time; returns what came of it.

        Raises:
            UserError: it cannot be done yet, or the camera fails.
            Exception: as `Model.fitted` raises.
        """
        config = self.candidate()
        if config.cameras[self.target.name].view is None:
            raise UserError(
                "metres need a pose: mark something of known size on the floor, or type height, pitch, hfov"
            )
        fitted = self._model.fitted(config, self.target.name, told)
        if step is Step.DEPTH:
            return _depth_said(config, self.target.name)
        pictures = self.target.camera.pictures(VIEW_PICTURES, self._view_every_seconds)
        learnt = learn_view(fitted, pictures, VIEW_PICTURES, told)
        lights = "one light" if learnt.num_lights == 1 else f"{learnt.num_lights} lights"
        again = "; do this once more under another light" if learnt.num_lights == 1 else ""
        return f"{learnt.version} from {learnt.num_pictures} pictures, {lights}{again}"

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
        return Saved(Answer.WRITTEN, text, tuple(map(str, files)), tuple(self._notes(config)))

    def _notes(self, config: Config) -> list[str]:
        """What a correct file still says about the pose: rules that begin where little is seen."""
        found, floor = config.cameras[self.target.name], self.floor
        if floor is None:
            return ["no pose: distances in metres are not available"]
        notes = [f"the nearest floor in view is {floor.nearest_visible_floor():.2f} m ahead of the camera's foot"]
        for each in reaches(found, floor):
            if each.is_blind or each.is_poor:
                least = CLEAR * each.nearest_metres
                notes.append(f"rule {each.rule} starts at {each.enter}: raise it to at least {least:.2f} m")
        return notes

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


def _depth_said(config: Config, camera: str) -> str:
    heads = [head for name in config.cameras[camera].heads if isinstance(head := config.heads.get(name), DepthHead)]
    if not heads:
        return "the camera has no depth head under `heads`: nothing to fit"
    if any(head.checkpoint == "fit_for_view" for head in heads):
        return "the depth head is fitted to this view; `run` finds it"
    return "its depth head is not one that is fitted to a view: nothing to fit"
