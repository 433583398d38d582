from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from operators.backbone import Engine
from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import build, random_tensors
from operators.frames import fit
from operators.retrieval.bank import Bank, BankError
from operators.retrieval.build_bank import LabelledPicture, build_bank, patch_mask, wanted_bank
from operators.retrieval.vectors import SpaceMismatchError, VectorSet, vote_shares

SPACE = "a" * 64
DIM = 32


def cloud(generator: np.random.Generator, centre: np.ndarray, count: int, spread: float = 0.35) -> np.ndarray:
    return centre + spread * generator.standard_normal((count, DIM)).astype(np.float32)


def unbalanced() -> tuple[Bank, np.ndarray, np.ndarray]:
    """A bank of 80, 80 and 5, whose classes lie near each other, and 60 queries of each."""
    generator = np.random.Generator(np.random.PCG64(11))
    common = generator.standard_normal(DIM)
    centres = [common + 0.55 * generator.standard_normal(DIM) for _ in range(3)]
    sizes = (80, 80, 5)
    vectors = np.concatenate([cloud(generator, centre, size, 0.5) for centre, size in zip(centres, sizes, strict=True)])
    labels = np.repeat([0, 1, 2], sizes)
    queries = np.concatenate([cloud(generator, centre, 60, 0.5) for centre in centres])
    bank = Bank(("forklift", "person", "truck"), VectorSet.of(SPACE, vectors, labels))
    return bank, queries, np.repeat([0, 1, 2], 60)


def recalls(bank: Bank, queries: np.ndarray, truth: np.ndarray, vote) -> np.ndarray:
    votes = bank.vote(queries, SPACE, vote=vote)
    said = np.array([bank.classes.index(each.shares[0][0]) for each in votes])
    return np.array([(said[truth == label] == label).mean() for label in range(3)])


def test_a_class_of_5_against_two_of_80_is_found_by_the_balanced_vote() -> None:
    bank, queries, truth = unbalanced()
    balanced, paper = recalls(bank, queries, truth, "balanced"), recalls(bank, queries, truth, "paper")
    assert balanced[2] >= 0.8
    assert balanced.min() >= 0.8
    assert paper[2] < balanced[2] - 0.2


def test_shares_sum_to_one_and_count_only_the_k_nearest() -> None:
    cosines = np.array([[0.9, 0.8, 0.1]], np.float32)
    shares = vote_shares(cosines, np.array([0, 1, 1]), np.array([1, 2]), vote="paper", k=2, temperature=0.1)
    np.testing.assert_allclose(shares, [[1 / (1 + np.exp(-1)), np.exp(-1) / (1 + np.exp(-1))]], rtol=1e-5)
    balanced = vote_shares(cosines, np.array([0, 1, 1]), np.array([1, 2]), vote="balanced", k=2, temperature=0.1)
    np.testing.assert_allclose(balanced[0, 0] / balanced[0, 1], 2 * np.e, rtol=1e-5)


def test_what_is_unlike_everything_is_unknown_and_own_pictures_rarely_are() -> None:
    bank, queries, _ = unbalanced()
    stranger = np.random.Generator(np.random.PCG64(5)).standard_normal((20, DIM))
    assert all(each.is_unknown is True for each in bank.vote(stranger, SPACE))  # a plain bool: it travels as JSON
    flagged = np.mean([each.is_unknown for each in bank.vote(queries[:120], SPACE)])
    assert flagged < 0.15


def test_a_class_of_one_picture_is_never_called_unknown() -> None:
    vectors = np.eye(3, DIM, dtype=np.float32)
    bank = Bank(("a", "b", "c"), VectorSet.of(SPACE, vectors, np.arange(3)))
    assert not bank.vote(vectors + 0.4, SPACE)[0].is_unknown
    assert bank.cls.thresholds(3, 0.05).tolist() == [-1, -1, -1]


def test_leave_one_out_never_sees_the_picture_itself() -> None:
    vectors = np.array([[1, 0], [1, 0.01], [0, 1], [0.01, 1], [1, 0.05]], np.float32)
    labels = np.array([0, 0, 1, 1, 1])  # the last one lies among the others' class
    found = VectorSet.of(SPACE, vectors, labels).leave_one_out(2, vote="paper", k=1, temperature=0.07)
    assert found.tolist() == [[2, 0], [1, 2]]


def test_vectors_of_another_space_are_refused_and_both_are_named() -> None:
    bank, queries, _ = unbalanced()
    with pytest.raises(SpaceMismatchError, match=f"{'a' * 16}.*{'b' * 16}"):
        bank.vote(queries, "b" * 64)
    with pytest.raises(SpaceMismatchError):
        bank.nearest(queries, "b" * 64)


