"""`sample:` of a camera."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operators.section import Section
from operators.units import Seconds


class GateConfig(Section):
    """Skip the model while the picture does not change."""

    refresh: Seconds = 2.0
    """Analyse at least this often all the same."""
    threshold: float = Field(default=4.0, gt=0)
    """Grey levels that a cell of the 160x90 luma picture must move by to count as changed."""
    cells: int = Field(default=12, ge=1)
    """Changed cells that open the gate."""


class SampleConfig(Section):
    """Which decoded frames are worth analysing."""

    fps: float | None = Field(default=None, gt=0, le=120)
    """At most this many per second of rule time; left out: every decoded frame is a candidate."""
    policy: Literal["freshest", "every_frame"] = "freshest"
    """`freshest`: the newest wins, the replaced one is counted; `every_frame`: the reader waits (replayable only)."""
    max_age: Seconds = 1.0
    """A live frame older than this when its turn comes is counted as stale."""
    gate: GateConfig | None = None
