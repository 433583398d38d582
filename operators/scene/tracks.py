"""Short ids that join a subject over frames, and what vanished below the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from operators.results import Label, LineDistance, Subject

BOTTOM_ROWS = 2
"""A subject last seen within this many patch rows of the bottom went on below the picture, nearer than it can show.
Source: own measurements: 41 to 43 of 44 approaches, no new false start."""

MAX_STEP = 0.3
"""How far a box's centre may move between two frames, in units of the picture."""

MAX_GAP_NS = 2_000_000_000
"""A track that was not seen for longer is over; what comes then is a new one."""

MIN_SIGHTINGS_TO_HOLD = 2
"""One flicker at the bottom is not somebody standing there."""


@dataclass(frozen=True, slots=True)
class Track:
    """One subject over time."""

    number: int
    subject: Subject
    """As last seen."""
    last_ns: int
    """Rule time when it was last seen."""
    sightings: int

    @property
    def is_at_bottom(self) -> bool:
        return bool(self.subject.mask[-BOTTOM_ROWS:].any())

    def is_held(self, rule_time_ns: int, hold_seconds: float) -> bool:
        """Whether it counts although it is not in view."""
        is_young = rule_time_ns - self.last_ns <= hold_seconds * 1e9
        return self.is_at_bottom and self.sightings >= MIN_SIGHTINGS_TO_HOLD and is_young


@dataclass(frozen=True, slots=True)
class Tracks:
    """All tracks of one camera; `step` returns the next state. Pure: rule time is the only clock."""

    tracks: tuple[Track, ...] = ()
    next_number: int = 1

    def step(
        self, subjects: Sequence[Subject], rule_time_ns: int, hold_seconds: float
    ) -> tuple[Tracks, tuple[Subject, ...], tuple[Subject, ...]]:
        """Join one frame's subjects to the tracks.

        Args:
            subjects: of the frame.
            rule_time_ns: of the frame.
            hold_seconds: how long a subject that vanished at the bottom keeps counting (`scene.absorb_after`).

        Returns:
            The next state, the subjects with their `track`, and the *held* ones: last seen at the bottom, not in view,
            and nothing seen since that could be them. A held subject keeps its last distances.
        """
        matches = self._matches(subjects, rule_time_ns, hold_seconds)
        number = self.next_number
        seen: list[Track] = []
        for index, subject in enumerate(subjects):
            earlier = matches.get(index)
            if earlier is None:
                track = Track(number, replace(subject, track=number), rule_time_ns, 1)
                number += 1
            else:
                named = replace(subject, track=earlier.number)
                track = Track(earlier.number, named, rule_time_ns, earlier.sightings + 1)
            seen.append(track)
        numbers = {track.number for track in seen}
        rest = [track for track in self.tracks if track.number not in numbers and not _is_covered(track, subjects)]
        held = tuple(track.subject for track in rest if track.is_held(rule_time_ns, hold_seconds))
        kept = [
            track
            for track in rest
            if rule_time_ns - track.last_ns <= MAX_GAP_NS or track.is_held(rule_time_ns, hold_seconds)
        ]
        return Tracks((*seen, *kept), number), tuple(track.subject for track in seen), held

    def _matches(self, subjects: Sequence[Subject], rule_time_ns: int, hold_seconds: float) -> dict[int, Track]:
        """Subject index to track, the nearest pairs first; what reappears above a held one is that one."""
        costs: list[tuple[float, int, int]] = []
        for t, track in enumerate(self.tracks):
            is_recent = rule_time_ns - track.last_ns <= MAX_GAP_NS
            is_held = track.is_held(rule_time_ns, hold_seconds)
            for s, subject in enumerate(subjects):
                step = _centre_step(track.subject, subject)
                if is_recent and step <= MAX_STEP:
                    costs.append((step, s, t))
                elif is_held and _shares_columns(track.subject, subject):
                    costs.append((MAX_STEP + step, s, t))
        matches: dict[int, Track] = {}
        taken: set[int] = set()
        for _, s, t in sorted(costs):
            if s not in matches and t not in taken:
                matches[s] = self.tracks[t]
                taken.add(t)
        return matches

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "next": self.next_number,
            "tracks": [
                {
                    "number": track.number,
                    "last_ns": track.last_ns,
                    "sightings": track.sightings,
                    "subject": _subject_to_dict(track.subject),
                }
                for track in self.tracks
            ],
        }

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Tracks:
        """What `to_dict` gave."""
        tracks = tuple(
            Track(each["number"], _subject_from_dict(each["subject"]), each["last_ns"], each["sightings"])
            for each in values["tracks"]
        )
        return Tracks(tracks, values["next"])


def _centre_step(a: Subject, b: Subject) -> float:
    """Distance of the centres of two boxes, in units of the picture."""
    dx = (a.box[0] + a.box[2] - b.box[0] - b.box[2]) / 2
    dy = (a.box[1] + a.box[3] - b.box[1] - b.box[3]) / 2
    return float(np.hypot(dx, dy))


def _is_covered(track: Track, subjects: Sequence[Subject]) -> bool:
    """Whether a track at the bottom is seen after all: a piece of a subject that was cut in two joins the rest again,
    or what went below the picture comes back. It is then part of what is in view, and never held.
    """
    return track.is_at_bottom and any(_shares_columns(track.subject, subject) for subject in subjects)


def _shares_columns(a: Subject, b: Subject) -> bool:
    return a.box[0] < b.box[2] and b.box[0] < a.box[2]


def _subject_to_dict(subject: Subject) -> dict[str, Any]:
    return {
        "box": list(subject.box),
        "shape": list(subject.mask.shape),
        "mask": np.packbits(subject.mask).tobytes().hex(),
        "track": subject.track,
        "distances": [[d.line, d.metres, d.sigma_metres, d.contact_metres] for d in subject.distances],
        "labels": [[x.head, [list(pair) for pair in x.top], x.is_unknown, x.is_empty] for x in subject.labels],
    }


def _subject_from_dict(values: dict[str, Any]) -> Subject:
    height, width = values["shape"]
    bits = np.frombuffer(bytes.fromhex(values["mask"]), np.uint8)
    return Subject(
        box=tuple(values["box"]),
        mask=np.unpackbits(bits, count=height * width).astype(bool).reshape(height, width),
        distances=tuple(LineDistance(*each) for each in values["distances"]),
        labels=tuple(
            Label(head, tuple((name, score) for name, score in top), is_unknown, is_empty)
            for head, top, is_unknown, is_empty in values["labels"]
        ),
        track=values["track"],
    )
