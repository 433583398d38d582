"""The steps of setting up a camera, and how far each is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Step(StrEnum):
    """In the order in which they are shown."""

    PICTURE = "picture"
    POSE = "pose"
    AREAS = "areas"
    DEPTH = "depth"
    EMPTY_VIEW = "empty_view"
    DRIVE_IN = "drive_in"
    FILE = "file"


LONG_STEPS = (Step.DEPTH, Step.EMPTY_VIEW, Step.DRIVE_IN)
"""They run for seconds or minutes."""

Status = Literal["open", "running", "done", "failed"]
Told = Callable[[str, int, int], None]
"""(what, done, of)."""


@dataclass(frozen=True, slots=True)
class StepState:
    """How far one step is."""

    status: Status = "open"
    said: str = ""
    done: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A vehicle stands now where somebody measured."""

    known_metres: float
    """From the line to its body, by tape."""
    line: str
    vehicle: str = "vehicle"


@dataclass(frozen=True, slots=True)
class StepAsked:
    """A long step that somebody began."""

    step: Step
    span: tuple[float, float] | None = None
    """Seconds of the camera's file that show what the step is about."""
    stop: StopAsked | None = None
    """Of a drive-in."""
