"""Distances that jump from one sample to the next are not believed until the next one agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from operators.results import LineDistance, Subject

JUMP_SIGMAS = 10.0
"""A change beyond this many standard deviations, of the more certain of two readings, is a jump."""
MIN_JUMP_METRES = 1.0
"""What moves at 2 m/s goes this far between two samples at 2 fps: never a jump."""
MAX_GAP_NS = 2_000_000_000
"""Readings further apart than this say nothing of each other."""

Key = tuple[int, str]
"""(track, line)."""


@dataclass(frozen=True, slots=True)
class Trail:
    """What is believed of one track and line."""

    metres: float
    sigma_metres: float
    time_ns: int
    """Rule time of the newest sample, believed or not."""
    doubted: tuple[float, float] | None = None
    """(metres, sigma) of the newest sample where it was not believed."""


@dataclass(frozen=True, slots=True)
class Trails:
    """Of all tracks of one camera. Pure: each frame gives the next one."""

    trails: dict[Key, Trail] = field(default_factory=dict[Key, Trail])

    @property
    def is_in_doubt(self) -> bool:
        """Whether the next frame is wanted soon."""
        return any(trail.doubted is not None for trail in self.trails.values())

    def step(self, subjects: Sequence[Subject], time_ns: int) -> tuple[Trails, tuple[Subject, ...]]:
        """Takes one frame's subjects, and returns them with each jump marked (`LineDistance.before_metres`).

        A jump that the next sample of the track agrees with is believed from then on.

        Args:
            subjects: With their tracks.
            time_ns: Rule time of the frame.
        """
        trails = {key: trail for key, trail in self.trails.items() if 0 <= time_ns - trail.time_ns <= MAX_GAP_NS}
        seen: list[Subject] = []
        for subject in subjects:
            if subject.track is None:
                seen.append(subject)
                continue
            distances: list[LineDistance] = []
            for distance in subject.distances:
                key = (subject.track, distance.line)
                trails[key] = _next(trails.get(key), distance, time_ns)
                before = None if trails[key].doubted is None else trails[key].metres
                distances.append(replace(distance, before_metres=before))
            seen.append(replace(subject, distances=tuple(distances)))
        return Trails(trails), tuple(seen)

    def to_list(self) -> list[list[object]]:
        """As JSON values."""
        return [
            [*key, trail.metres, trail.sigma_metres, trail.time_ns, list(trail.doubted) if trail.doubted else None]
            for key, trail in self.trails.items()
        ]

    @staticmethod
    def from_list(values: Sequence[Sequence[object]]) -> Trails:
        """What `to_list` gave."""
        trails: dict[Key, Trail] = {}
        for track, line, metres, sigma, time_ns, doubted in values:
            pair = None if doubted is None else tuple[float, float](doubted)  # pyright: ignore[reportArgumentType]
            trails[int(track), str(line)] = Trail(float(metres), float(sigma), int(time_ns), pair)  # pyright: ignore[reportArgumentType]
        return Trails(trails)


def _next(trail: Trail | None, read: LineDistance, time_ns: int) -> Trail:
    believed = Trail(read.metres, read.sigma_metres, time_ns)
    if trail is None or _agree((trail.metres, trail.sigma_metres), read):
        return believed
    if trail.doubted is not None and _agree(trail.doubted, read):
        return believed
    return replace(trail, time_ns=time_ns, doubted=(read.metres, read.sigma_metres))


def _agree(before: tuple[float, float], read: LineDistance) -> bool:
    most = max(MIN_JUMP_METRES, JUMP_SIGMAS * min(before[1], read.sigma_metres))
    return abs(read.metres - before[0]) <= most
