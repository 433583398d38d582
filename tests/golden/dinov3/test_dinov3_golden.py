"""Our DINOv3 tokens against those of Meta's own code on the same seeded file, and against transformers live."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.backbone import architectures
from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import build, load_backbone
from operators.backbone.rotary import usual_periods
from operators.backbone.vit import Tokens
from tests.golden.backbone.parity_cases import picture, summary
from tests.golden.dinov3.dinov3_cases import CASES, FILE, Case, canonical, meta_layout

TOLERANCE = 1e-4
"""Relative, float32."""


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def numbers(tokens: Tokens, *, registers: bool = False) -> np.ndarray:
    return summary(tokens.cls, tokens.registers if registers else tokens.registers[:, :0], tokens.patches)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_tokens_of_a_file_in_metas_layout_equal_metas(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(architectures.ARCHITECTURES, case.arch.name, case.arch)
    file = tmp_path / "file.pth"
    torch.save(meta_layout(case.arch), file)
    model, x = load_backbone(case.arch.name, file), picture(case.size)
    with np.load(FILE) as golden, torch.inference_mode():
        final, raw = model.taps(x, case.taps)
        assert relative(numbers(final, registers=True), golden[f"{case.key}/final"]) < TOLERANCE
        for block in case.taps:
            assert relative(numbers(raw[block]), golden[f"{case.key}/raw{block}"]) < TOLERANCE
            assert relative(numbers(model.normed(raw[block])), golden[f"{case.key}/norm{block}"]) < TOLERANCE


def off_by(case: Case, tensors: dict[str, torch.Tensor], arch: architectures.Architecture | None = None) -> float:
    with np.load(FILE) as golden, torch.inference_mode():
        tokens = build(arch or case.arch, tensors, "rotary").forward_features(picture(case.size))
        return relative(numbers(tokens, registers=True), golden[f"{case.key}/final"])


def test_the_goldens_tell_what_is_easily_got_wrong() -> None:
    case = next(each for each in CASES if each.size == (224, 400))
    right = canonical(case.arch)
    assert off_by(case, right) < TOLERANCE
    exact = right | {"rope_embed.periods": usual_periods(case.arch.head_dim)}
    assert off_by(case, exact) > 5 * TOLERANCE, "periods are used as stored"
    raw_bias = {name: tensor for name, tensor in meta_layout(case.arch).items() if name.endswith("qkv.bias")}
    assert off_by(case, right | raw_bias) > 5 * TOLERANCE, "keys have no bias"
    assert off_by(case, right, replace(case.arch, norm_eps=1e-2)) > 5 * TOLERANCE


@pytest.mark.parametrize("size", [(224, 224), (224, 400), (480, 320)], ids=str)
@pytest.mark.parametrize("name", ["dinov3_vits16", "dinov3_vits16plus"])
def test_tokens_equal_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], name: str
) -> None:
    transformers = pytest.importorskip("transformers")
    arch = replace(ARCHITECTURES[name], depth=4)
    monkeypatch.setitem(architectures.ARCHITECTURES, name, arch)
    config = transformers.DINOv3ViTConfig(
        hidden_size=arch.dim,
        num_hidden_layers=arch.depth,
        num_attention_heads=arch.heads,
        intermediate_size=arch.hidden,
        num_register_tokens=4,
        use_gated_mlp=arch.ffn == "swiglu",
        hidden_act="silu" if arch.ffn == "swiglu" else "gelu",
    )
    torch.manual_seed(5)
    theirs = transformers.DINOv3ViTModel(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    theirs.save_pretrained(tmp_path)
    ours, x = load_backbone(name, tmp_path), picture(size)
    assert (ours.position, ours.info.published_as) == ("rotary", name)
    with torch.inference_mode():
        expected = theirs(pixel_values=x).last_hidden_state
        tokens = ours.forward_features(x)
    got = torch.cat([tokens.cls[:, None], tokens.registers, tokens.patches], dim=1)
    assert relative(got.numpy(), expected.numpy()) < TOLERANCE
