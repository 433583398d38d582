"""How long each step of a frame takes, and where each figure comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

SHAPE = (224, 392)
PIXELS = np.zeros((*SHAPE, 3), np.uint8)
"""Of every simulated frame: what is in a picture changes nothing here."""
GPU_RATES = (500.0, 1000.0, 2000.0)
"""Pictures/s of one analyzer on one GPU, heads included. No GPU was at hand: a range, not a measurement."""
GPU_CALL_SECONDS = 0.004


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    name: str
    value: float
    unit: str
    what: str
    source: str
    """`measured` here by `tests.bench.scale`, or where else it comes from."""


ASSUMED = (
    Figure("gpu_rate", GPU_RATES[1], "pictures/s", "one analyzer on one GPU, heads included", "assumption"),
    Figure("gpu_call_seconds", GPU_CALL_SECONDS, "s", "start and end of a batch on a GPU", "assumption"),
    Figure("hop_seconds", 0.003, "s", "both hops of a call through Ray", "measured earlier on two cores"),
    Figure("hop_core_seconds", 0.004, "s", "of a core for both hops of a call", "measured earlier on two cores"),
    Figure("detect_seconds", 12.0, "s", "until Ray tells that a node is lost", "measured earlier on two raylets"),
    Figure("restart_seconds", 8.0, "s", "until a moved decoder reads again", "assumption"),
)
"""What this bench does not measure."""


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """What the simulation needs, in seconds a piece."""

    lane_seconds: float
    """One picture on one CPU core, heads included."""
    gpu_rate: float
    gpu_call_seconds: float
    hop_seconds: float
    intake_seconds: float
    """A look at a sampled picture and its conversion."""
    plumbing_seconds: float
    """From the analyzer's answer to the publisher's door, and back."""
    publish_call_seconds: float
    publish_result_seconds: float
    lane_factor: float = 1.0
    """How much longer a lane takes because decoders and publishers use its cores."""

    def model_seconds(self, pictures: int, *, is_gpu: bool) -> float:
        """One batch of one analyzer's lane."""
        if is_gpu:
            return self.gpu_call_seconds + pictures / self.gpu_rate
        return pictures * self.lane_seconds * self.lane_factor


def service_times(figures: Iterable[Figure], **changes: float) -> ServiceTimes:
    """From the table; `changes` by field."""
    values = {each.name: each.value for each in figures} | changes
    return ServiceTimes(**{name: values[name] for name in ServiceTimes.__dataclass_fields__ if name in values})
