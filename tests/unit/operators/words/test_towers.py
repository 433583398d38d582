"""The towers of dino.txt: sizes of the published ones, files that are none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.backbone.errors import WeightsError
from operators.words.tokenizer import Tokenizer
from operators.words.towers import TextSizes, TextTower, VisionTower, read_text, read_vision

DIM = 64
TEXT = TextSizes(vocabulary=512 + 2, context=77, dim=128, depth=2, outputs=2 * DIM)
Tensors = dict[str, torch.Tensor]


def vision_tensors() -> Tensors:
    torch.manual_seed(1)
    return dict(VisionTower(DIM, 2).state_dict())


def text_tensors() -> Tensors:
    torch.manual_seed(2)
    return dict(TextTower(TEXT).state_dict())


def test_sizes_of_the_published_files() -> None:
    with torch.device("meta"):
        vision, text = VisionTower(1024, 2), TextTower(TextSizes(49_408, 77, 1280, 24, 2048))
    shapes = {name: tuple(tensor.shape) for name, tensor in vision.state_dict().items()}
    assert shapes["block_list.1.mlp.w1.weight"] == (2752, 1024), "8/3 of the width, up to a multiple of 64"
    assert shapes["block_list.0.attn.qkv.weight"] == (3072, 1024)
    assert "block_list.0.attn.qkv.bias" not in shapes
    assert text.state_dict()["head.linear_projection.weight"].shape == (2048, 1280)
    assert sum(name.endswith("attention.qkv.weight") for name in text.state_dict()) == 24


def test_a_sentence_does_not_depend_on_those_beside_it() -> None:
    tower, tokenizer = TextTower(TEXT).eval(), Tokenizer([])
    alone = tower.sentences(tokenizer, ["a truck"])
    beside = tower.sentences(tokenizer, ["a truck", "an empty dock with nobody there"])
    torch.testing.assert_close(beside[:1], alone)
    assert not torch.allclose(beside[0], beside[1])
    np.testing.assert_allclose(np.linalg.norm(beside.numpy(), axis=1), 1, rtol=1e-5)


def changed(tensors: Tensors, **changes: torch.Tensor | None) -> Tensors:
    renamed = {name.replace("__", "."): tensor for name, tensor in changes.items()}
    return {name: each for name, each in (tensors | renamed).items() if each is not None}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: changed(vision_tensors(), ln_final__bias=None), r"expected \(64,\) for ln_final.bias, got none"),
        (lambda: changed(vision_tensors(), more=torch.ones(1)), r"expected no such tensor for more, got \(1,\)"),
        (lambda: VisionTower(128, 2).state_dict(), "no vision head of dino.txt for tokens of 64 values"),
        (lambda: changed(vision_tensors(), ln_final__bias=torch.full((DIM,), torch.nan)), "damaged: ln_final.bias"),
        (text_tensors, "no vision head of dino.txt"),
    ],
)
def test_what_is_no_vision_head(tmp_path: Path, make: Callable[[], Tensors], said: str) -> None:
    path = tmp_path / "head.pth"
    torch.save(dict(make()), path)
    with pytest.raises(WeightsError, match=f"{re.escape(str(path))} is .*{said}"):
        read_vision(path, DIM)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (vision_tensors, "expected backbone.token_embedding.weight and backbone.positional_embedding, got"),
        (lambda: changed(text_tensors(), backbone__ln_final__bias=None), "for backbone.ln_final.bias, got none"),
        (
            lambda: changed(text_tensors(), head__linear_projection__weight=torch.ones(7, 128)),
            r"expected \(128, 128\) for head.linear_projection.weight, got \(7, 128\)",
        ),
    ],
)
def test_what_is_no_text_encoder(tmp_path: Path, make: Callable[[], Tensors], said: str) -> None:
    torch.save(dict(make()), tmp_path / "text.pth")
    with pytest.raises(WeightsError, match=said):
        read_text(tmp_path / "text.pth", 2 * DIM)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        read_vision(tmp_path / "none.pth", DIM)
    with pytest.raises(WeightsError, match="does not exist"):
        read_text(tmp_path / "none.pth", 2 * DIM)
