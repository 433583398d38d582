"""Our depth against transformers' own models, live, from folders that they wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from operators.backbone.architectures import DINOV2_PATCH as PATCH
from operators.backbone.architectures import architecture
from operators.backbone.checkpoints import load_backbone
from operators.heads.depth_about import HeadMismatchError
from operators.heads.depth_files import read_depth_head
from tests.golden.depth.depth_cases import network_input

TOLERANCE = 1e-5
NAME = "dinov2_vits14"
BACKBONE = {
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "image_size": 518,
    "patch_size": PATCH,
    "out_indices": [3, 6, 9, 12],
    "reshape_hidden_states": False,
}
NECK = {"neck_hidden_sizes": [48, 96, 192, 384]}


def seeded(model: torch.nn.Module, mean: float, spread: float) -> torch.nn.Module:
    """No tensor of zeros, activations near one, the last layer around `mean`."""
    generator = torch.Generator().manual_seed(7)
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if name.startswith("backbone."):
            is_scale = "lambda1" in name or ("norm" in name and name.endswith("weight"))
            value.data = 0.02 * noise + float(is_scale)
        else:
            fan_in = 1 if value.ndim == 1 else math.prod(value.shape[1:]) / (1 if ".resize" not in name else PATCH)
            value.data = noise * (0.1 if value.ndim == 1 else 1.2 / math.sqrt(fan_in))
    last = [value for name, value in model.named_parameters() if name.startswith("head.")][-2:]
    last[0].data *= spread
    last[1].data += mean
    return model.eval()


def dpt(transformers: Any) -> torch.nn.Module:
    backbone = transformers.Dinov2Config(**BACKBONE, apply_layernorm=False)
    config = transformers.DPTConfig(
        backbone_config=backbone, **NECK, use_bias_in_fusion_residual=False, add_projection=True
    )
    return seeded(transformers.DPTForDepthEstimation(config), 3.0, 0.5)


def depth_anything(transformers: Any, kind: str) -> torch.nn.Module:
    backbone = transformers.Dinov2Config(**BACKBONE, apply_layernorm=True)
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        **NECK,
        reassemble_hidden_size=384,
        patch_size=PATCH,
        fusion_hidden_size=64,
        depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
    )
    return seeded(
        transformers.DepthAnythingForDepthEstimation(config),
        -3.0 if kind == "metric" else 0.0,
        0.1 if kind == "metric" else 0.3,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Callable[[str], tuple[Any, Path]]:
    """Each model once, with the folder that transformers wrote."""

    @cache
    def write(kind: str) -> tuple[Any, Path]:
        transformers = pytest.importorskip("transformers")
        model = dpt(transformers) if kind == "dpt" else depth_anything(transformers, kind)
        folder = tmp_path_factory.mktemp("huggingface") / f"{kind}-small-nyu"
        model.save_pretrained(folder)
        return model, folder

    return write


def compare(model: Any, folder: Path, size: tuple[int, int]) -> None:
    backbone = load_backbone(NAME, folder)
    head = read_depth_head(folder, architecture(NAME))
    head.about.check_backbone(backbone.fingerprint, backbone.info.published_as)
    pixels = network_input(size)
    with torch.inference_mode():
        theirs = model(pixels).predicted_depth.numpy()
        tokens = backbone.intermediate(pixels, head.about.blocks, norm=head.about.is_normed)
        pairs = [(each.cls.numpy(), each.patches.numpy()) for each in tokens]
    grid = (size[0] // PATCH, size[1] // PATCH)
    ours = head.raw_map(dict(zip(head.about.blocks, pairs, strict=True)), grid, theirs.shape[1:])
    assert theirs.std() / np.abs(theirs).max() > 0.01  # not one value everywhere
    assert np.abs(ours - theirs).max() / np.abs(theirs).max() < TOLERANCE


@pytest.mark.parametrize("size", [(238, 392), (518, 518)], ids=str)
def test_dpt_equals_transformers(written, size: tuple[int, int]) -> None:
    compare(*written("dpt"), size)


@pytest.mark.parametrize("kind", ["relative", "metric"])
@pytest.mark.parametrize("size", [(490, 644), (238, 392)], ids=str)
def test_depth_anything_equals_transformers(written, size: tuple[int, int], kind: str) -> None:
    compare(*written(kind), size)


def test_a_relative_folder_is_never_metres_whatever_range_its_configuration_names(written, tmp_path: Path) -> None:
    for each in written("relative")[1].iterdir():
        (tmp_path / each.name).symlink_to(each)
    told = json.loads((tmp_path / "config.json").read_text()) | {"max_depth": 20}
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(told))
    for silent in (False, True):
        if silent:  # `relative` is transformers' default
            told.pop("depth_estimation_type")
            (tmp_path / "config.json").write_text(json.dumps(told))
        about = read_depth_head(tmp_path, architecture(NAME), "metric-indoor").about
        assert (about.output, about.tells_metres, about.form) == ("inverse", False, "relu")


def test_what_a_folder_says_is_kept(written, tmp_path: Path) -> None:
    arch, folder = architecture(NAME), written("dpt")[1]
    about = read_depth_head(folder, arch).about
    assert (about.range_metres[1], about.backbone, about.is_normed, about.output) == (10.0, NAME, False, "metric")
    (tmp_path / "mine").symlink_to(folder)
    about = read_depth_head(tmp_path / "mine", arch).about
    assert about.off_recipe((480, 640)) == "the focal length it was trained with is not known"
    assert not about.tells_metres
    head = read_depth_head(written("metric")[1], arch)
    assert (head.about.range_metres[1], head.about.is_normed, head.about.blocks) == (20.0, True, (2, 5, 8, 11))
    with pytest.raises(HeadMismatchError, match="belongs to other weights"):
        head.about.check_backbone("ab" * 32, NAME)  # its encoder is its own, whatever else is published
