"""Does the camera still show the view that it learnt? One verdict per frame, and a state that needs several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from operators.scene.structure import Structure, ViewMatch, gray_picture, match_view

Verdict = Literal["ok", "moved", "covered", "blurred", "unsure"]
"""Of one frame. `unsure`: too little of the view can be recognised, or subjects hide it."""
ViewState = Literal["ok", "moved", "covered", "blurred"]

MIN_BLOCKS = 8
"""With fewer recognisable blocks a view is too plain to be checked."""
MIN_OPEN = 6
MIN_OPEN_SHARE = 0.25
"""Of its blocks that subjects must leave open for a verdict."""

BLANK = 0.35
MOVED_SHIFTED, MOVED_AT_REST = 0.2, 0.62
LOST_AT_REST = 0.4
BLURRED = 0.62
FADED_LEAST, FADED_MARGIN = 0.21, 0.09
CONTRAST = 0.65
"""Limits of `ViewMatch`. Source: own measurements on 16 simulated sites; judged on others, see docs/scene.md."""

SECONDS_TO_FALL = 5.0
SECONDS_TO_RISE = 5.0
MIN_FRAMES = 3
"""A state changes when at least so many frames in a row, over at least so long, say so."""


def verdict_of(match: ViewMatch, faded_learnt: float) -> Verdict:
    """What one frame says.

    A thing in front of the camera is told from a covered lens by what it leaves: things are in focus, have details of
    their own, and what they do not hide stays where it was. Blocks that a found subject hides do not count.

    Args:
        match: of the frame.
        faded_learnt: `Structure.faded` of the view.
    """
    if match.num_blocks < MIN_BLOCKS:
        return "unsure"
    if match.blank >= BLANK:
        return "covered"
    if match.shifted_of_all >= MOVED_SHIFTED and match.at_rest_of_all <= MOVED_AT_REST:
        return "moved"
    if match.num_open < max(MIN_OPEN, MIN_OPEN_SHARE * match.num_blocks):
        return "unsure"
    if match.at_rest <= LOST_AT_REST:
        return "moved"
    if match.sharpness < BLURRED:
        return "blurred"
    if match.contrast < CONTRAST or match.faded >= max(FADED_LEAST, faded_learnt + FADED_MARGIN):
        return "covered"
    return "ok"


def check_view(structure: Structure | None, pixels: np.ndarray, masks: Sequence[np.ndarray]) -> Verdict:
    """What one frame says of the view.

    Args:
        structure: of the view; None: it has none, nothing can be told.
        pixels: uint8 (H, W, 3) RGB model-size picture.
        masks: bool (h, w) patches of each subject; what they hide does not count.
    """
    if structure is None:
        return "unsure"
    hidden = np.logical_or.reduce(masks) if masks else None
    return verdict_of(match_view(structure, gray_picture(pixels), hidden), structure.faded)


@dataclass(frozen=True, slots=True)
class ViewWatch:
    """The state, and what the newest frames say against it. `step` returns the next one."""

    state: ViewState = "ok"
    doubt: ViewState | None = None
    """What frames in a row have said instead of `state`; different faults in a row count as one."""
    since_ns: int = 0
    """Rule time of the first of them."""
    frames: int = 0

    def step(self, verdict: Verdict, rule_time_ns: int) -> ViewWatch:
        """One frame more. `unsure` keeps everything as it is."""
        if verdict == "unsure":
            return self
        if verdict == self.state:
            return ViewWatch(self.state)
        is_same = self.doubt is not None and (self.doubt == "ok") == (verdict == "ok") and rule_time_ns >= self.since_ns
        grown = replace(
            self,
            doubt=verdict,
            since_ns=self.since_ns if is_same else rule_time_ns,
            frames=self.frames + 1 if is_same else 1,
        )
        seconds = SECONDS_TO_RISE if verdict == "ok" else SECONDS_TO_FALL
        if grown.frames >= MIN_FRAMES and rule_time_ns - grown.since_ns >= seconds * 1e9:
            return ViewWatch(verdict)
        return grown

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> ViewWatch:
        """Of `to_dict`."""
        return ViewWatch(**stored)
