"""Two movers that pass each other: whether each keeps its id, and what its track is called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from operators.results import Subject
from operators.retrieval.bank import Bank
from operators.scene.tracks import Tracks
from pipeline.simulation import Kind
from tests.bench.crossings import FPS
from tests.bench.label_pictures import LEAST_PATCHES, Chain, Shot, Site

PASSING: tuple[tuple[Kind, Kind], ...] = (
    ("forklift", "person"),
    ("truck", "person"),
    ("person", "forklift"),
    ("person", "person"),
    ("truck", "forklift"),
)
"""Who comes nearer, who goes across."""

OWN_SHARE = 0.8
"""A subject whose patches are a mover's own by this share is separated from the others."""

_HOLD_SECONDS = 1800.0


@dataclass(frozen=True)
class Sighting:
    """One mover in one frame of a clip."""

    kind: str
    vote: str
    """Best class by the track's vote; empty: no subject touches it."""
    alone: str
    """The same by this frame alone."""
    frame: str
    """Label of the whole picture."""
    track: int | None
    """Of its subject, where that is its own."""
    has_changed_id: bool


def watch(chain: Chain, site: Site, bank: Bank, purpose: int, clips: int) -> list[Sighting]:
    """Every mover of every frame of `clips` clips, in which all pairs of `PASSING` take turns."""
    pairs = [PASSING[number % len(PASSING)] for number in range(clips)]
    found: list[Sighting] = []
    for shots in site.crossings(purpose, pairs):
        found.extend(_watched(chain, shots, bank))
    return found


def _watched(chain: Chain, shots: Sequence[Shot], bank: Bank) -> list[Sighting]:
    tracks = Tracks()
    last: dict[int, int] = {}
    found: list[Sighting] = []
    for at, (shot, analysis) in enumerate(chain.look(shots, {"vehicles": bank})):
        tracks, seen, _ = tracks.step(analysis.subjects, int((at + 1) / FPS * 1e9), _HOLD_SECONDS)
        whole = _best(analysis.labels[0].top)
        for index, kind in enumerate(shot.kinds):
            own = shot.patches[index]
            if own.sum() < LEAST_PATCHES:
                continue
            others = np.any([each for other, each in enumerate(shot.patches) if other != index], axis=0)
            which = most_of(seen, own)
            subject = None if which is None else seen[which]
            track = subject.track if subject is not None and is_own(subject, others) else None
            found.append(
                Sighting(
                    kind=kind,
                    vote="" if subject is None else _best(subject.labels[0].top),
                    alone="" if which is None else _best(analysis.subjects[which].labels[0].top),
                    frame=whole,
                    track=track,
                    has_changed_id=track is not None and last.get(index, track) != track,
                )
            )
            if track is not None:
                last[index] = track
    return found


def most_of(subjects: Sequence[Subject], own: np.ndarray) -> int | None:
    """Index of the subject that covers most of a mover; None: no subject touches it."""
    covers = [int((subject.mask & own).sum()) for subject in subjects]
    return int(np.argmax(covers)) if any(covers) else None


def is_own(subject: Subject, others: np.ndarray) -> bool:
    """Whether hardly a patch of it belongs to other movers."""
    return int((subject.mask & others).sum()) <= (1 - OWN_SHARE) * int(subject.mask.sum())


def _best(top: Iterable[tuple[str, float]]) -> str:
    return next((name for name, _ in top), "")


def figures_of(sightings: Sequence[Sighting], kinds: Sequence[str]) -> dict[str, float]:
    """Balanced over the kinds; changes of id per hundred sightings of a mover with a subject of its own."""

    def balanced(field: str) -> float:
        shares = [[getattr(each, field) == kind for each in sightings if each.kind == kind] for kind in kinds]
        return float(np.mean([np.mean(each) for each in shares]))

    own = [each for each in sightings if each.track is not None]
    return {
        "passing_vote": balanced("vote"),
        "passing_alone": balanced("alone"),
        "passing_frame": balanced("frame"),
        "passing_separated": len(own) / len(sightings),
        "passing_id_changes": float(sum(each.has_changed_id for each in own)),
        "num_passing": float(len(sightings)),
    }
