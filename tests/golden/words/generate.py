"""Makes `meta_words.npz` with Meta's own code, from the project's root and with ftfy and regex installed:

    python -m tests.golden.words.generate DINOV2_CHECKOUT

Upstream loads the seeded weights in the layout of its files.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.golden.backbone.parity_cases import picture
from tests.golden.upstream import DINOV2, dinov2_backbone, keep, sources
from tests.golden.words.words_cases import (
    ARCH,
    DEPTH,
    FILE,
    SEED,
    SENTENCES,
    SIZES,
    TEXT_DIM,
    VOCABULARY,
    text_encoder,
    vision_head,
    vocabulary,
)


def build() -> Any:
    """Upstream's dino.txt as its hub makes it, smaller."""
    backbone = dinov2_backbone(ARCH, SEED)
    parts = importlib.import_module("dinov2.hub.text.dinotxt_model")
    config = parts.DinoTxtConfig(
        embed_dim=2 * ARCH.dim,
        vision_model_use_patch_tokens=True,
        vision_model_num_head_blocks=DEPTH,
        text_model_tokens_pooler_type="argmax",
        text_model_use_linear_projection=True,
    )
    wrapped = importlib.import_module("dinov2.hub.text.dinov2_wrapper").DINOv2Wrapper(backbone)
    transformer = importlib.import_module("dinov2.hub.text.text_transformer").TextTransformer
    words = transformer(
        77, VOCABULARY, TEXT_DIM, num_heads=TEXT_DIM // 64, num_layers=DEPTH, ffn_ratio=4, is_causal=True
    )
    model = parts.DinoTxt(config, wrapped, words)
    model.visual_model.head.load_state_dict(vision_head(), strict=True)
    model.text_model.load_state_dict(text_encoder(), strict=True)
    return model.eval()


def values() -> Iterator[dict[str, np.ndarray]]:
    tokenizer = importlib.import_module("dinov2.hub.text.tokenizer").Tokenizer
    with tempfile.TemporaryDirectory() as folder:
        numbers = tokenizer(str(vocabulary(Path(folder) / "bpe.txt.gz"))).tokenize(list(SENTENCES))
    model = build()
    text = model.encode_text(numbers)
    stored = {"numbers": numbers.numpy(), "text": text.numpy()}
    for size in SIZES:
        image = model.encode_image(picture(size))
        stored[f"image/{size[0]}x{size[1]}"] = image[0].numpy()
        similarity = torch.nn.functional.normalize(image) @ torch.nn.functional.normalize(text).T
        stored[f"similarity/{size[0]}x{size[1]}"] = similarity[0].numpy()
    yield stored


if __name__ == "__main__":
    keep(FILE, sources(__doc__, DINOV2), values())
