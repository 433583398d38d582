"""What of DINOv3's files and tables can be silently wrong. That tokens are right is for the goldens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from operators.backbone import Engine, WeightsError, architectures
from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import build, load_backbone
from tests.golden.dinov3.dinov3_cases import canonical, meta_layout

NAME = "dinov3_vits16plus"
SMALL = replace(ARCHITECTURES[NAME], depth=2)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(architectures.ARCHITECTURES, NAME, SMALL)


def written(path: Path, **changed: torch.Tensor | None) -> Path:
    """Meta's layout; None takes a tensor out."""
    tensors = meta_layout(SMALL) | changed
    torch.save({name: tensor for name, tensor in tensors.items() if tensor is not None}, path / "file.pth")
    return path / "file.pth"


def test_a_file_says_what_it_is_and_needs_its_licence(tmp_path: Path) -> None:
    info = load_backbone(NAME, written(tmp_path)).info
    assert (info.licence, info.commercial, info.published_as) == ("dinov3-license", "yes", NAME)
    with pytest.raises(WeightsError, match=r"its licence is dinov3-license, expected one of apache-2\.0"):
        load_backbone(NAME, written(tmp_path), licences=("apache-2.0",))


@pytest.mark.parametrize("missing", ["blocks.1.attn.qkv.bias_mask", "blocks.0.mlp.w2.weight"])
def test_a_file_without_a_mask_or_a_half_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(WeightsError, match=rf"incomplete: expected {missing} of shape"):
        load_backbone(NAME, written(tmp_path, **{missing: None}))


def test_weights_of_satellite_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"\(satellite pictures\)"):
        load_backbone(NAME, written(tmp_path, **{"local_cls_norm.weight": torch.ones(384)}))
    save_file({"embeddings.patch_embeddings.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    note = tmp_path / "preprocessor_config.json"
    note.write_text(json.dumps({"image_mean": [0.430, 0.411, 0.296], "image_std": [0.213, 0.156, 0.143]}))
    with pytest.raises(WeightsError, match=r"\(satellite pictures\)"):
        load_backbone(NAME, tmp_path)
    note.write_text('{"image_mean": "no numbers"}')
    with pytest.raises(WeightsError, match=r"preprocessor_config.json is damaged"):
        load_backbone(NAME, tmp_path)


def test_the_official_file_is_put_here_by_hand(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"put dinov3_vits16plus_pretrain_lvd1689m-4057cbaa.pth into"):
        load_backbone(NAME, "official", cache_dir=tmp_path)
    torch.save(meta_layout(SMALL), tmp_path / "dinov3_vits16plus_pretrain_lvd1689m-4057cbaa.pth")
    assert load_backbone(NAME, "official", cache_dir=tmp_path).info.weights == "official"


def test_places_stay_float32_in_bf16() -> None:
    pixels = np.random.Generator(np.random.PCG64(2)).integers(0, 256, (2, 96, 160, 3), dtype=np.uint8)
    tensors = canonical(SMALL)
    exact = Engine(build(SMALL, tensors, "rotary"), "fp32").run(pixels)
    for low in (
        Engine(build(SMALL, tensors, "rotary"), "bf16"),
        Engine(build(SMALL, tensors, "rotary", precision="bf16"), "bf16"),
    ):
        assert low.backbone.dtype == torch.bfloat16
        assert low.backbone.rope_embed is not None
        assert low.backbone.rope_embed.periods.dtype == torch.float32
        got = low.run(pixels)
        cosine = (got.cls * exact.cls).sum(1) / np.linalg.norm(got.cls, axis=1) / np.linalg.norm(exact.cls, axis=1)
        assert cosine.min() > 0.99


def test_stored_periods_are_part_of_the_space() -> None:
    tensors = canonical(SMALL)
    shifted = tensors | {"rope_embed.periods": tensors["rope_embed.periods"] * 1.001}
    spaces = {build(SMALL, each, "rotary").space((224, 400)) for each in (tensors, shifted)}
    assert len(spaces) == 2
