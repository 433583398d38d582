"""What people ask about a camera goes to the publisher that answers for it."""

from __future__ import annotations

from typing import Protocol

from operators.spelling import did_you_mean
from pipeline.config.loader import Config
from pipeline.control.starters import SupervisedWorker
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.action_request import Acted, ActionRequest


class Crew(Protocol):
    """Whom the supervisor knows; thread-safe."""

    def publisher_of(self, camera: str) -> SupervisedWorker: ...


class CameraActions:
    """`act` is called on any thread."""

    def __init__(self, config: Config, crew: Crew) -> None:
        self._cameras = tuple(config.cameras)
        self._crew = crew

    def act(self, camera: str, request: ActionRequest) -> Acted:
        """When this returns the publisher has it on disk, with its event.

        Raises:
            PipelineError: code `unknown`, `usage` or `conflict`: nothing was changed, whoever asks can mend it; any
                other: the publisher did not answer.
        """
        if camera not in self._cameras:
            known = ", ".join(self._cameras)
            hint = did_you_mean(camera, self._cameras)
            raise PipelineError(f"unknown camera {camera!r}: expected one of {known}{hint}", code="unknown")
        return self._crew.publisher_of(camera).call("act", camera, request)
