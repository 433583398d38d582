"""Does the camera still show the view that it learnt? One verdict per frame, and a state that needs several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from operators.scene.structure import Structure, ViewMatch, gray_picture, match_view

Verdict = Literal["ok", "moved", "covered", "blurred", "lost", "faded", "unsure"]
"""Of one frame. `lost` and `faded`: little of the view is found, or parts of it have no contrast, which a thing in
front of the camera may do too. `unsure`: too little of the view can be recognised, or subjects hide it."""
ViewState = Literal["ok", "moved", "covered", "blurred"]

SURE: frozenset[Verdict] = frozenset({"moved", "covered", "blurred"})
"""No thing before the camera looks like these."""

MIN_BLOCKS = 8
"""With fewer recognisable blocks a view is too plain to be checked."""
MIN_OPEN = 6
MIN_OPEN_SHARE = 0.25
"""Of its blocks that subjects must leave open to be told from a fault."""

BLANK = 0.35
MOVED_SHIFTED, MOVED_AT_REST = 0.2, 0.62
BLURRED_AT_REST, BLURRED = 0.5, 0.62
VEILED = 0.65
LOST_AT_REST = 0.4
HIDDEN_AT_REST = 0.15
"""Where subjects hide nearly everything: also of what they hide, so much is found where it was learnt."""
FADED_LEAST, FADED_MARGIN = 0.21, 0.09
CONTRAST = 0.65
"""Limits of `ViewMatch`. Source: own measurements on 16 simulated sites; judged on others, see docs/scene.md."""

SECONDS_IF_SURE = 5.0
SECONDS_IF_NOT = 120.0
"""A truck may stand before the lens for a minute."""
SECONDS_TO_RISE = 5.0
MIN_FRAMES = 3
"""A state changes when at least so many frames in a row, over at least so long, say so."""

_STATES: dict[Verdict, ViewState] = {
    "ok": "ok",
    "moved": "moved",
    "lost": "moved",
    "covered": "covered",
    "faded": "covered",
    "blurred": "blurred",
}


def verdict_of(match: ViewMatch, faded_learnt: float) -> Verdict:
    """What one frame says.

    A thing in front of the camera is told from a covered lens by what it leaves: things are in focus, have details of
    their own, and what they do not hide stays where it was, as clear as it was. Blocks that a found subject hides do
    not count.

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
        return "lost" if match.at_rest_of_all <= HIDDEN_AT_REST else "unsure"
    if match.at_rest >= BLURRED_AT_REST and match.sharpness < BLURRED:
        return "blurred"
    if match.at_rest * match.num_open >= MIN_OPEN and match.contrast_at_rest < VEILED:
        return "covered"
    if match.at_rest <= LOST_AT_REST:
        return "lost"
    if match.contrast < CONTRAST or match.faded >= max(FADED_LEAST, faded_learnt + FADED_MARGIN):
        return "faded"
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
class Run:
    """Frames in a row that say something else than the state."""

    since_ns: int
    """Rule time of the first."""
    frames: int = 1

    def lasts(self, rule_time_ns: int, seconds: float) -> bool:
        """Whether it is long enough."""
        return self.frames >= MIN_FRAMES and rule_time_ns - self.since_ns >= seconds * 1e9

    @staticmethod
    def grown(before: Run | None, rule_time_ns: int) -> Run:
        """One frame longer; a time that fell begins anew."""
        if before is None or rule_time_ns < before.since_ns:
            return Run(rule_time_ns)
        return Run(before.since_ns, before.frames + 1)


@dataclass(frozen=True, slots=True)
class ViewWatch:
    """The state, and what the newest frames say against it. `step` returns the next one."""

    state: ViewState = "ok"
    against: Run | None = None
    """Frames that name another state. Different faults in a row count as one, the last one names the new state."""
    is_against_ok: bool = False
    """Whether those frames are faults rather than `ok`."""
    sure: Run | None = None
    """Of those the newest ones that are `SURE`."""

    def step(self, verdict: Verdict, rule_time_ns: int) -> ViewWatch:
        """One frame more. `unsure` keeps everything as it is."""
        if verdict == "unsure":
            return self
        said = _STATES[verdict]
        if said == self.state:
            return ViewWatch(self.state)
        is_fault = said != "ok"
        against = Run.grown(self.against if self.is_against_ok == is_fault else None, rule_time_ns)
        sure = Run.grown(self.sure, rule_time_ns) if verdict in SURE else None
        is_long = against.lasts(rule_time_ns, SECONDS_IF_NOT if is_fault else SECONDS_TO_RISE)
        if is_long or (sure is not None and sure.lasts(rule_time_ns, SECONDS_IF_SURE)):
            return ViewWatch(said)
        return ViewWatch(self.state, against, is_fault, sure)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> ViewWatch:
        """Of `to_dict`."""
        against, sure = (None if stored[name] is None else Run(**stored[name]) for name in ("against", "sure"))
        return ViewWatch(stored["state"], against, stored["is_against_ok"], sure)