def test_a_bank_without_masks_says_that_it_cannot_label_subjects() -> None:
    bank, queries, _ = unbalanced()
    with pytest.raises(BankError, match="expected pictures with masks"):
        bank.vote(queries, SPACE, pooled=True)


def test_bytes_and_folder_give_the_same_bank(tmp_path: Path) -> None:
    bank, queries, _ = unbalanced()
    again = Bank.from_bytes(bank.to_bytes())
    bank.save(tmp_path / "vehicles", {"note": "x"})
    loaded = Bank.load(tmp_path / "vehicles")
    assert again.version == loaded.version == bank.version
    assert loaded.vote(queries, SPACE) == bank.vote(queries, SPACE)
    report = json.loads((tmp_path / "vehicles/report.json").read_text())
    assert report["classes"] == {"forklift": 80, "person": 80, "truck": 5}
    assert (report["version"], report["note"]) == (bank.version, "x")
    changed = Bank(("forklift", "person", "van"), bank.cls)
    assert changed.version != bank.version


@pytest.mark.parametrize("content", [None, b"", b"not a bank at all"])
def test_what_is_no_bank_is_one_error_that_names_the_file(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "bank.safetensors").write_bytes(content)
    with pytest.raises(BankError, match=r"no bank: .*bank\.safetensors"):
        Bank.load(tmp_path)


@pytest.fixture(scope="module")
def engine() -> Engine:
    small = replace(ARCHITECTURES["dinov2_vits14"], depth=1)
    return Engine(build(small, random_tensors(small, 1), "hub_offset"), "fp32")


def painted(colour: tuple[int, int, int], size=(60, 90)) -> np.ndarray:
    rgb = np.full((*size, 3), 90, np.uint8)
    rgb[20:50, 30:70] = colour
    return rgb


def test_build_sorts_classes_and_pools_only_what_has_a_mask(engine: Engine) -> None:
    mask = np.zeros((60, 90), bool)
    mask[20:50, 30:70] = True
    pictures = [
        LabelledPicture("red", painted((200, 10, 10)), mask),
        LabelledPicture("blue", painted((10, 10, 200)), mask),
        LabelledPicture("blue", painted((10, 30, 220), (90, 60))),
    ]
    seen: list[int] = []
    bank = build_bank(pictures, engine, ((56, 84), (56, 56)), seen.append)
    assert bank.classes == ("blue", "red")
    assert bank.counts() == [("blue", 2), ("red", 1)]
    assert bank.pooled is not None
    assert bank.pooled.labels.tolist() == [1, 0]
    assert bank.pooled.space != bank.cls.space
    assert seen == [3]
    with pytest.raises(BankError, match="one shorter side"):
        build_bank(pictures, engine, ((56, 84), (112, 112)))
    with pytest.raises(BankError, match="no picture"):
        build_bank([], engine, ((56, 84),))


def test_patch_mask_is_half_covered_patches_or_the_most_covered_one() -> None:
    placement = fit((56, 84), (56, 84))
    mask = np.zeros((56, 84), bool)
    mask[14:28, 28:49] = True  # one patch whole, half of the next
    assert np.argwhere(patch_mask(mask, placement, 14)).tolist() == [[1, 2], [1, 3]]
    tiny = np.zeros((56, 84), bool)
    tiny[30:34, 30:34] = True
    assert np.argwhere(patch_mask(tiny, placement, 14)).tolist() == [[2, 2]]
    assert not patch_mask(np.zeros((56, 84), bool), placement, 14).any()
    with pytest.raises(BankError, match="expected"):
        patch_mask(np.zeros((3, 3), bool), placement, 14)


def test_each_wanted_picture_is_a_class_of_its_own(engine: Engine) -> None:
    files = {
        name: cv2.imencode(".png", painted(colour))[1].tobytes()
        for name, colour in (("red", (10, 10, 200)), ("blue", (200, 10, 10)))
    }
    bank = wanted_bank(files, engine, ((56, 84),))
    assert bank.classes == ("blue", "red")
    found = bank.nearest(bank.cls.vectors[1:], bank.cls.space)[0]
    assert found[0] == ("red", pytest.approx(1.0, abs=1e-5))
    assert bank.pooled is not None
    with pytest.raises(BankError, match="broken: no picture"):
        wanted_bank({"broken": b"x"}, engine, ((56, 84),))
