"""Labels of a frame and of the subjects in it, by the heads that label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from operators.heads.base import FrameTokens, LabelHead
from operators.heads.classify import KnnLabels
from operators.results import Label, Subject
from operators.scene.view_check import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """What stands before the learnt view."""

    view: str | None
    """The view's version; None: there is none, and nobody knows what stands there."""
    lights: int
    subjects: tuple[Subject, ...]
    check: Verdict = "unsure"
    """Whether the frame shows the view."""


Cut = Callable[[np.ndarray], list[np.ndarray]]
"""From the patches of one group, bool (h, w), to those of its parts."""


def parts_by_class(heads: Sequence[object], tokens: FrameTokens) -> Cut | None:
    """Cuts what the camera's first bank calls two things; None: it has no bank."""
    knn = next((head for head in heads if isinstance(head, KnnLabels)), None)
    return None if knn is None else (lambda mask: knn.parts_of(tokens, mask))


@dataclass(frozen=True, slots=True, repr=False)
class Labelled:
    """What the heads say."""

    frame: tuple[Label, ...]
    """Of the whole frame, one per head, in their order."""
    subjects: tuple[Subject, ...]
    """Those seen, with their labels."""


def label_all(heads: Sequence[LabelHead], tokens: FrameTokens, seen: Seen, shape: tuple[int, int]) -> Labelled:
    """Labels of the frame and of each subject.

    A lone subject takes the frame's label from a head that knows whole pictures alone. Where nothing stands before a
    learnt view, heads of things say `empty`, and heads of whole pictures say what they see.

    Args:
        heads: Of the camera.
        tokens: Of the frame.
        seen: What stands in it.
        shape: (H, W) of the model-size picture.
    """
    frame: list[Label] = []
    per_subject: list[list[Label]] = [[] for _ in seen.subjects]
    for head in heads:
        if head.is_of_things and seen.view is not None and not seen.subjects:
            frame.append(Label(head.name, (), is_empty=True))
            continue
        off_recipe = head.off_recipe(shape) or ""
        whole = replace(head.of_frame(tokens), off_recipe=off_recipe)
        frame.append(whole)
        for subject, labels in zip(seen.subjects, per_subject, strict=True):
            label = head.of_subject(tokens, subject.mask)
            if label is None and len(seen.subjects) == 1:
                label = replace(whole, vector=None)  # of the picture, not of the thing
            if label is not None:
                labels.append(replace(label, off_recipe=off_recipe))
    pairs = zip(seen.subjects, per_subject, strict=True)
    return Labelled(tuple(frame), tuple(replace(subject, labels=tuple(labels)) for subject, labels in pairs))
