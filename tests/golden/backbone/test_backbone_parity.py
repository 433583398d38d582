"""Our tokens against those of Meta's own code on the same seeded weights, and against transformers live."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import build, load_backbone, random_tensors
from operators.backbone.vit import Tokens, VisionTransformer
from tests.golden.backbone.parity_cases import CASES, FILE, SEED, Case, picture, summary

TOLERANCE = 1e-4
"""Relative, float32."""


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def model_of(case: Case) -> VisionTransformer:
    rule = "hub_antialias" if case.arch.registers else "hub_offset"
    return build(case.arch, random_tensors(case.arch, SEED), rule)


def numbers(tokens: Tokens, *, registers: bool = False) -> np.ndarray:
    return summary(tokens.cls, tokens.registers if registers else tokens.registers[:, :0], tokens.patches)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_tokens_equal_metas(case: Case) -> None:
    model, x = model_of(case), picture(case.size)
    with np.load(FILE) as golden, torch.inference_mode():
        final, raw = model.taps(x, case.taps)
        assert relative(numbers(final, registers=True), golden[f"{case.key}/final"]) < TOLERANCE
        for block in case.taps:
            assert relative(numbers(raw[block]), golden[f"{case.key}/raw{block}"]) < TOLERANCE
        if True in case.kinds:
            for block, tokens in zip(case.taps, model.intermediate(x, case.taps[::-1], norm=True), strict=True):
                assert relative(numbers(tokens), golden[f"{case.key}/norm{block}"]) < TOLERANCE


@pytest.mark.parametrize(("name", "wrong"), [("dinov2_vits14", "hf"), ("dinov2_vits14_reg4", "hub_offset")])
def test_the_goldens_tell_position_rules_apart(name: str, wrong: str) -> None:
    case = next(each for each in CASES if each.arch.name == name and each.size == (490, 644))
    model = build(case.arch, random_tensors(case.arch, SEED), wrong)
    with np.load(FILE) as golden, torch.inference_mode():
        assert (
            relative(numbers(model.forward_features(picture(case.size)), registers=True), golden[f"{case.key}/final"])
            > 5 * TOLERANCE
        )


def test_swapped_channels_are_seen() -> None:
    case = CASES[0]
    with np.load(FILE) as golden, torch.inference_mode():
        final = model_of(case).forward_features(picture(case.size).flip(1))
        assert relative(numbers(final, registers=True), golden[f"{case.key}/final"]) > 100 * TOLERANCE


@pytest.mark.parametrize("size", [(224, 224), (224, 392), (490, 644), (518, 518)], ids=str)
@pytest.mark.parametrize("registers", [0, 4])
def test_tokens_equal_transformers(tmp_path, size: tuple[int, int], registers: int) -> None:
    transformers = pytest.importorskip("transformers")
    name = "dinov2_vits14_reg4" if registers else "dinov2_vits14"
    kind = "Dinov2WithRegisters" if registers else "Dinov2"
    theirs = huggingface_model(transformers, kind, depth=ARCHITECTURES[name].depth)
    theirs.save_pretrained(tmp_path)
    ours = load_backbone(name, tmp_path)
    assert ours.position == ("hub_antialias" if registers else "hf")
    x = picture(size)
    with torch.inference_mode():
        expected = theirs(pixel_values=x).last_hidden_state
        tokens = ours.forward_features(x)
    got = torch.cat([tokens.cls[:, None], tokens.registers, tokens.patches], dim=1)
    assert relative(got.numpy(), expected.numpy()) < TOLERANCE


def huggingface_model(transformers, kind: str, depth: int) -> torch.nn.Module:
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=384, num_hidden_layers=depth, num_attention_heads=6, image_size=518, patch_size=14
    )
    torch.manual_seed(5)
    model = getattr(transformers, f"{kind}Model")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return model
