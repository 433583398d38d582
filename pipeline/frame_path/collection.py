"""Pictures of one camera that somebody asked for while it runs, to teach a bank a class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from operators.results import Analysis

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


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of 0..count-1, spread evenly."""
    if count <= most:
        return list(range(count))
    return sorted({round(index * (count - 1) / (most - 1)) for index in range(most)})
