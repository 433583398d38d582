"""Pictures of one camera that somebody asked for while it runs, to teach a bank a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

import numpy as np

from operators.results import Analysis
from pipeline.errors import PublishError
from pipeline.messages import Analysed, Entry

MAX_PICTURES = 24
"""Of one collection: neighbouring frames are alike, and each has to be embedded before the class is known."""
_SEVERAL, _NOBODY, _NO_PICTURE = "several subjects", "no subject", "in flight when it began"


@dataclass(frozen=True, slots=True, repr=False)
class Sample:
    """One picture of what passed by."""

    frame: str
    """`camera/epoch/seq`."""
    jpeg: bytes
    """Of the model-size picture, privacy polygons black."""
    mask: np.ndarray | None
    """bool (h, w) patches of the one subject; None: the camera knows no empty view, the whole picture counts."""

    def __repr__(self) -> str:
        return f"Sample({self.frame}, {len(self.jpeg)} B)"


@dataclass(frozen=True, slots=True, repr=False)
class Collected:
    """What a collection brought."""

    samples: tuple[Sample, ...] = ()
    skipped: dict[str, int] = field(default_factory=dict[str, int])
    """Frames that were seen and not taken, by reason."""

    def __repr__(self) -> str:
        return f"Collected({len(self.samples)} samples, skipped={self.skipped})"


def only_subject(analysis: Analysis) -> tuple[np.ndarray | None, str]:
    """The mask of the one subject in front of the empty view (None: no view is known), or why there is not one."""
    if analysis.view is None:
        return None, ""
    if len(analysis.subjects) != 1:
        return None, _SEVERAL if analysis.subjects else _NOBODY
    return analysis.subjects[0].mask, ""


class Collection:
    """Takes what passes by. Not thread-safe."""

    def __init__(self) -> None:
        self._samples: dict[str, Sample] = {}
        self._skipped: Counter[str] = Counter()
        self._seen: set[str] = set()

    def see(self, analysis: Analysis) -> None:
        """One more frame; told twice is told once."""
        frame = analysis.ticket.id
        if frame in self._seen:
            return
        self._seen.add(frame)
        mask, why_not = only_subject(analysis)
        if analysis.picture is None:
            self._skipped[_NO_PICTURE] += 1
        elif why_not:
            self._skipped[why_not] += 1
        else:
            self._samples[frame] = Sample(frame, analysis.picture, mask)

    def end(self) -> Collected:
        """What was taken, evenly thinned to the most that is embedded."""
        samples = list(self._samples.values())
        chosen = evenly(len(samples), MAX_PICTURES)
        skipped = dict(self._skipped)
        if len(samples) > len(chosen):
            skipped["more than needed"] = len(samples) - len(chosen)
        return Collected(tuple(samples[index] for index in chosen), skipped)


class Collections:
    """Those that are under way at a publisher, one a camera at most. Not thread-safe."""

    def __init__(self) -> None:
        self._by_camera: dict[str, Collection] = {}

    def __contains__(self, camera: str) -> bool:
        return camera in self._by_camera

    def begin(self, camera: str) -> None:
        """An earlier one of the camera is let go."""
        self._by_camera[camera] = Collection()

    def see(self, entries: Iterable[Entry]) -> None:
        """What was accepted of owners."""
        for entry in entries:
            if isinstance(entry, Analysed) and (collection := self._by_camera.get(entry.ticket.camera)) is not None:
                collection.see(entry.analysis)

    def keep_only(self, cameras: Container[str]) -> None:
        """Those of other cameras are let go."""
        self._by_camera = {camera: each for camera, each in self._by_camera.items() if camera in cameras}

    def end(self, camera: str) -> Collected:
        """Raises: PublishError: none is under way."""
        collection = self._by_camera.pop(camera, None)
        if collection is None:
            msg = f"nothing is collected of {camera}: the publisher was started anew meanwhile. Ask again"
            raise PublishError(msg, code="not_collecting")
        return collection.end()


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of 0..count-1, spread evenly."""
    if count <= most:
        return list(range(count))
    return sorted({round(index * (count - 1) / (most - 1)) for index in range(most)})
