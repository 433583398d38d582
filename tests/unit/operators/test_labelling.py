"""Which heads speak of an empty view, and whose label a subject gets."""

from __future__ import annotations

import numpy as np
import pytest

from operators.heads.base import FrameTokens, LabelHead
from operators.heads.classify import KnnLabels
from operators.heads.classify_linear import ClassifyLabels, ClassifyLinear
from operators.heads.config import KnnHead, SimilarityHead
from operators.heads.head_about import HeadAbout, Reads
from operators.heads.similarity import SimilarityLabels
from operators.labelling import Seen, label_all
from operators.results import Subject
from operators.retrieval.bank import Bank
from operators.retrieval.vectors import VectorSet

GRID = (2, 2)
LEFT = np.array([[True, False], [True, False]])
NOTHING = Seen("view/dock@1", 2, ())
NOT_LEARNT = Seen(None, 0, ())


def tokens() -> FrameTokens:
    """The picture looks like axis 0, its left like axis 1, its right like axis 2."""
    return FrameTokens(
        np.array([1, 0, 0], np.float32), np.eye(3, dtype=np.float32)[[1, 2, 1, 2]], {}, GRID, "whole", "things"
    )


def bank(*, has_masks: bool) -> Bank:
    vectors, labels = np.eye(3, dtype=np.float32), np.arange(3)
    things = VectorSet.of("things", vectors, labels) if has_masks else None
    return Bank(("yard", "forklift", "person"), VectorSet.of("whole", vectors, labels), things)


def classifier(reads: Reads, short_side: int | None = None) -> LabelHead:
    about = HeadAbout(reads, ("yard", "forklift", "person"), (), "f", short_side=short_side)
    return ClassifyLabels("head", ClassifyLinear(9 * np.eye(3, dtype=np.float32), np.zeros(3, np.float32), about))


def knn(*, has_masks: bool = True) -> LabelHead:
    return KnnLabels("head", KnnHead(kind="knn", bank="b", k=1), bank(has_masks=has_masks))


def similarity() -> LabelHead:
    return SimilarityLabels("head", SimilarityHead(kind="similarity", pictures="p"), bank(has_masks=True))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (classifier("cls"), "yard"),
        (similarity(), "yard"),
        (classifier("pooled"), "empty"),
        (knn(), "empty"),
        (knn(has_masks=False), "empty"),
    ],
)
def test_before_an_empty_view_heads_of_things_say_empty_and_others_what_they_see(head: LabelHead, name: str) -> None:
    (label,) = label_all([head], tokens(), NOTHING, (224, 392)).frame
    assert (label.name, label.is_empty) == (name, name == "empty")
    (unlearnt,) = label_all([head], tokens(), NOT_LEARNT, (224, 392)).frame
    assert not unlearnt.is_empty


@pytest.mark.parametrize(
    ("head", "alone"),
    [
        (classifier("cls"), "yard"),
        (knn(has_masks=False), "yard"),
        (classifier("pooled"), "forklift"),
        (knn(), "forklift"),
    ],
)
def test_a_lone_subject_takes_the_frames_label_from_a_head_without_one_of_its_own(head: LabelHead, alone: str) -> None:
    subject = Subject((0, 0, 0.5, 1), LEFT)
    (found,) = label_all([head], tokens(), Seen("view/dock@1", 2, (subject,)), (224, 392)).subjects
    assert [label.name for label in found.labels] == [alone]
    both = label_all(
        [head], tokens(), Seen("view/dock@1", 2, (subject, Subject((0.5, 0, 1, 1), ~LEFT))), (224, 392)
    ).subjects
    assert [[label.name for label in each.labels] for each in both] == (
        [[], []] if alone == "yard" else [["forklift"], ["person"]]
    )


def test_every_label_of_a_head_off_its_recipe_says_so() -> None:
    subject = Subject((0, 0, 0.5, 1), LEFT)
    seen = Seen("view/dock@1", 2, (subject,))
    for reads in ("cls", "pooled"):
        found = label_all([classifier(reads, 512), knn()], tokens(), seen, (224, 392))
        for labels in (found.frame, found.subjects[0].labels):
            assert [label.off_recipe for label in labels] == [
                "short side 224 px is 0.44 x the 512 px it was trained with",
                "",
            ]
        assert label_all([classifier(reads, 224)], tokens(), seen, (224, 392)).frame[0].off_recipe == ""
