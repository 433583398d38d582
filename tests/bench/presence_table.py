"""Counts of presence, and the tables that are made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.bench.scene_site import FPS

KINDS = ("forklift", "person", "truck", "other")
"""`other` (a cart or a van) is in no head."""
HELD_FRAMES = 2
"""So many frames in a row, 2 s apart, are taken to outlast a hold, whatever lies between them."""
HELD_SAMPLES = 4
"""In 600 ms at 5 fps, the hold of configs/loading_dock.yaml: a frame alone is looked at closer, since what it shows may
have lasted for so long. What comes and goes between two frames is not seen."""
DISTANCES = (0.0, 2.0, 4.0, 6.0, 8.0)
SIZES = (3.0, 3.5, 4.0, 6.0, 10.0, math.inf)
_Z = 1.96


@dataclass(frozen=True)
class Asked:
    """One mover in one picture, whether it was found or not."""

    pose: str
    seed: int
    kind: str
    visit: int
    metres: float
    num_patches: float
    is_found: bool


@dataclass(frozen=True)
class Presence:
    """What was counted."""

    asked: list[Asked]
    empty: list[list[bool]]
    """Per empty scene: whether each frame, two seconds after the last, showed a subject."""
    held_alone: int = 0
    """Of the frames that showed one while their neighbours did not: how many did so for the hold."""

    def __add__(self, other: Presence) -> Presence:
        held_alone = self.held_alone + other.held_alone
        return Presence([*self.asked, *other.asked], [*self.empty, *other.empty], held_alone)

    @property
    def empty_frames(self) -> int:
        return sum(map(len, self.empty))

    @property
    def minutes(self) -> float:
        """Of empty scene."""
        return self.empty_frames / FPS / 60

    @property
    def false_frames(self) -> int:
        return sum(sum(scene) for scene in self.empty)

    @property
    def false_holds(self) -> int:
        """How often a subject in an empty scene lasted for the hold."""
        return sum(runs_of(scene, HELD_FRAMES) for scene in self.empty) + self.held_alone

    def of(self, kind: str) -> list[Asked]:
        return [each for each in self.asked if each.kind == kind]

    def in_short(self) -> str:
        """One line."""
        found = ", ".join(f"{kind} {_found(self.of(kind))} of {len(self.of(kind))}" for kind in KINDS)
        missed = "".join(
            f"; missed {each.kind} {each.metres:.1f} m {each.num_patches:.1f} patches"
            for each in self.asked
            if not each.is_found
        )
        return f"{found}; {self.false_frames} of {self.empty_frames} empty, {self.false_holds} held{missed}"


def wilson(found: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share. Source: Wilson 1927, "Probable inference, the law of succession"."""
    if of == 0:
        return 0.0, 1.0
    share, spread = found / of, _Z * _Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def table(presence: Presence) -> str:
    """Markdown."""
    lines = ["", "| presence | found of asked | share | 95 % interval | of visits, seen in every picture |"]
    lines += ["|---|---|---|---|---|"]
    lines += [f"| {kind} | {_row(presence.of(kind))} |" for kind in KINDS]
    lines += _bands("person, metres", presence.of("person"), DISTANCES, lambda each: each.metres)
    lines += _bands("person, patches", presence.of("person"), SIZES, lambda each: each.num_patches)
    low, high = wilson(presence.false_frames, presence.empty_frames)
    share = presence.false_frames / max(1, presence.empty_frames)
    what = f"{presence.false_frames} of {presence.empty_frames}"
    lines += [f"| a subject in an empty frame | {what} | {share:.4f} | {low:.4f} to {high:.4f} | |"]
    what = f"held: {HELD_FRAMES} in a row, or one for {HELD_SAMPLES} samples, {presence.minutes:.0f} minutes"
    lines += [f"| {what} | {presence.false_holds} | | | |"]
    return "\n".join(lines)


def _bands(what: str, asked: Sequence[Asked], edges: Sequence[float], of: Callable[[Asked], float]) -> list[str]:
    return [
        f"| {what} {low:g} to {high:g} | {_row([each for each in asked if low <= of(each) < high])} |"
        for low, high in pairwise(edges)
    ]


def _row(asked: Sequence[Asked]) -> str:
    low, high = wilson(_found(asked), len(asked))
    share = _found(asked) / len(asked) if asked else 0.0
    visits = {(each.pose, each.seed, each.visit) for each in asked}
    missed = {(each.pose, each.seed, each.visit) for each in asked if not each.is_found}
    shares = f"{share:.3f} | {low:.3f} to {high:.3f}"
    return f"{_found(asked)} of {len(asked)} | {shares} | {len(visits) - len(missed)} of {len(visits)}"


def _found(asked: Sequence[Asked]) -> int:
    return sum(each.is_found for each in asked)


def runs_of(scene: Sequence[bool], length: int) -> int:
    """How often so many in a row are reached."""
    run = count = 0
    for is_seen in scene:
        run = run + 1 if is_seen else 0
        count += run == length
    return count


def alone(scene: Sequence[bool]) -> list[int]:
    """Frames that show a subject between two that do not."""
    padded = [False, *scene, False]
    return [at for at, is_seen in enumerate(scene) if is_seen and not padded[at] and not padded[at + 2]]
