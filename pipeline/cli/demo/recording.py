"""The four cameras of the demo as functions of time, so that every published frame can be shown and judged again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.schedule import Schedule
from pipeline.simulation.truth import nearest_truth
from pipeline.sources.simulated import dock_for, frame_at

TRUTH_FPS = 10


@dataclass(slots=True)
class Recording:
    """One simulated dock over the demo. `lead_seconds` of nobody come before its schedule."""

    camera: str
    seed: int
    schedule_seconds: float
    lead_seconds: float = 0.0
    scene: DockScene = field(init=False)
    schedule: Schedule = field(init=False)

    def __post_init__(self) -> None:
        self.scene, self.schedule, _ = dock_for(self.seed, self.schedule_seconds)

    def picture(self, seconds: float) -> np.ndarray:
        """uint8 (360, 640, 3) RGB, `seconds` after the recording's start, lead included."""
        if self.lead_seconds == 0:
            return frame_at(self.scene, self.schedule, seconds).rgb
        movers = self.schedule.states(seconds - self.lead_seconds)
        return self.scene.render(movers, Light.drift(self.seed, seconds), round(seconds * 1000), with_truth=False).rgb

    def truth(self) -> list[tuple[float, float | None]]:
        """(seconds, metres of the nearest subject) ten times a second."""
        found: list[tuple[float, float | None]] = []
        before: float | None = None
        for frame in range(int(self.schedule_seconds * TRUTH_FPS) + 1):
            t = frame / TRUTH_FPS
            movers = self.schedule.states(t)
            before = nearest_truth(self.scene, movers, before) if movers else None
            found.append((t + self.lead_seconds, before))
        return found


def crossings(truth: Sequence[tuple[float, float | None]], enter: float, leave: float) -> list[tuple[float, float]]:
    """(from, to) seconds of each time that the truth went below `enter`, until it was beyond `leave` or nobody."""
    found: list[tuple[float, float]] = []
    entered: float | None = None
    for t, metres in truth:
        if entered is None and metres is not None and metres < enter:
            entered = t
        elif entered is not None and (metres is None or metres > leave):
            found.append((entered, t))
            entered = None
    if entered is not None:
        found.append((entered, truth[-1][0]))
    return found


def write_clip(recording: Recording, path: Path, fps: float, seconds: float, tell: Callable[[int, int], None]) -> None:
    """The recording as H.264 in MP4, a keyframe a second, one slice a frame."""
    count = max(1, round(seconds * fps))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = max(1, round(fps))
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "crf": "20"}
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(recording.picture(number / fps), format="rgb24")
            container.mux(stream.encode(frame))
            tell(number + 1, count)
        container.mux(stream.encode())
