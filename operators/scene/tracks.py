"""Short ids that join a subject over frames, and what vanished below the picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from operators.results import Subject
from operators.scene.track import Track, centre_of, shares_columns

MAX_STEP = 0.3
"""How far a box's centre may lie from where its track would be by now, in units of the picture."""

UNLIKE_STEP = 0.2
"""A subject that is called nothing like the track is as far off as one that is this much farther away."""

SIZE_STEP = 0.07
"""The same of one that is e times as large: where a mover is cut in two now and then, its pieces keep their own ids.
Source: own measurements on ten simulated crossings at P0: 13 changes of id instead of 25."""

_LAST = 10.0
"""Added to what is weighed after everything else."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """All tracks of one camera; `step` returns the next state. Pure: rule time is the only clock."""

    tracks: tuple[Track, ...] = ()
    next_number: int = 1
    lost: tuple[Subject, ...] = ()
    """Who was held until this step, and is not believed to be below the picture any more."""

    def step(
        self, subjects: Sequence[Subject], rule_time_ns: int, hold_seconds: float
    ) -> tuple[Tracks, tuple[Subject, ...], tuple[Subject, ...]]:
        """Join one frame's subjects to the tracks.

        Args:
            subjects: of the frame, with what the frame alone says of them.
            rule_time_ns: of the frame.
            hold_seconds: how long a subject that vanished at the bottom keeps counting (`scene.hold_below`).

        Returns:
            The next state, the subjects with their `track` and its labels, and the *held* ones: last seen at the
            bottom, not in view, and nothing seen since that could be them. A held subject keeps its last distances.
        """
        matches = self._matches(subjects, rule_time_ns, hold_seconds)
        matched = {track.number for track in matches.values()}
        unseen = [track for track in self.tracks if track.number not in matched]
        number = self.next_number
        seen: list[Track] = []
        for index, subject in enumerate(subjects):
            track = matches.get(index)
            if track is None:
                track = Track.begin(number, subject, rule_time_ns)
                number += 1
            is_alone = not any(other.is_inside(subject, rule_time_ns) for other in unseen)
            seen.append(track.seen(subject, rule_time_ns, is_alone=is_alone))
        rest = [track.beside(subjects, matches.values(), rule_time_ns) for track in unseen]
        held = tuple(track.subject for track in rest if track.is_held(rule_time_ns, hold_seconds))
        kept = _alive(rest, rule_time_ns, hold_seconds)
        gone = [track for track in rest if track not in kept and track.is_below] if hold_seconds else []
        lost = tuple(track.subject for track in gone)
        return Tracks((*seen, *kept), number, lost), tuple(track.subject for track in seen), held

    def linger(self, before_ns: int, rule_time_ns: int, hold_seconds: float) -> Tracks:
        """The picture did not change: who was in view at `before_ns` still is. Nobody votes again."""
        tracks = [track.stands(rule_time_ns) if track.last_ns == before_ns else track for track in self.tracks]
        return Tracks(tuple(_alive(tracks, rule_time_ns, hold_seconds)), self.next_number)

    def _matches(self, subjects: Sequence[Subject], rule_time_ns: int, hold_seconds: float) -> dict[int, Track]:
        """Subject index to track, the best pairs first; what reappears above a held one is that one."""
        costs: list[tuple[float, int, int]] = []
        for t, track in enumerate(self.tracks):
            is_recent = track.is_recent(rule_time_ns)
            is_held = track.is_held(rule_time_ns, hold_seconds)
            x, y = track.centre_at(rule_time_ns)
            for s, subject in enumerate(subjects):
                at = centre_of(subject)
                step = float(np.hypot(at[0] - x, at[1] - y))
                cost = step + _unlikeness(track, subject)
                if is_recent and step <= MAX_STEP:
                    costs.append((cost, s, t))
                elif is_held and shares_columns(track.subject, subject):
                    costs.append((_LAST + cost, s, t))
        matches: dict[int, Track] = {}
        taken: set[int] = set()
        for _, s, t in sorted(costs):
            if s not in matches and t not in taken:
                matches[s] = self.tracks[t]
                taken.add(t)
        return matches

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"next": self.next_number, "tracks": [track.to_dict() for track in self.tracks]}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Tracks:
        """What `to_dict` gave."""
        return Tracks(tuple(Track.from_dict(each) for each in values["tracks"]), values["next"])


def _unlikeness(track: Track, subject: Subject) -> float:
    """In units of the picture, so that it can be weighed against a step."""
    size = abs(float(np.log(subject.mask.sum() / track.subject.mask.sum())))
    return UNLIKE_STEP * (1 - track.vote.likeness(subject.labels)) + SIZE_STEP * size


def _alive(tracks: Iterable[Track], rule_time_ns: int, hold_seconds: float) -> list[Track]:
    return [track for track in tracks if track.is_recent(rule_time_ns) or track.is_held(rule_time_ns, hold_seconds)]
