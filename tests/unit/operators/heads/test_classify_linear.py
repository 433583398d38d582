"""Classifiers by a linear layer: what they read, what they say, what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.errors import WeightsError
from operators.heads.base import FrameTokens
from operators.heads.classify_linear import ClassifyLabels, ClassifyLinear, load_classifier
from operators.heads.depth_about import HeadMismatchError
from operators.heads.head_about import HeadAbout
from operators.heads.head_files import read_head
from operators.heads.segment import SegmentLinear
from operators.retrieval.vectors import SpaceMismatchError

RNG = np.random.default_rng(4)
GRID = (2, 3)
DIM = 8


def tokens(cls_space: str = "whole", pooled_space: str = "things") -> FrameTokens:
    normed = {block: (RNG.random((1, DIM), np.float32), RNG.random((1, 6, DIM), np.float32)) for block in range(4)}
    cls, patches = normed[3]
    return FrameTokens(cls[0], patches[0], {}, GRID, cls_space, pooled_space, normed)


def head(reads: str = "cls", inputs: int = DIM, **about: object) -> ClassifyLinear:
    classes = ("truck", "forklift", "person", "cat", "dog", "tree", "box")
    said = HeadAbout(reads, classes, (3,), "f" * 64, **about)
    return ClassifyLinear(RNG.random((7, inputs), np.float32), RNG.random(7, np.float32), said)


def test_scores_are_the_best_five_shares() -> None:
    seen, model = tokens(), head()
    label = ClassifyLabels("vehicles", model).of_frame(seen)
    logits = torch.from_numpy(model.weight @ seen.cls + model.bias)
    wanted, order = torch.softmax(logits, 0).sort(descending=True)
    assert label.head == "vehicles"
    assert [name for name, _ in label.top] == [model.about.classes[index] for index in order[:5]]
    assert [score for _, score in label.top] == pytest.approx(wanted[:5].tolist(), rel=1e-5)
    assert label.name == label.top[0][0]


def test_large_logits_stay_finite() -> None:
    model = replace(head(), bias=np.array([1e4, 0, 0, 0, 0, 0, 0], np.float32))
    assert ClassifyLabels("v", model).of_frame(tokens()).top[0] == ("truck", 1.0)


@pytest.mark.parametrize(
    ("reads", "blocks", "expected"),
    [
        ("cls", (3,), lambda t: t.cls),
        ("cls_mean", (3,), lambda t: np.r_[t.cls, t.patches.mean(axis=0)]),
        (
            "cls4_mean",
            (0, 1, 2, 3),
            lambda t: np.r_[
                t.normed[0][0][0], t.normed[1][0][0], t.normed[2][0][0], t.normed[3][0][0], t.patches.mean(axis=0)
            ],
        ),
        ("pooled", (3,), lambda t: t.patches.mean(axis=0) / np.linalg.norm(t.patches.mean(axis=0))),
    ],
)
def test_what_is_read(reads: str, blocks: tuple[int, ...], expected) -> None:
    seen = tokens()
    model = head(reads)
    model = replace(model, about=replace(model.about, blocks=blocks))
    assert model.features(seen) == pytest.approx(expected(seen), rel=1e-5)
    labels = ClassifyLabels("v", model)
    assert labels.blocks == frozenset()
    assert labels.normed_blocks == (frozenset(blocks) if reads == "cls4_mean" else frozenset())


def test_only_a_head_fitted_on_things_labels_things() -> None:
    seen, mask = tokens(), np.zeros(GRID, bool)
    mask[1, 2] = True
    assert ClassifyLabels("v", head("cls")).of_subject(seen, mask) is None
    assert ClassifyLabels("v", head("cls_mean", 2 * DIM)).of_subject(seen, mask) is None
    model = head("pooled")
    label = ClassifyLabels("v", model).of_subject(seen, mask)
    alone = seen.patches[5] / np.linalg.norm(seen.patches[5])
    assert label is not None
    assert label.top[0][0] == model.about.classes[int(np.argmax(model.weight @ alone + model.bias))]
    assert label.top[0][1] != ClassifyLabels("v", model).of_frame(seen).top[0][1]


@pytest.mark.parametrize(("reads", "space"), [("cls", "whole"), ("pooled", "things")])
def test_a_head_fitted_at_another_size_is_refused(reads: str, space: str) -> None:
    labels = ClassifyLabels("v", head(reads, space=space))
    assert labels.of_frame(tokens()).top
    with pytest.raises(SpaceMismatchError, match=f"head v was fitted .* expected {space}, got other"):
        labels.of_frame(tokens("other", "other"))


def test_a_file_of_ours_comes_back_as_it_was() -> None:
    model = head("pooled", space="things", recipe="linear probe", figures={"balanced accuracy": 0.93}, short_side=224)
    again = ClassifyLinear.from_bytes(model.to_bytes())
    assert again.about == model.about
    assert np.array_equal(again.weight, model.weight)
    assert np.array_equal(again.bias, model.bias)
    assert again.to_bytes() == model.to_bytes()


def test_a_fitted_head_is_refused_on_other_weights() -> None:
    about = head().about
    about.check_backbone("f" * 64)
    with pytest.raises(HeadMismatchError, match="expected fingerprint ffffffffffff, got 000000000000"):
        about.check_backbone("0" * 64, "dinov2_vits14")


def test_a_published_head_takes_published_weights_of_its_architecture_alone(tmp_path: Path) -> None:
    torch.save({"weight": torch.rand(1000, 768), "bias": torch.rand(1000)}, tmp_path / "head.pth")
    about = load_classifier(tmp_path / "head.pth", "dinov2_vits14_reg", tmp_path).about
    about.check_backbone("0" * 64, "dinov2_vits14_reg4")
    for published_as in ("", "dinov2_vits14"):
        with pytest.raises(HeadMismatchError, match="expected those published for dinov2_vits14_reg4"):
            about.check_backbone("0" * 64, published_as)


@pytest.mark.parametrize(
    ("arch", "inputs", "reads", "blocks"),
    [
        ("dinov2_vits14", 768, "cls_mean", (11,)),
        ("dinov2_vitb14", 3840, "cls4_mean", (8, 9, 10, 11)),
        ("dinov2_vitl14", 5120, "cls4_mean", (20, 21, 22, 23)),
        ("dinov2_vitg14_reg4", 7680, "cls4_mean", (36, 37, 38, 39)),
        ("dinov2_vitg14", 3072, "cls_mean", (39,)),
    ],
)
def test_every_official_size_is_read(
    tmp_path: Path, arch: str, inputs: int, reads: str, blocks: tuple[int, ...]
) -> None:
    torch.save({"weight": torch.rand(1000, inputs), "bias": torch.rand(1000)}, tmp_path / "head.pth")
    about = load_classifier(tmp_path / "head.pth", arch, tmp_path).about
    assert (about.reads, about.blocks, about.short_side) == (reads, blocks, 224)
    assert (about.classes[0], about.classes[999]) == ("tench", "toilet tissue")
    assert about.off_recipe((224, 392)) is None
    assert about.off_recipe((518, 518)) == "short side 518 px is 2.31 x the 224 px it was trained with"


def test_what_a_file_calls_imagenets_classes_is_known(tmp_path: Path) -> None:
    torch.save({"weight": torch.rand(5, 768), "bias": torch.rand(5)}, tmp_path / "head.pth")
    assert load_classifier(tmp_path / "head.pth", "dinov2_vits14", tmp_path).about.classes[4] == "class 4"
    file = replace(read_head(tmp_path / "head.pth"), classes=("a, b", "a, c", "d", "e", "f"))
    assert ClassifyLinear.published(file, ARCHITECTURES["dinov2_vits14"]).about.classes[:2] == ("a, b", "a, c")


def test_official_names_are_looked_for_in_the_cache(tmp_path: Path) -> None:
    torch.save(
        {"weight": torch.rand(1000, 1920), "bias": torch.rand(1000)}, tmp_path / "dinov2_vits14_linear4_head.pth"
    )
    about = load_classifier("imagenet_linear4", "dinov2_vits14", tmp_path).about
    assert (about.reads, about.trained_on, about.backbone) == ("cls4_mean", "ImageNet-1k", "dinov2_vits14")


def bad_files() -> dict[str, tuple[bytes | None, str]]:
    good = head().to_bytes()
    short = replace(head(), bias=np.zeros(3, np.float32)).to_bytes()
    nan = replace(head(), bias=np.full(7, np.nan, np.float32)).to_bytes()
    segment = SegmentLinear(
        np.zeros((7, DIM), np.float32), np.zeros(7, np.float32), replace(head().about, reads="patches")
    )
    return {
        "gone.safetensors": (None, "no head: .* cannot be read"),
        "empty.safetensors": (b"", "is no classifier: not safetensors"),
        "text.safetensors": (b"<html>404 not found</html>", "is no classifier: not safetensors"),
        "cut.safetensors": (good[:-5], "is no classifier: damaged: the tensors"),
        "header.safetensors": (b"\x04\0\0\0\0\0\0\0null", "is no classifier: not a file that this program wrote"),
        "short.safetensors": (short, "expected float32 bias of 7 classes, got float32"),
        "nan.safetensors": (nan, "bias holds values that are not finite"),
        "segment.safetensors": (segment.to_bytes(), "expected a file of kind 'classify_linear', got 'segment_linear'"),
    }


@pytest.mark.parametrize("name", bad_files())
def test_a_bad_file_of_ours_is_one_clear_error(tmp_path: Path, name: str) -> None:
    content, expected = bad_files()[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=expected) as caught:
        load_classifier(tmp_path / name, "dinov2_vits14", tmp_path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_kind_of_head_is_said(tmp_path: Path) -> None:
    state = {
        "decode_head.conv_depth.weight": torch.rand(256, 768, 1, 1),
        "decode_head.conv_depth.bias": torch.rand(256),
    }
    torch.save({"state_dict": state}, tmp_path / "head.pth")
    with pytest.raises(WeightsError, match=r"head.pth is no classifier: got a depth_linear head"):
        load_classifier(tmp_path / "head.pth", "dinov2_vits14", tmp_path)
