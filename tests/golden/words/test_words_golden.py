"""dino.txt's vectors against those of Meta's own code, on the same seeded files in Meta's layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from operators.backbone.checkpoints import build, random_tensors
from operators.backbone.vit import VisionTransformer
from operators.heads.base import FrameTokens
from operators.heads.words import WordsModel
from operators.words.layers import Attention
from operators.words.tokenizer import Tokenizer
from operators.words.towers import TextTower, read_text, read_vision
from tests.golden.backbone.parity_cases import picture
from tests.golden.words.words_cases import (
    ARCH,
    FILE,
    SEED,
    SENTENCES,
    SIZES,
    VOCABULARY,
    text_encoder,
    vision_head,
    vocabulary,
)

TOLERANCE = 1e-4
"""Relative, float32."""


@pytest.fixture(scope="module")
def golden() -> Iterator[dict[str, np.ndarray]]:
    with np.load(FILE) as stored:
        yield dict(stored)


@pytest.fixture(scope="module")
def backbone() -> VisionTransformer:
    return build(ARCH, random_tensors(ARCH, SEED), "hub_antialias")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.load(vocabulary(tmp_path_factory.mktemp("words") / "bpe.txt.gz"))


@pytest.fixture
def model(tmp_path: Path, tokenizer: Tokenizer, text: TextTower) -> WordsModel:
    torch.save(vision_head(), tmp_path / "vision_head.pth")
    vision = read_vision(tmp_path / "vision_head.pth", ARCH.dim)
    return WordsModel(vision, SENTENCES, text.sentences(tokenizer, SENTENCES).numpy())


@pytest.fixture
def text(tmp_path: Path) -> TextTower:
    torch.save(text_encoder(), tmp_path / "text_encoder.pth")
    return read_text(tmp_path / "text_encoder.pth", 2 * ARCH.dim)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def tokens_of(backbone: VisionTransformer, size: tuple[int, int]) -> FrameTokens:
    with torch.inference_mode():
        out = backbone.forward_features(picture(size))
    arrays = [each[0].numpy() for each in (out.cls, out.patches, out.registers)]
    return FrameTokens(arrays[0], arrays[1], {}, (size[0] // 14, size[1] // 14), "", "", registers=arrays[2])


def test_pieces_equal_metas(golden: dict[str, np.ndarray], tokenizer: Tokenizer) -> None:
    assert tokenizer.size == VOCABULARY
    np.testing.assert_array_equal(tokenizer.numbers(SENTENCES), golden["numbers"])


def test_sentences_equal_metas(golden: dict[str, np.ndarray], tokenizer: Tokenizer, text: TextTower) -> None:
    with torch.inference_mode():
        assert relative(text(torch.from_numpy(golden["numbers"])).numpy(), golden["text"]) < TOLERANCE
    lengths = np.linalg.norm(golden["text"], axis=1, keepdims=True)
    assert relative(text.sentences(tokenizer, SENTENCES).numpy(), golden["text"] / lengths) < TOLERANCE


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pictures_and_similarity_equal_metas(
    golden: dict[str, np.ndarray], backbone: VisionTransformer, model: WordsModel, size: tuple[int, int]
) -> None:
    theirs = golden[f"image/{size[0]}x{size[1]}"]
    ours = model.picture(tokens_of(backbone, size))
    assert relative(ours, theirs / np.linalg.norm(theirs)) < TOLERANCE
    assert relative(model.sentences @ ours, golden[f"similarity/{size[0]}x{size[1]}"]) < TOLERANCE


def test_the_goldens_tell_what_is_easily_got_wrong(
    golden: dict[str, np.ndarray], backbone: VisionTransformer, model: WordsModel, text: TextTower
) -> None:
    tokens, vision = tokens_of(backbone, (224, 224)), model.vision
    whole = torch.from_numpy(np.concatenate([tokens.cls[None], tokens.registers, tokens.patches]))[None]
    image, numbers = golden["image/224x224"], torch.from_numpy(golden["numbers"])
    with torch.inference_mode():
        assert relative(vision(whole, 4)[0].numpy(), image) < TOLERANCE
        without = torch.cat([whole[:, :1], whole[:, 5:]], dim=1)
        assert relative(vision(without, 0)[0].numpy(), image) > 5 * TOLERANCE, "registers go in"
        assert relative(vision(whole, 0)[0].numpy(), image) > 5 * TOLERANCE, "and are left out of the mean"
        for module in text.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = 1e-6
        assert relative(text(numbers).numpy(), golden["text"]) > 5 * TOLERANCE, "epsilon is not the backbone's"
        for module in text.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = 1e-5
            if isinstance(module, Attention):
                module.is_causal = False
        assert relative(text(numbers).numpy(), golden["text"]) > 5 * TOLERANCE, "pieces see what stands before them"
