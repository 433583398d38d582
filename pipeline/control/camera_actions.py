"""What people ask about a camera goes to the publisher that answers for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from operators.spelling import did_you_mean
from pipeline.config.loader import Config
from pipeline.control.actors.starters import SupervisedWorker
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.action_request import Acted, ActionRequest


class Crew(Protocol):
    """Whom the supervisor knows; thread-safe."""

    def publisher_of(self, camera: str) -> SupervisedWorker: ...


class CameraActions:
    """`act` is called on any thread."""

    def __init__(self, config: Callable[[], Config], crew: Crew) -> None:
        """`config`: as it is now."""
        self._config = config
        self._crew = crew

    def act(self, camera: str, request: ActionRequest) -> Acted:
        """When this returns the publisher has it on disk, with its event.

        Raises:
            PipelineError: code `unknown`, `usage` or `conflict`: nothing was changed, whoever asks can mend it; any
                other: the publisher did not answer.
        """
        cameras = tuple(self._config().cameras)
        if camera not in cameras:
            known = ", ".join(cameras)
            hint = did_you_mean(camera, cameras)
            raise PipelineError(f"unknown camera {camera!r}: expected one of {known}{hint}", code="unknown")
        return self._crew.publisher_of(camera).call("act", camera, request)
