"""`kind: words`: a picture compared with sentences, by dino.txt on the tokens of the backbone's pass.

Source: facebookresearch/dinov2 `dinov2/hub/dinotxt.py` and `notebooks/dinotxt.ipynb` @b8931f7; arXiv 2412.16334.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from operators.backbone.architectures import architecture
from operators.heads.base import FrameTokens
from operators.heads.classify import TOP
from operators.heads.classify_linear import softmax
from operators.heads.config import WordsHead
from operators.heads.depth_about import check_weights
from operators.heads.head_about import off_short_side
from operators.results import Label, WordsVector
from operators.tensor_file import from_tensor_bytes, to_tensor_bytes
from operators.words.tokenizer import Tokenizer
from operators.words.towers import (
    TextTower,
    VisionTower,
    fingerprint_of_towers,
    read_text,
    read_vision,
    vision_tower,
)

KIND = "words"
BACKBONE = "dinov2_vitl14_reg4"
"""The only one that dino.txt was published for."""
SCALE = 100.0
"""Cosines are multiplied by it before they become shares; the published files do not say what training ended with."""
_SENTENCES = "sentences"


@dataclass(frozen=True, slots=True, repr=False)
class WordsModel:
    """The vision tower and what the text tower made of each class. Thread-safe: a call keeps nothing."""

    vision: VisionTower
    classes: tuple[str, ...]
    sentences: np.ndarray
    """float32 (C, 2 D), L2-normalised, one per class."""
    towers: str = ""
    """sha256 of the two towers, see `fingerprint_of_towers`."""

    def __repr__(self) -> str:
        return f"WordsModel({', '.join(self.classes)})"

    def check_backbone(self, fingerprint: str, published_as: str) -> None:
        """Refuse other weights than the published ones of `dinov2_vitl14_reg4`; arguments as for `HeadAbout`.

        Raises:
            HeadMismatchError: they are others.
        """
        check_weights(
            "head", ("", BACKBONE), (fingerprint, published_as), ("", "name your classes by pictures (kind: knn)")
        )

    def picture(self, tokens: FrameTokens) -> np.ndarray:
        """float32 (2 D,) of one frame, L2-normalised."""
        whole = np.concatenate([tokens.cls[None], tokens.registers, tokens.patches])[None]  # (1, 1 + R + N, D)
        with torch.inference_mode():
            vector = self.vision(torch.from_numpy(whole).to(self._device), len(tokens.registers))
            return F.normalize(vector, dim=1)[0].cpu().numpy()

    @property
    def _device(self) -> torch.device:
        return self.vision.ln_final.weight.device

    def shares(self, picture: np.ndarray) -> np.ndarray:
        """float32 (C,) that sum to 1: softmax of 100 times the cosine of `picture` (2 D,) with each class."""
        return softmax(SCALE * (self.sentences @ picture))

    def space(self, cls_space: str) -> str:
        """Of `picture`, for tokens of a picture whose class token lives in `cls_space`."""
        return space_of_words(cls_space, self.towers)

    def to(self, device: str | torch.device) -> WordsModel:
        """The same model with its vision tower on `device`, where `picture` then computes."""
        if torch.device(device) == self._device:
            return self
        return replace(self, vision=deepcopy(self.vision).to(device))

    def to_bytes(self) -> bytes:
        """As a safetensors file; the text tower is no part of it."""
        arrays = {f"vision.{name}": tensor.cpu().numpy() for name, tensor in self.vision.state_dict().items()}
        about = {"classes": list(self.classes), "towers": self.towers}
        return to_tensor_bytes(KIND, {**arrays, _SENTENCES: self.sentences}, about)

    @staticmethod
    def from_bytes(data: bytes) -> WordsModel:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is no such head, or is damaged.
        """
        arrays, said = from_tensor_bytes(KIND, data)
        sentences, classes = arrays.pop(_SENTENCES, np.zeros(0)), tuple(str(name) for name in said.get("classes", ()))
        if sentences.dtype != np.float32 or sentences.ndim != 2 or len(sentences) != len(classes):
            raise ValueError(
                f"damaged {KIND}: expected float32 {_SENTENCES} of {len(classes)} classes, got {sentences.dtype} "
                f"{sentences.shape}"
            )
        tensors = {name.removeprefix("vision."): torch.from_numpy(array) for name, array in arrays.items()}
        vision = vision_tower(tensors, sentences.shape[1] // 2, "this head")
        return WordsModel(vision, classes, sentences, str(said.get("towers", "")))


@dataclass(frozen=True, slots=True)
class WordsLabels:
    """Labels by sentences. Scores are shares in 0..1 over all classes of the head."""

    name: str
    model: WordsModel
    has_vector: bool = False
    """Whether labels of frames carry the picture's vector."""
    blocks: frozenset[int] = frozenset()
    normed_blocks: frozenset[int] = frozenset()
    is_of_things: bool = False

    def off_recipe(self, shape: tuple[int, int]) -> str | None:
        """Whether a picture of `shape` (H, W) is far from the 224 px that it was trained on; None: it is not."""
        return off_short_side(shape, WordsHead.short_side)

    def of_frame(self, tokens: FrameTokens) -> Label:
        """Of the whole picture: the five best classes."""
        picture = self.model.picture(tokens)
        shares = self.model.shares(picture)
        best = np.argsort(-shares, kind="stable")[:TOP]
        top = tuple((self.model.classes[index], float(shares[index])) for index in best)
        space = self.model.space(tokens.cls_space)
        return Label(self.name, top, vector=WordsVector(space, picture.astype(np.float16)) if self.has_vector else None)

    def to(self, device: str | torch.device) -> WordsLabels:
        """The same head, computed on `device`."""
        return replace(self, model=self.model.to(device))

    def of_subject(self, tokens: FrameTokens, mask: np.ndarray) -> Label | None:
        """None: it knows whole pictures alone."""
        del tokens, mask
        return None


def load_words(head: WordsHead, fingerprint: str, published_as: str) -> WordsModel:
    """The head that a configuration names; its sentences are encoded here, once.

    Args:
        head: its section.
        fingerprint: of the backbone.
        published_as: architecture whose published weights the backbone has; empty: none.

    Raises:
        HeadMismatchError: the backbone is another than the one it was published for.
        WeightsError: a file cannot be read, or is not what it should be.
        ValueError: a sentence is too long, or the vocabulary is not that of the text encoder.
    """
    vision, tokenizer, tower = _towers(head, fingerprint, published_as)
    names = tuple(head.classes)
    rows = [_one(tower.sentences(tokenizer, _all(head.classes[name]))) for name in names]
    return WordsModel(vision, names, torch.stack(rows).numpy(), fingerprint_of_towers(vision, tower))


def embed_sentence(head: WordsHead, sentence: str, fingerprint: str, published_as: str) -> tuple[np.ndarray, str]:
    """float32 (2 D,), L2-normalised, of a sentence that pictures of this head are compared with; and its towers, of
    which `space_of_words` makes its space. Arguments and errors as of `load_words`.
    """
    vision, tokenizer, tower = _towers(head, fingerprint, published_as)
    return tower.sentences(tokenizer, [sentence])[0].numpy(), fingerprint_of_towers(vision, tower)


def space_of_words(cls_space: str, towers: str) -> str:
    """sha256 that names the space of pictures and sentences: that of the class token, and the two towers."""
    return hashlib.sha256(f"{cls_space}|{KIND}|{towers}".encode()).hexdigest()


def _towers(head: WordsHead, fingerprint: str, published_as: str) -> tuple[VisionTower, Tokenizer, TextTower]:
    """As `load_words`."""
    dim = architecture(BACKBONE).dim
    vision = read_vision(Path(head.weights), dim)
    # refused before the text encoder, which is the largest file of all, is read
    WordsModel(vision, (), np.zeros((0, 2 * dim), np.float32)).check_backbone(fingerprint, published_as)
    tokenizer, tower = Tokenizer.load(Path(head.vocabulary)), read_text(Path(head.text), 2 * dim)
    known = tower.backbone.token_embedding.num_embeddings
    if tokenizer.size != known:
        raise ValueError(
            f"the vocabulary does not fit the text encoder: expected {known} pieces, got {tokenizer.size} "
            f"({head.vocabulary}). Give bpe_simple_vocab_16e6.txt.gz"
        )
    return vision, tokenizer, tower


def _all(said: str | Sequence[str]) -> Sequence[str]:
    return (said,) if isinstance(said, str) else said


def _one(vectors: torch.Tensor) -> torch.Tensor:
    """(B, E), L2-normalised, to the direction of their mean (E,)."""
    return F.normalize(vectors.mean(dim=0), dim=0)
