"""What one backbone pass says about one frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from operators.frames import Placement, Ticket, Times
from operators.scene.view_check import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class WordsVector:
    """A whole picture as something that sentences can be compared with."""

    space: str
    """That sentences of the same towers live in; no other vector does."""
    values: np.ndarray
    """float16 (E,), L2-normalised."""

    def __repr__(self) -> str:
        return f"WordsVector({self.values.shape}, {self.space[:12]})"


@dataclass(frozen=True, slots=True)
class Label:
    """What a labelling head says of a frame or of one subject."""

    head: str
    top: tuple[tuple[str, float], ...]
    """(class, score) of the best classes, best first; scores are vote shares in 0..1 for `knn`, cosines for
    `similarity`."""
    is_unknown: bool = False
    """Nearer to nothing in the bank than the bank's own pictures are to each other."""
    is_empty: bool = False
    """Nothing stands in front of the learnt empty view, and the head labels what does."""
    off_recipe: str = ""
    """What of the picture lies far from what the head was trained with; empty: nothing."""
    vector: WordsVector | None = field(default=None, compare=False)
    """Of a frame by a `words` head that carries it."""

    @property
    def name(self) -> str:
        """The class to show: the best one, or `unknown`, or `empty`."""
        if self.is_empty:
            return "empty"
        if self.is_unknown or not self.top:
            return "unknown"
        return self.top[0][0]


@dataclass(frozen=True, slots=True)
class LineDistance:
    """Metres on the floor from a line to the nearest visible part of a subject."""

    line: str
    metres: float
    """25th percentile over the subject's patches of ground distance to the line."""
    sigma_metres: float
    contact_metres: float | None = None
    """The same from where the subject meets the floor, without depth: a diagnosis, not the measure."""
    before_metres: float | None = None
    """Of a reading that jumped, and that nothing agrees with yet: the one before it."""


@dataclass(frozen=True, slots=True, repr=False)
class Subject:
    """What stands in front of the learnt empty view: one connected group of patches."""

    box: tuple[float, float, float, float]
    """(x0, y0, x1, y1) in 0..1 of the picture."""
    mask: np.ndarray
    """bool (h, w) patches."""
    distances: tuple[LineDistance, ...] = ()
    labels: tuple[Label, ...] = ()
    track: int | None = None
    """Short id that joins a subject over frames; given by the publisher."""
    embedding: np.ndarray | None = None
    """float16 (D,) mean of its own patch tokens, L2-normalised; lives in `Analysis.subject_space`."""
    invalid_share: float = 0.0
    """Of its patches, those whose depth is invalid although the empty view knows one there, 0..1."""

    def __repr__(self) -> str:
        return f"Subject(box={self.box}, patches={int(self.mask.sum())}, labels={[x.name for x in self.labels]})"


@dataclass(frozen=True, slots=True, repr=False)
class Depth:
    """Metric depth on the patch grid."""

    head: str
    metres: np.ndarray
    """float16 (h, w) distance along the optical axis, metres; NaN where invalid."""
    p05: float
    median: float
    valid_share: float
    is_calibrated: bool
    """False where the camera's field of view, or the one that the head was trained with, is not known: then the numbers
    are not metres of this camera."""
    off_recipe: str = ""
    """What of the camera lies far from what the head was trained with; empty: nothing."""

    def __repr__(self) -> str:
        return f"Depth({self.head}, {self.metres.shape}, median={self.median:.2f} m)"


@dataclass(frozen=True, slots=True, repr=False)
class InverseDepth:
    """What a relative head says: larger is nearer, up to an unknown scale and shift. Never metres."""

    head: str
    values: np.ndarray
    """float16 (h, w)."""
    off_recipe: str = ""

    def __repr__(self) -> str:
        return f"InverseDepth({self.head}, {self.values.shape})"


@dataclass(frozen=True, slots=True, repr=False)
class Segments:
    """What each patch belongs to."""

    head: str
    classes: tuple[str, ...]
    """Names; `indices` counts in them."""
    indices: np.ndarray
    """uint8 (h, w) best class of each patch."""
    shares: tuple[tuple[str, float], ...]
    """(class, share of the picture's patches), largest first, without those that have none."""
    is_mask_wanted: bool = False
    """Whether `indices` travel with the result."""
    off_recipe: str = ""
    """What of the picture lies far from what the head was trained with; empty: nothing."""

    def __repr__(self) -> str:
        return f"Segments({self.head}, {self.indices.shape}, {', '.join(f'{n} {s:.2f}' for n, s in self.shares[:3])})"


@dataclass(frozen=True, slots=True, repr=False)
class ViewSample:
    """One look at the scene from which the publisher learns the empty view."""

    log_depth: np.ndarray | None
    """float16 (h, w) natural log of metres."""
    tokens: np.ndarray
    """float16 (N, D) patch tokens of an early block (block index 2), L2-normalised."""
    luma: float
    """Mean brightness of the picture, 0..255: tells lights apart."""
    gray: np.ndarray | None = None
    """uint8 (H // 2, W // 2) brightness of the model-size picture: what stands still is learnt from it."""


@dataclass(frozen=True, slots=True, repr=False)
class Analysis:
    """Everything that the analyzer says about one frame. Arrays are owned by the receiver."""

    ticket: Ticket
    times: Times
    placement: Placement
    space: str
    """Fingerprint of what made the embedding; vectors of different spaces never meet."""
    embedding: np.ndarray | None
    """float16 (D,) class token, L2-normalised."""
    depth: Depth | None
    labels: tuple[Label, ...]
    """Of the whole frame, one per labelling head."""
    subjects: tuple[Subject, ...]
    view: str | None
    """The empty view that subjects were found against, such as `view/dock-03@12`; None: not learnt yet."""
    view_lights: int = 0
    """How many lights that view has seen; 1 means depth alone (`one_light`)."""
    view_check: Verdict = "unsure"
    """Whether this frame shows what the view learnt."""
    artefacts: tuple[str, ...] = ()
    preview: bytes | None = None
    """JPEG of the model-size picture, at most 16 KiB."""
    picture: bytes | None = None
    """JPEG of the model-size picture, fine enough to be embedded again, where the item asked for it."""
    view_sample: ViewSample | None = None
    analysed_ns: int = 0
    """Stamped by whoever called the analyzer; operators have no clock."""
    computed_seconds: float = 0.0
    """How long its batch was computed, without waiting for a lane; stamped by the lane."""
    segments: tuple[Segments, ...] = ()
    """One per segmenting head."""
    inverse_depth: InverseDepth | None = None
    subject_space: str = ""
    """As `space`, of the subjects' embeddings."""
    patches: np.ndarray | None = None
    """float16 (N, D) patch tokens after the final norm, row-major, where the item asked for them."""

    @property
    def shows_something(self) -> bool:
        """Something stands before the learnt view, or no view is learnt that could tell."""
        return self.view is None or bool(self.subjects)

    def __repr__(self) -> str:
        return f"Analysis({self.ticket.id}, subjects={len(self.subjects)}, depth={self.depth!r})"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which backbone, whose weights: named on every screen and in every message."""

    name: str
    """Architecture, such as `dinov2_vits14`."""
    weights: str
    """`official`, `standin`, `random` or the name of a file; the stand-in is not the official checkpoint."""
    fingerprint: str
    """sha256 over canonical tensors, architecture and position rule."""
    licence: str
    spaces: dict[str, str] = field(default_factory=dict)
    """Picture shape such as `224x392` to the space of its embeddings."""
