"""What a track is called: the vote of its sightings, the newer ones counting more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from operators.results import Label

MEMORY = 0.8
"""What a sighting still counts at the next one: the last five make up two thirds of the vote."""

TOP = 5
"""Classes that a track's label carries at least, where its sightings named so many."""

_MOST_CLASSES = 20
"""That are remembered; the rest never came near."""


@dataclass(frozen=True, slots=True)
class HeadVote:
    """What the sightings of one track said by one head."""

    last: Label
    """Of the newest sighting that voted."""
    weight: float = 0.0
    """Of all sightings together, each `MEMORY` of it one sighting later."""
    unknown: float = 0.0
    """Of those that were unknown."""
    scores: tuple[tuple[str, float], ...] = ()
    """Weighted sum of scores by class, best first."""

    def add(self, label: Label) -> HeadVote:
        """After one more sighting."""
        sums = {name: score * MEMORY for name, score in self.scores}
        for name, score in label.top:
            sums[name] = sums.get(name, 0.0) + float(score)
        return HeadVote(
            last=label,
            weight=self.weight * MEMORY + 1.0,
            unknown=self.unknown * MEMORY + float(label.is_unknown),
            scores=tuple(sorted(sums.items(), key=_by_score)[:_MOST_CLASSES]),
        )

    @property
    def label(self) -> Label:
        """The track's: mean scores, best first; unknown where most sightings were."""
        top = tuple((name, total / self.weight) for name, total in self.scores)
        return replace(self.last, top=top[: max(TOP, len(self.last.top))], is_unknown=self.unknown > self.weight / 2)


@dataclass(frozen=True, slots=True)
class TrackVote:
    """What the sightings of one track said, by all heads."""

    heads: tuple[HeadVote, ...] = ()

    def add(self, labels: Sequence[Label]) -> TrackVote:
        """After one more sighting. A head that says nothing of it keeps its vote; `empty` is no vote."""
        votes = {vote.last.head: vote for vote in self.heads}
        for label in labels:
            if not label.is_empty:
                votes[label.head] = votes.get(label.head, HeadVote(label)).add(label)
        return TrackVote(tuple(votes.values()))

    @property
    def labels(self) -> tuple[Label, ...]:
        """The track's, one per head that has said something."""
        return tuple(vote.label for vote in self.heads)

    def likeness(self, labels: Sequence[Label]) -> float:
        """How alike the track and a sighting are called, 0..1; 0.5 where nothing can be compared."""
        own = {vote.last.head: dict(vote.label.top) for vote in self.heads}
        values = [_overlap(dict(label.top), own[label.head]) for label in labels if label.top and own.get(label.head)]
        return sum(values) / len(values) if values else 0.5


NO_VOTE = TrackVote()


def _by_score(pair: tuple[str, float]) -> float:
    return -pair[1]


def _overlap(a: dict[str, float], b: dict[str, float]) -> float:
    """What two score lists share, 0..1; scores below 0 count as 0."""
    common = sum(max(0.0, min(score, b.get(name, 0.0))) for name, score in a.items())
    most = max(sum(max(0.0, score) for score in each.values()) for each in (a, b))
    return common / most if most > 0 else 0.5
