"""Our classifiers against Meta's own code on the same seeded weights, and against transformers live."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.backbone import Engine, load_backbone
from operators.backbone.architectures import ARCHITECTURES, Architecture
from operators.backbone.checkpoints import build, random_tensors
from operators.backbone.preprocess import classification_pixels
from operators.heads.base import FrameTokens
from operators.heads.classify_linear import ClassifyLinear, load_classifier
from operators.heads.head_files import read_head
from operators.picture_file import decode_picture
from tests.golden.classify.classify_cases import CASES, FILE, SEED, Case, head_tensors
from tests.golden.pictures import JPEG, tiles

TOLERANCE = 1e-4
"""Relative, float32."""


@lru_cache(maxsize=1)
def engine_of(arch: Architecture) -> Engine:
    return Engine(build(arch, random_tensors(arch, SEED), "hub_antialias" if arch.registers else "hub_offset"), "fp32")


def tokens_of(engine: Engine, pixels: np.ndarray, blocks: tuple[int, ...]) -> FrameTokens:
    out = engine.run(pixels[None], normed=blocks)
    grid = (pixels.shape[0] // 14, pixels.shape[1] // 14)
    return FrameTokens(out.cls[0], out.patches[0], {}, grid, "", "", out.normed)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def classify(head: ClassifyLinear, engine: Engine, pixels: np.ndarray) -> np.ndarray:
    return head.logits(head.features(tokens_of(engine, pixels, head.about.blocks)))


def pixels_of(case: Case) -> np.ndarray:
    if case.size is not None:
        return tiles(case.size)
    return classification_pixels(decode_picture(JPEG.read_bytes()))


def head_of(case: Case, folder: Path) -> ClassifyLinear:
    torch.save(head_tensors(case.arch, case.layers), folder / "head.pth")
    return ClassifyLinear.published(read_head(folder / "head.pth"), case.arch)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_logits_equal_metas(case: Case, tmp_path: Path) -> None:
    got = classify(head_of(case, tmp_path), engine_of(case.arch), pixels_of(case))
    with np.load(FILE) as golden:
        assert relative(got, golden[case.key]) < TOLERANCE


def test_the_goldens_tell_wrong_recipes_apart(tmp_path: Path) -> None:
    one, four = (next(each for each in CASES if each.layers == layers and each.size == (224, 224)) for layers in (1, 4))
    engine = engine_of(one.arch)
    with np.load(FILE) as golden:
        head = head_of(four, tmp_path)
        tokens = tokens_of(engine, pixels_of(four), head.about.blocks)
        raw = engine.run(pixels_of(four)[None], taps=head.about.blocks).taps
        unnormed = FrameTokens(tokens.cls, tokens.patches, {}, tokens.grid, "", "", raw)
        assert relative(head.logits(head.features(unnormed)), golden[four.key]) > 100 * TOLERANCE
        head = head_of(one, tmp_path)
        swapped = np.concatenate([tokens.patches.mean(axis=0), tokens.cls])
        assert relative(head.logits(swapped), golden[one.key]) > 100 * TOLERANCE


@pytest.mark.parametrize("size", [(224, 224), (322, 238)], ids=str)
@pytest.mark.parametrize(("registers", "classes"), [(0, 1000), (4, 3)])
def test_logits_equal_transformers(tmp_path: Path, size: tuple[int, int], registers: int, classes: int) -> None:
    transformers = pytest.importorskip("transformers")
    name = "dinov2_vits14_reg4" if registers else "dinov2_vits14"
    kind = "Dinov2WithRegisters" if registers else "Dinov2"
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=384,
        num_hidden_layers=ARCHITECTURES[name].depth,
        num_attention_heads=6,
        image_size=518,
        patch_size=14,
        id2label={index: f"thing {index}, of a kind" for index in range(classes)},
    )
    torch.manual_seed(5)
    theirs = getattr(transformers, f"{kind}ForImageClassification")(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    theirs.save_pretrained(tmp_path)
    engine = Engine(load_backbone(name, tmp_path), "fp32")
    head = load_classifier(tmp_path, name, tmp_path)
    head.about.check_backbone(engine.backbone.fingerprint, engine.backbone.info.published_as)
    assert head.about.classes[2] == "thing 2"
    assert len(head.about.classes) == classes
    pixels = tiles(size)
    x = (torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255 - mean()) / std()
    with torch.inference_mode():
        expected = theirs(pixel_values=x).logits[0].numpy()
    assert relative(classify(head, engine, pixels), expected) < TOLERANCE


def mean() -> torch.Tensor:
    return torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)


def std() -> torch.Tensor:
    return torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
