"""dino.txt's two towers: a picture's tokens, and a sentence's pieces, to vectors that can be compared.

Source: facebookresearch/dinov2 `dinov2/hub/dinotxt.py` and `dinov2/hub/text/` @b8931f7 (Apache-2.0), re-expressed for
inference alone; arXiv 2412.16334.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from operators.backbone.checkpoint_files import read_raw
from operators.backbone.errors import WeightsError
from operators.words.layers import HEAD_DIM, NORM_EPS, TextBlock, VisionBlock
from operators.words.tokenizer import Tokenizer

Tower = TypeVar("Tower", bound=nn.Module)


class VisionTower(nn.Module):
    """Blocks on top of the backbone's normed tokens. E = 2 D, class token before the mean of patches."""

    def __init__(self, dim: int, depth: int) -> None:
        super().__init__()
        self.block_list = nn.ModuleList(VisionBlock(dim) for _ in range(depth))
        self.ln_final = nn.LayerNorm(dim, eps=NORM_EPS)

    def forward(self, tokens: torch.Tensor, registers: int) -> torch.Tensor:
        """(B, 1 + R + N, D) class token, registers, patches after the backbone's norm; to (B, E), not normalised."""
        for block in self.block_list:
            tokens = block(tokens)
        tokens = self.ln_final(tokens)
        return torch.cat([tokens[:, 0], tokens[:, 1 + registers :].mean(dim=1)], dim=1)


@dataclass(frozen=True, slots=True)
class TextSizes:
    """Of a text tower, as its tensors say."""

    vocabulary: int
    context: int
    dim: int
    depth: int
    outputs: int
    """E."""


class _Sentence(nn.Module):
    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(sizes.vocabulary, sizes.dim)
        self.positional_embedding = nn.Parameter(torch.zeros(sizes.context, sizes.dim))
        self.blocks = nn.ModuleList(TextBlock(sizes.dim) for _ in range(sizes.depth))
        self.ln_final = nn.LayerNorm(sizes.dim, eps=NORM_EPS)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """int64 (B, T) to (B, T, D)."""
        x = self.token_embedding(numbers) + self.positional_embedding[: numbers.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.ln_final(x)


class _Projection(nn.Module):
    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.linear_projection = nn.Linear(sizes.dim, sizes.outputs, bias=False)


class TextTower(nn.Module):
    """A causal transformer; what its last piece knows is the sentence."""

    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.backbone = _Sentence(sizes)
        self.head = _Projection(sizes)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """int64 (B, T) as `Tokenizer.numbers` gives them; to (B, E), not normalised.

        Differs: what stands behind the longest sentence's end is left out, since nothing before it sees it.
        """
        ends = numbers.argmax(dim=1)  # the end of a sentence has the largest number
        x = self.backbone(numbers[:, : int(ends.max()) + 1])
        return self.head.linear_projection(x[torch.arange(len(x)), ends])

    @torch.inference_mode()
    def sentences(self, tokenizer: Tokenizer, sentences: Sequence[str]) -> torch.Tensor:
        """float32 (B, E), L2-normalised.

        Raises:
            ValueError: a sentence is empty or too long.
        """
        return nn.functional.normalize(self(torch.from_numpy(tokenizer.numbers(sentences))), dim=1)


def read_vision(path: Path, dim: int) -> VisionTower:
    """Meta's `..._dinotxt_..._vision_head.pth` for a backbone of width `dim`.

    Raises:
        WeightsError: it cannot be read, or is none for that width.
    """
    tensors, _ = read_raw(_existing(path))
    return vision_tower(tensors, dim, str(path))


def vision_tower(tensors: Mapping[str, torch.Tensor], dim: int, where: str) -> VisionTower:
    """From tensors by Meta's names; `where` names the file in messages.

    Raises:
        WeightsError: they are no vision head for tokens of `dim` values.
    """
    what = f"vision head of dino.txt for tokens of {dim} values"
    with torch.device("meta"):
        tower = VisionTower(dim, _depth(tensors, "block_list"))
    return _filled(tower, tensors, where, what)


def read_text(path: Path, outputs: int) -> TextTower:
    """Meta's `..._dinotxt_..._text_encoder.pth` whose sentences have `outputs` values.

    Raises:
        WeightsError: it cannot be read, or is no such text encoder.
    """
    tensors, _ = read_raw(_existing(path))
    what = f"text encoder of dino.txt for vectors of {outputs} values"
    rows = [tensors.get(f"backbone.{name}") for name in ("token_embedding.weight", "positional_embedding")]
    if any(each is None or each.ndim != 2 or each.shape[1] % HEAD_DIM for each in rows):
        raise WeightsError(
            f"{path} is no {what}: expected backbone.token_embedding.weight and backbone.positional_embedding, got "
            f"{len(tensors)} tensors ({', '.join(sorted(tensors)[:3])}). Give the ..._text_encoder.pth file."
        )
    words, places = (each for each in rows if each is not None)
    sizes = TextSizes(len(words), len(places), words.shape[1], _depth(tensors, "backbone.blocks"), outputs)
    with torch.device("meta"):
        tower = TextTower(sizes)
    return _filled(tower, tensors, str(path), what)


def fingerprint_of_towers(vision: VisionTower, text: TextTower) -> str:
    """sha256 over the tensors of both: what pictures and sentences of other towers give cannot be compared."""
    digest = hashlib.sha256()
    for tower in (vision, text):
        for name, tensor in sorted(tower.state_dict().items()):
            digest.update(f"|{name}|{tuple(tensor.shape)}|".encode())
            digest.update(tensor.numpy().data)
    return digest.hexdigest()


def _existing(path: Path) -> Path:
    if not path.exists():
        raise WeightsError(f"no weights: {path} does not exist. Give an existing file.")
    return path


def _depth(names: Iterable[str], prefix: str) -> int:
    """Blocks that are numbered below `prefix`."""
    found = {name.removeprefix(f"{prefix}.").partition(".")[0] for name in names if name.startswith(f"{prefix}.")}
    return len(found)


def _filled(tower: Tower, tensors: Mapping[str, torch.Tensor], where: str, what: str) -> Tower:
    """`tower`, made without memory, with these tensors as float32.

    Raises:
        WeightsError: one is missing, unknown, of another shape, or not finite.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in tower.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wrong = sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))
    if wrong:
        raise WeightsError(
            f"{where} is no {what}: expected {expected.get(wrong[0], 'no such tensor')} for {wrong[0]}, got "
            f"{got.get(wrong[0], 'none')} ({len(wrong)} tensors differ). Take the file of your model.backbone."
        )
    ready = {name: tensor.to(torch.float32).contiguous() for name, tensor in tensors.items()}
    for name, tensor in ready.items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{where} is damaged: {name} holds values that are not finite. Fetch it again.")
    tower.load_state_dict(ready, strict=True, assign=True)
    return tower.requires_grad_(requires_grad=False).eval()
