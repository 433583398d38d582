"""What `try` says at the end."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from operators.backbone import Engine
from pipeline.cli.tryout.session import NUM_FIRST, Session, clock_text
from pipeline.cli.tryout.watcher import Measured
from pipeline.sources.base import SourceInfo

_BARE_SECONDS = 2.0


@dataclass(slots=True)
class Outcome:
    """How the looking went."""

    measured: Measured = field(default_factory=Measured)
    looking_seconds: float = 0.0
    """Spent on looking at pictures, without waiting for them."""
    trouble: str = ""
    """Why the source ended early."""
    is_interrupted: bool = False


def machine_rate(engine: Engine, shape: tuple[int, int]) -> float:
    """Pictures per second of the model alone, a lane a core; one intra-op thread is set."""
    from pipeline.control.bare_model import bare_rate

    return bare_rate(engine, shape, lanes=os.cpu_count() or 1, seconds=_BARE_SECONDS)


def claimed(info: SourceInfo) -> str:
    """What the stream says of itself."""
    size = "size unknown" if info.size is None else f"{info.size[0]}x{info.size[1]}"
    rate = "no rate" if info.declared_fps is None else f"{info.declared_fps:g} frames/s"
    return f"{info.codec} {size} (height x width), {rate} declared"


def report(session: Session, outcome: Outcome, machine_fps: float) -> list[str]:
    """Draws the pictures and says where they are, a line each."""
    measured, count = outcome.measured, len(session.seconds)
    rate = "too few frames to say" if measured.fps is None else f"{measured.fps:.2f} frames/s"
    height, width = session.shape
    machine = f"{machine_fps:.1f} pictures/s (the model alone at {height}x{width}, {os.cpu_count() or 1} lanes)"
    lines = [
        ("rate", f"{rate}: {measured.num_frames} frames in {measured.last_seconds:.1f} s"),
        ("machine", f"{machine}; this look: {count} pictures, {outcome.looking_seconds / count:.2f} s each"),
        ("latest", str(session.draw_latest())),
        ("features", str(session.draw_features())),
        ("new", _new(session)),
        ("earlier", _earlier(session)),
    ]
    return [f"{what:14}{said}" for what, said in lines]


def _new(session: Session) -> str:
    if len(session.seconds) <= NUM_FIRST:
        return f"too short: the first {NUM_FIRST} pictures are what later ones are compared with"
    drawn = session.draw_new()
    if drawn is None:
        return f"nothing against the first {clock_text(session.seconds[NUM_FIRST - 1])}"
    path, moments = drawn
    return f"{path}: most at {moments[0].text}"


def _earlier(session: Session) -> str:
    drawn = session.draw_earlier()
    if drawn is None:
        return "too short: no earlier moment"
    path, moments = drawn
    return f"{path}: " + ", ".join(f"{clock_text(seconds)} ({cosine:.2f})" for seconds, cosine in moments)
