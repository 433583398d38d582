"""Makes `meta_words.npz` with Meta's own code: `python tests/golden/words/generate.py PATH_OF_DINOV2_CHECKOUT COMMIT`.

Run from the project's root, with ftfy and regex installed, which upstream's tokenizer needs. Upstream is imported from
the given path and is no part of this project. It loads the seeded weights strictly, in the layout of its files.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
os.environ["XFORMERS_DISABLED"] = "1"

from operators.backbone.checkpoints import random_tensors
from tests.golden.backbone.parity_cases import picture
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
    hub = importlib.import_module("dinov2.hub.backbones").dinov2_vits14_reg(pretrained=False)
    hub.blocks = hub.blocks[: ARCH.depth]
    hub.n_blocks = ARCH.depth
    missing, unexpected = hub.load_state_dict(random_tensors(ARCH, SEED), strict=False)
    if missing != ["mask_token"] or unexpected:
        raise SystemExit(f"upstream and ours name tensors differently: {missing=} {unexpected=}")
    parts = importlib.import_module("dinov2.hub.text.dinotxt_model")
    config = parts.DinoTxtConfig(
        embed_dim=2 * ARCH.dim,
        vision_model_use_patch_tokens=True,
        vision_model_num_head_blocks=DEPTH,
        text_model_tokens_pooler_type="argmax",
        text_model_use_linear_projection=True,
    )
    wrapped = importlib.import_module("dinov2.hub.text.dinov2_wrapper").DINOv2Wrapper(hub)
    transformer = importlib.import_module("dinov2.hub.text.text_transformer").TextTransformer
    words = transformer(
        77, VOCABULARY, TEXT_DIM, num_heads=TEXT_DIM // 64, num_layers=DEPTH, ffn_ratio=4, is_causal=True
    )
    model = parts.DinoTxt(config, wrapped, words)
    model.visual_model.head.load_state_dict(vision_head(), strict=True)
    model.text_model.load_state_dict(text_encoder(), strict=True)
    return model.eval()


def main() -> None:
    upstream, commit = sys.argv[1:3]
    sys.path.insert(0, upstream)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    tokenizer = importlib.import_module("dinov2.hub.text.tokenizer").Tokenizer
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        numbers = tokenizer(str(vocabulary(Path(folder) / "bpe.txt.gz"))).tokenize(list(SENTENCES))
        model = build()
        text = model.encode_text(numbers)
        stored = {"numbers": numbers.numpy(), "text": text.numpy()}
        for size in SIZES:
            image = model.encode_image(picture(size))
            stored[f"image/{size[0]}x{size[1]}"] = image[0].numpy()
            similarity = torch.nn.functional.normalize(image) @ torch.nn.functional.normalize(text).T
            stored[f"similarity/{size[0]}x{size[1]}"] = similarity[0].numpy()
    made_by = f"facebookresearch/dinov2@{commit} torch {torch.__version__} numpy {np.__version__}"
    np.savez_compressed(FILE, made_by=np.array(made_by), **stored)


if __name__ == "__main__":
    main()
