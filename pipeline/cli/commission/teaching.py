"""What the model learns of the camera that is set up: its depth head, its empty view, and what its metres are worth."""

from __future__ import annotations

from pathlib import Path

from operators.scene.config import Polygon, ViewConfig
from operators.scene.residuals import MeasuredMetres
from pipeline.cli.app import UserError
from pipeline.cli.camera_model import Fitted, Model
from pipeline.cli.commission.asked import check_line
from pipeline.cli.commission.drive_ins import concluded, measure_stop
from pipeline.cli.commission.remaining import depth_said
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.commission.step_state import Step, StepAsked, StepState, Told
from pipeline.cli.drive_in.measuring import forget_stop, newest_stops
from pipeline.cli.scene.lesson import PICTURES, Lesson, ask_running, known, learnt_said, teach
from pipeline.config.loader import Config
from pipeline.config.schema import CameraConfig
from pipeline.frame_path.publisher.artefacts import ArtefactStore

VIEW_EVERY_SECONDS = 2.0

_ONE_LIGHT = (
    "the empty view knows one light alone, and readings scatter more for it: measure again once it knows two, and take "
    "these stops out then"
)

_Seen = tuple[ViewConfig | None, tuple[Polygon, ...]]
"""What makes depth and tokens of a picture besides the weights: how the camera hangs, and what is black in it."""


class Teaching:
    """Everything that it makes lies in the configuration's state, also before the camera's file is written.

    Blocks; not thread-safe.
    """

    def __init__(self, camera: Camera, model: Model, view_every_seconds: float) -> None:
        self.camera = camera
        self.metres: MeasuredMetres | None = None
        """The newest drive-ins."""
        self._model = model
        self._view_every_seconds = view_every_seconds
        self._learnt_for: _Seen | None = None
        """How the camera hung when its empty view was learnt."""

    @property
    def is_learnt(self) -> bool:
        """Whether an empty view is there, whatever the pose is now."""
        return self._learnt_for is not None

    def recall(self, written: Config | None) -> dict[Step, StepState]:
        """What an earlier visit has taught and measured; None: the camera is new."""
        steps = {Step.DRIVE_IN: _driven_in(None, None)}
        if written is None:
            return steps
        name = self.camera.name
        store, found = _store(written), written.cameras[name]
        learnt, self.metres = known(store, name), newest_stops(store, name)
        if learnt is not None:
            self._learnt_for = _seen(found)
            steps[Step.EMPTY_VIEW] = StepState("done" if learnt.num_lights > 1 else "open", learnt_said(learnt))
        return {**steps, Step.DRIVE_IN: _driven_in(self.metres, found)}

    def do(self, asked: StepAsked, config: Config, written: Config | None, told: Told) -> str:
        """A step that takes its time; returns what came of it.

        Args:
            asked: The step.
            config: As it would be with what is drawn.
            written: As it is, where it has the camera.
            told: Of progress.

        Raises:
            UserError: it cannot be done yet, or the camera fails.
            Exception: as `Model.fitted` raises.
        """
        found = config.cameras[self.camera.name]
        if found.view is None:
            raise UserError(
                "metres need a pose: mark something of known size on the floor, or type height, pitch, hfov"
            )
        if asked.step is Step.EMPTY_VIEW:
            return self._empty_view(asked.span, config, written, told)
        if asked.step is Step.DRIVE_IN:
            return self._drive_in(asked, config, told)
        self._fitted(config, told)
        return depth_said(config, self.camera.name)

    def forget(self, number: int, config: Config) -> StepState:
        """Takes a stop out that was typed or parked wrong.

        Args:
            number: From 1, in the order in which they were read.
            config: As it would be with what is drawn.

        Raises:
            UserError: there is none of that number.
        """
        try:
            self.metres = forget_stop(_store(config), self.camera.name, number - 1)
        except ValueError as error:
            raise UserError(str(error)) from None
        return _driven_in(self.metres, config.cameras[self.camera.name])

    def _fitted(self, config: Config, told: Told) -> Fitted:
        """Without its rules, which may be about the camera as it hung before."""
        return self._model.fitted(config, self.camera.name, told, has_rules=False)

    def _empty_view(self, span: tuple[float, float] | None, config: Config, written: Config | None, told: Told) -> str:
        name, now = self.camera.name, _seen(config.cameras[self.camera.name])
        is_anew = self._learnt_for != now and known(_store(config), name) is not None
        lesson = Lesson(PICTURES * self._view_every_seconds, span, is_anew=is_anew)
        learnt = None
        if written is not None and _seen(written.cameras[name]) == now and self.camera.source.file is None:
            learnt = ask_running(written, name, lesson)
        learnt = learnt or teach(self._fitted(config, told), self.camera, lesson, told)
        self._learnt_for = now
        forgotten = ". Lights of before are forgotten: the pose or a mask has changed since" if is_anew else ""
        return f"{learnt_said(learnt)}{forgotten}"

    def _drive_in(self, asked: StepAsked, config: Config, told: Told) -> str:
        found = config.cameras[self.camera.name]
        if asked.stop is None:
            raise UserError("expected the distance at which a vehicle stands, got none")
        check_line(asked.stop.line, list(found.lines))
        if self._learnt_for != _seen(found):
            raise UserError("learn the empty view first: a vehicle is what stands before it")
        fitted = self._fitted(config, told)
        self.metres = measure_stop(fitted, self.camera, asked.stop, asked.span, told)
        learnt, said = known(fitted.artefacts, self.camera.name), _driven_in(self.metres, found).said
        return said if learnt is None or learnt.num_lights > 1 else f"{said}\n{_ONE_LIGHT}"


def _driven_in(metres: MeasuredMetres | None, found: CameraConfig | None) -> StepState:
    said = "\n".join(concluded(metres, {} if found is None else found.rules))
    return StepState("open" if metres is None else "done", said)


def _seen(found: CameraConfig) -> _Seen:
    return found.view, found.privacy


def _store(config: Config) -> ArtefactStore:
    return ArtefactStore(Path(config.runtime.state_dir) / "artefacts")
