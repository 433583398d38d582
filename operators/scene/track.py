"""One subject over time: where it was, where it went, and what its sightings said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from operators.results import Label, LineDistance, Subject
from operators.scene.track_vote import NO_VOTE, HeadVote, TrackVote

BOTTOM_ROWS = 2
"""A subject last seen within this many patch rows of the bottom went on below the picture, nearer than it can show.
Source: own measurements: 41 to 43 of 44 approaches, no new false start."""

MAX_GAP_NS = 2_000_000_000
"""A track that was not seen for longer is over; what comes then is a new one."""

MAX_HIDDEN_NS = 5_000_000_000
"""The same while it would be within the box of another subject, behind or before which it passes."""

PREDICTED_NS = 2_000_000_000
"""A track that is not seen is thought to go on as it went for this long, and to stand then."""

MIN_SIGHTINGS_TO_HOLD = 2
"""One flicker at the bottom is not somebody standing there."""


@dataclass(frozen=True, slots=True)
class Track:
    """One subject over time."""

    number: int
    subject: Subject
    """As last seen, with its track's labels."""
    last_ns: int
    """Rule time when it was last seen."""
    sightings: int
    centre: tuple[float, float]
    """Of its box when it was last seen alone, in units of the picture."""
    centre_ns: int
    """When that was."""
    velocity: tuple[float, float] = (0.0, 0.0)
    """Of the centre, per second."""
    vote: TrackVote = NO_VOTE
    """Of the sightings that showed it alone."""
    within_ns: int = 0
    """When it was last within another subject's box."""
    is_covered: bool = False
    """A subject that may be it was seen in its columns since: it is not below the picture."""

    @staticmethod
    def begin(number: int, subject: Subject, rule_time_ns: int) -> Track:
        """Before its first sighting is counted."""
        return Track(number, subject, rule_time_ns, 0, centre_of(subject), rule_time_ns)

    @property
    def is_at_bottom(self) -> bool:
        return bool(self.subject.mask[-BOTTOM_ROWS:].any())

    @property
    def is_below(self) -> bool:
        """Whether it must be below the picture, if it is not in view."""
        return self.is_at_bottom and self.sightings >= MIN_SIGHTINGS_TO_HOLD and not self.is_covered

    def is_recent(self, rule_time_ns: int) -> bool:
        """Whether what is seen now may be this one."""
        away_ns = rule_time_ns - self.last_ns
        is_hidden = rule_time_ns - self.within_ns <= MAX_GAP_NS and away_ns <= MAX_HIDDEN_NS
        return away_ns <= MAX_GAP_NS or is_hidden

    def is_held(self, rule_time_ns: int, hold_seconds: float) -> bool:
        """Whether it counts although it is not in view."""
        return self.is_below and rule_time_ns - self.last_ns <= hold_seconds * 1e9

    def centre_at(self, rule_time_ns: int) -> tuple[float, float]:
        """Where it would be by now."""
        seconds = min(rule_time_ns - self.centre_ns, PREDICTED_NS) / 1e9
        return self.centre[0] + self.velocity[0] * seconds, self.centre[1] + self.velocity[1] * seconds

    def is_inside(self, subject: Subject, rule_time_ns: int) -> bool:
        """Whether a track that was just seen would be within this subject's box by now."""
        x, y = self.centre_at(rule_time_ns)
        left, top, right, bottom = subject.box
        return self.is_recent(rule_time_ns) and left <= x <= right and top <= y <= bottom

    def seen(self, subject: Subject, rule_time_ns: int, *, is_alone: bool) -> Track:
        """After one more sighting; one that shows it together with another says neither where it is nor what."""
        vote, centre, centre_ns, velocity = self.vote, self.centre, self.centre_ns, self.velocity
        if is_alone or not vote.heads:
            vote = vote.add(subject.labels)
        if is_alone:
            centre, centre_ns = centre_of(subject), rule_time_ns
            velocity = self._velocity(centre, rule_time_ns)
        return replace(
            self,
            subject=replace(subject, track=self.number, labels=vote.labels),
            last_ns=rule_time_ns,
            sightings=self.sightings + 1,
            centre=centre,
            centre_ns=centre_ns,
            velocity=velocity,
            vote=vote,
            is_covered=False,
        )

    def stands(self, rule_time_ns: int) -> Track:
        """The picture did not change: it is still there, and nothing new was said of it."""
        return replace(
            self, last_ns=rule_time_ns, centre_ns=rule_time_ns, sightings=self.sightings + 1, velocity=(0.0, 0.0)
        )

    def beside(self, subjects: Sequence[Subject], seen: Iterable[Track], rule_time_ns: int) -> Track:
        """Where it has no subject of its own. A track at the bottom may be seen after all: a piece of a subject that
        was cut in two joins the rest again, or what went below the picture comes back. It is then part of what is in
        view, and not held any more. `seen` are the tracks of those that are, as they were before: what stood over it
        when it was last seen may have left its columns in the same step.
        """
        over = [track.subject for track in seen if track.last_ns == self.last_ns]
        is_seen = self.is_at_bottom and any(shares_columns(self.subject, subject) for subject in (*subjects, *over))
        is_within = any(self.is_inside(subject, rule_time_ns) for subject in subjects)
        within_ns = rule_time_ns if is_within else self.within_ns
        return replace(self, is_covered=self.is_covered or is_seen, within_ns=within_ns)

    def _velocity(self, centre: tuple[float, float], rule_time_ns: int) -> tuple[float, float]:
        """Half of what it was, half of the newest step: boxes grow and shrink by whole patches."""
        seconds = (rule_time_ns - self.centre_ns) / 1e9
        if seconds <= 0:
            return self.velocity
        across, down = ((now - was) / seconds for now, was in zip(centre, self.centre, strict=True))
        if self.sightings <= 1:
            return across, down
        return (self.velocity[0] + across) / 2, (self.velocity[1] + down) / 2

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "number": self.number,
            "subject": _subject_to_dict(self.subject),
            "last_ns": self.last_ns,
            "sightings": self.sightings,
            "centre": list(self.centre),
            "centre_ns": self.centre_ns,
            "velocity": list(self.velocity),
            "vote": [
                [_label_to_list(each.last), each.weight, each.unknown, [list(pair) for pair in each.scores]]
                for each in self.vote.heads
            ],
            "within_ns": self.within_ns,
            "is_covered": self.is_covered,
        }

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Track:
        """What `to_dict` gave; of a state from before tracks voted, its last labels are its vote."""
        subject, last_ns = _subject_from_dict(values["subject"]), values["last_ns"]
        begun = Track.begin(values["number"], subject, last_ns)
        if "vote" not in values:
            return replace(begun, sightings=values["sightings"], vote=NO_VOTE.add(subject.labels))
        heads = [
            HeadVote(_label_from_list(last), weight, unknown, tuple((name, score) for name, score in scores))
            for last, weight, unknown, scores in values["vote"]
        ]
        return replace(
            begun,
            sightings=values["sightings"],
            centre=tuple(values["centre"]),
            centre_ns=values["centre_ns"],
            velocity=tuple(values["velocity"]),
            vote=TrackVote(tuple(heads)),
            within_ns=values["within_ns"],
            is_covered=values["is_covered"],
        )


