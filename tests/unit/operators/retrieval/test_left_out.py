from __future__ import annotations

import numpy as np
import pytest

from operators.retrieval.bank import Bank, BankError
from operators.retrieval.bank_report import Judgement, as_json, bank_reports, clip_of_prefix, report_table
from operators.retrieval.left_out import leave_out_clips
from operators.retrieval.vectors import SpaceMismatchError, VectorSet, clip_of

SPACE = "a" * 64
DIM = 24


def clips(seed: int, per_class: int = 12, frames: int = 5, classes: int = 3, apart: float = 1.0) -> VectorSet:
    """Frames of a clip nearly agree; clips of a class vary; classes lie apart."""
    rng = np.random.default_rng(seed)
    centres = apart * rng.normal(size=(classes, DIM))
    vectors, labels, names = [], [], []
    for label in range(classes):
        for clip in range(per_class):
            middle = centres[label] + 0.6 * rng.normal(size=DIM)
            for frame in range(frames):
                vectors.append(middle + 0.05 * rng.normal(size=DIM))
                labels.append(label)
                names.append(f"{label}/clip{clip}/{frame}.jpg")
    return VectorSet.of(SPACE, np.array(vectors, np.float32), np.array(labels), names)


def test_how_near_a_picture_is_to_its_own_class_leaves_out_its_whole_clip():
    vectors = clips(1)
    without = VectorSet.of(SPACE, vectors.vectors, vectors.labels)
    assert vectors.own.max() < without.own.min()  # neighbouring frames alone made them look safe
    assert clip_of("pallet/a.jpg") != clip_of("pallet/b.jpg")
    assert clip_of("pallet/door/a.jpg") == clip_of("pallet/door/b.jpg") != clip_of("pallet/gate/a.jpg")


def test_held_out_unknown_keeps_what_was_promised_and_frames_of_one_clip_would_not():
    kept, flattered = [], []
    for seed in range(8):
        stock, fresh = clips(seed, per_class=40, classes=2), clips(seed, per_class=60, classes=2)
        rows = np.array(["/clip4" in n or "/clip5" in n for n in fresh.names])  # clips that the bank never had
        for vectors, told in ((stock, kept), (VectorSet.of(SPACE, stock.vectors, stock.labels), flattered)):
            votes = Bank(("a", "b"), vectors).vote(fresh.vectors[rows], SPACE, false_unknown=0.1)
            told.append(np.mean([vote.is_unknown for vote in votes]))
    assert abs(np.mean(kept) - 0.1) < 0.05
    assert np.mean(flattered) > 0.5


def test_left_out_clips_are_judged_by_the_rest_alone():
    vectors = clips(3, per_class=10)
    left = leave_out_clips(vectors, 3, vote="balanced", k=20, temperature=0.07, false_unknown=0.1)
    out = np.array([name.startswith("1/clip4/") for name in vectors.names])
    rest = Bank(("a", "b", "c"), vectors.rows(~out))
    for row, vote in zip(
        np.flatnonzero(out), rest.vote(vectors.vectors[out], SPACE, vote="balanced", false_unknown=0.1), strict=True
    ):
        assert rest.classes[left.best[row]] == vote.shares[0][0]
        assert left.is_unknown[row] == vote.is_unknown


def test_joined_keeps_pictures_and_adds_a_class_in_its_place():
    old, new = clips(1, 4, 2, 2), clips(2, 1, 5, 1)
    bank = Bank(("forklift", "truck"), old, made_with="m").joined(Bank(("pallet",), new))
    assert bank.classes == ("forklift", "pallet", "truck")
    assert bank.counts() == [("forklift", 8), ("pallet", 5), ("truck", 8)]
    assert [bank.classes[label] for label in bank.cls.labels] == ["forklift"] * 8 + ["truck"] * 8 + ["pallet"] * 5
    assert Bank.from_bytes(bank.to_bytes()).cls.names == (*old.names, *new.names)


def test_joined_refuses_other_spaces_and_a_class_that_subjects_would_not_have():
    old, other = clips(1, 4, 2, 2), clips(2, 1, 5, 1)
    with pytest.raises(SpaceMismatchError, match="different spaces"):
        Bank(("a", "b"), old).joined(Bank(("c",), VectorSet("b" * 64, other.vectors, other.labels, other.own)))
    with pytest.raises(BankError, match="labels subjects"):
        Bank(("a", "b"), old, old).joined(Bank(("c",), other))
    assert Bank(("a", "b"), old).joined(Bank(("c",), other, other)).pooled is None


def test_the_report_names_what_is_weak_and_what_was_held_out():
    vectors = clips(5, per_class=20, classes=2)
    labels = vectors.labels.copy()
    labels[0:5] = 1  # a clip under the wrong name
    names = tuple(name.replace("0/", "1/x", 1) if row < 5 else name for row, name in enumerate(vectors.names))
    bank = Bank(("forklift", "truck"), VectorSet.of(SPACE, vectors.vectors, labels, names))
    (report,) = bank_reports(bank, Judgement(vote="balanced", false_unknown=0.1))
    assert {each.picture for each in report.weakest[:5]} == set(names[:5])
    assert [(each.pictures, each.clips) for each in report.classes] == [(95, 19), (105, 21)]
    assert report.confusion[1][0] == 5
    assert report.classes[0].recall == 1.0
    assert as_json(report)["false_unknown"]["promised"] == 0.1
    assert any("promised 10.0%, held out" in line for line in report_table(report, Judgement()))


def test_names_that_differ_in_their_counter_alone_are_one_clip():
    assert clip_of_prefix("pallet/door_0001.jpg") == clip_of_prefix("pallet/door_0002.jpg") == "pallet/door"
    assert clip_of_prefix("pallet/gate-7.jpg") != clip_of_prefix("pallet/door-7.jpg")


def test_the_whitened_vote_finds_a_class_of_five_and_costs_the_others_little():
    """Classes that differ along few directions, pictures that vary strongly along others that they all share."""
    rng = np.random.default_rng(8)
    shared = 3.0 * rng.normal(size=(4, DIM))
    centres = rng.normal(size=(3, DIM))

    def seen(label: int, count: int) -> np.ndarray:
        return centres[label] + rng.normal(size=(count, 4)) @ shared + 0.3 * rng.normal(size=(count, DIM))

    sizes = (80, 80, 5)
    vectors = np.concatenate([seen(label, size) for label, size in enumerate(sizes)])
    bank = Bank(("a", "b", "c"), VectorSet.of(SPACE, vectors, np.repeat([0, 1, 2], sizes)))
    queries = np.concatenate([seen(label, 60) for label in range(3)])
    truth = np.repeat(["a", "b", "c"], 60)
    recalls = {}
    for vote in ("whitened", "balanced"):
        said = np.array([each.shares[0][0] for each in bank.vote(queries, SPACE, vote=vote)])
        recalls[vote] = [float((said[truth == name] == name).mean()) for name in "abc"]
    assert min(recalls["whitened"]) >= min(recalls["balanced"]) + 0.2, recalls
    assert np.mean(recalls["whitened"]) > 0.9


def test_whitening_of_classes_of_one_only_takes_off_the_mean():
    vectors = np.eye(3, DIM, dtype=np.float32)
    votes = Bank(("a", "b", "c"), VectorSet.of(SPACE, vectors, np.arange(3))).vote(vectors, SPACE)
    assert [each.shares[0][0] for each in votes] == ["a", "b", "c"]
    assert all(sum(share for _, share in each.shares) == pytest.approx(1.0) for each in votes)
