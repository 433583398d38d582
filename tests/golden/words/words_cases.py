"""The cases of the dino.txt goldens: weights in Meta's layout, a vocabulary, sentences. Used by `generate.py` too."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from operators.backbone.architectures import ARCHITECTURES

FILE = Path(__file__).with_name("meta_words.npz")
SEED = 22
ARCH = replace(ARCHITECTURES["dinov2_vits14_reg4"], depth=2)
"""Narrower and flatter than the published model, so that the tests take little time."""
SIZES = ((224, 224), (224, 392))
SENTENCES = (
    "a forklift at a dock",
    "The driver's  12 RED trucks -- it isn't empty!",
    "na\u00efve caf\u00e9 \u21165 \u00bd \U0001f69a &amp; co",
)
VOCABULARY = 512 + 96 + 2
_CORPUS = (
    "the dock the driver the forklift a truck an empty dock red trucks lift lifted fork door driver's isn't it's "
    "caf\u00e9"
)
TEXT_DIM, DEPTH = 320, 2
"""Of the text tower; the vision head has as many blocks."""
_CONTEXT = 77
_SHARPER = 4.0
"""Factor on the matrices of queries and keys, so that tokens do not all look everywhere alike."""


def vocabulary(path: Path) -> Path:
    """Writes a vocabulary of 96 merges, learnt from a few words, as CLIP's file has them."""
    alphabet = _byte_letters()
    words = [[*(alphabet[byte] for byte in word.encode())] for word in _CORPUS.split()]
    words = [[*word[:-1], f"{word[-1]}</w>"] for word in words]
    merges: list[tuple[str, str]] = []
    while len(merges) < VOCABULARY - 514:
        counts = Counter(pair for word in words for pair in pairwise(word))
        if not counts:
            merges.append((f"{len(merges)}", "x"))  # never met
            continue
        best = max(sorted(counts), key=counts.__getitem__)
        merges.append(best)
        words = [_merged(word, best) for word in words]
    lines = ["#version: small", *(" ".join(pair) for pair in merges)]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return path


def _merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    for index in range(len(word) - 1):
        if (word[index], word[index + 1]) == pair:
            return [*word[:index], "".join(pair), *_merged(word[index + 2 :], pair)]
    return word


def _byte_letters() -> dict[int, str]:
    visible = {byte for byte in range(33, 256) if not 126 < byte < 161 and byte != 173}
    letters = {byte: chr(byte) for byte in visible}
    return letters | {byte: chr(256 + at) for at, byte in enumerate(sorted(set(range(256)) - visible))}


def vision_head() -> dict[str, torch.Tensor]:
    """As `..._vision_head.pth` has it."""
    dim, hidden = ARCH.dim, 1024
    shapes: dict[str, tuple[int, ...]] = {"ln_final.weight": (dim,), "ln_final.bias": (dim,)}
    for index in range(DEPTH):
        block = f"block_list.{index}"
        shapes |= _norms(f"{block}.norm1", dim) | _norms(f"{block}.norm2", dim)
        shapes |= {f"{block}.attn.qkv.weight": (3 * dim, dim)} | _linear(f"{block}.attn.proj", dim, dim)
        shapes |= {f"{block}.ls1.gamma": (dim,), f"{block}.ls2.gamma": (dim,)}
        for name, out, inner in (("w1", hidden, dim), ("w2", hidden, dim), ("w3", dim, hidden)):
            shapes |= _linear(f"{block}.mlp.{name}", out, inner)
    return _seeded(shapes)


def text_encoder() -> dict[str, torch.Tensor]:
    """As `..._text_encoder.pth` has it, but for the number of blocks and words."""
    dim = TEXT_DIM
    shapes: dict[str, tuple[int, ...]] = {
        "backbone.token_embedding.weight": (VOCABULARY, dim),
        "backbone.positional_embedding": (_CONTEXT, dim),
        "head.linear_projection.weight": (2 * ARCH.dim, dim),
        **_norms("backbone.ln_final", dim),
    }
    for index in range(DEPTH):
        block = f"backbone.blocks.{index}"
        shapes |= _norms(f"{block}.attention_norm", dim) | _norms(f"{block}.ffn_norm", dim)
        shapes |= {f"{block}.attention.qkv.weight": (3 * dim, dim)} | _linear(f"{block}.attention.proj", dim, dim)
        shapes |= _linear(f"{block}.feed_forward.fc1", 4 * dim, dim)
        shapes |= _linear(f"{block}.feed_forward.fc2", dim, 4 * dim)
    tensors = _seeded(shapes)
    for name in ("backbone.token_embedding.weight", "backbone.positional_embedding"):
        tensors[name] *= 0.25  # small, as training starts with: only then does a norm's epsilon show
    return tensors


def _linear(name: str, out: int, inner: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, inner), f"{name}.bias": (out,)}


def _norms(name: str, dim: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}


def _seeded(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Matrices N(0, 0.02), norms and layer scales N(1, 0.02), as `random_tensors` does."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    tensors: dict[str, torch.Tensor] = {}
    for name, shape in sorted(shapes.items()):
        values = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32) * np.float32(0.02))
        if name.endswith("gamma") or (len(shape) == 1 and ("norm" in name or "ln_" in name) and "weight" in name):
            values += 1
        if name.endswith("qkv.weight"):
            values[: 2 * shape[-1]] *= _SHARPER
        tensors[name] = values
    return tensors