def centre_of(subject: Subject) -> tuple[float, float]:
    """Of its box, in units of the picture."""
    return (subject.box[0] + subject.box[2]) / 2, (subject.box[1] + subject.box[3]) / 2


def shares_columns(a: Subject, b: Subject) -> bool:
    return a.box[0] < b.box[2] and b.box[0] < a.box[2]


def _subject_to_dict(subject: Subject) -> dict[str, Any]:
    return {
        "box": list(subject.box),
        "shape": list(subject.mask.shape),
        "mask": np.packbits(subject.mask).tobytes().hex(),
        "track": subject.track,
        "distances": [[d.line, d.metres, d.sigma_metres, d.contact_metres] for d in subject.distances],
        "labels": [_label_to_list(label) for label in subject.labels],
    }


def _subject_from_dict(values: dict[str, Any]) -> Subject:
    height, width = values["shape"]
    bits = np.frombuffer(bytes.fromhex(values["mask"]), np.uint8)
    return Subject(
        box=tuple(values["box"]),
        mask=np.unpackbits(bits, count=height * width).astype(bool).reshape(height, width),
        distances=tuple(LineDistance(*each) for each in values["distances"]),
        labels=tuple(_label_from_list(each) for each in values["labels"]),
        track=values["track"],
    )


def _label_to_list(label: Label) -> list[Any]:
    return [label.head, [list(pair) for pair in label.top], label.is_unknown, label.is_empty]


def _label_from_list(values: Sequence[Any]) -> Label:
    head, top, is_unknown, is_empty = values
    return Label(head, tuple((name, score) for name, score in top), is_unknown, is_empty)
