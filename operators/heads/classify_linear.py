"""`kind: classify`: a linear layer on a picture's tokens, ours and the published ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operators.backbone.architectures import Architecture
from operators.backbone.errors import WeightsError
from operators.heads.base import FrameTokens
from operators.heads.class_names import class_names
from operators.heads.classify import TOP
from operators.heads.embedding import pool
from operators.heads.head_about import HeadAbout, head_from_bytes, head_to_bytes
from operators.heads.head_files import HeadFile
from operators.heads.linear_files import LinearFiles
from operators.results import Label
from operators.retrieval.vectors import SpaceMismatchError

KIND = "classify_linear"
SHORT_SIDE = 224
"""Of the pictures that the published classifiers were trained on. Source: `dinov2/data/transforms.py` @b8931f7."""
_MOST_ARE_IMAGENETS = 900


@dataclass(frozen=True, slots=True, repr=False)
class ClassifyLinear:
    """One linear layer over what `about.reads` names."""

    weight: np.ndarray
    """float32 (C, inputs)."""
    bias: np.ndarray
    """float32 (C,)."""
    about: HeadAbout

    def __repr__(self) -> str:
        return f"ClassifyLinear({self.about.reads}, {self.weight.shape})"

    def features(self, tokens: FrameTokens, mask: np.ndarray | None = None) -> np.ndarray:
        """float32 (inputs,) of one frame.

        Args:
            tokens: of the frame, with `normed` of `about.blocks` for `cls4_mean`.
            mask: bool (h, w), of the thing, for `pooled`; None: the whole picture.
        """
        match self.about.reads:
            case "cls":
                return tokens.cls
            case "cls_mean":
                return np.concatenate([tokens.cls, tokens.patches.mean(axis=0)])
            case "cls4_mean":
                per_block = [tokens.normed[block] for block in self.about.blocks]
                return np.concatenate([*(cls[0] for cls, _ in per_block), per_block[-1][1][0].mean(axis=0)])
            case "pooled":
                return pool(tokens.patches, np.ones(tokens.grid, bool) if mask is None else mask)
            case "patches":
                raise ValueError("a classifier reads a picture or a thing, got a head that reads each patch")

    def logits(self, features: np.ndarray) -> np.ndarray:
        """float32 (..., inputs) to (..., C)."""
        return features @ self.weight.T + self.bias

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        return head_to_bytes(KIND, self.weight, self.bias, self.about)

    @staticmethod
    def from_bytes(data: bytes) -> ClassifyLinear:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is no classifier, or is damaged.
        """
        return ClassifyLinear(*head_from_bytes(KIND, data))

    @staticmethod
    def published(file: HeadFile, arch: Architecture, trained_on: str = "") -> ClassifyLinear:
        """One of Meta's classifiers, or of Hugging Face's, for the backbone `arch`.

        Source: facebookresearch/dinov2 `dinov2/hub/classifiers.py` @b8931f7; transformers `modeling_dinov2.py` 5.23,
        whose classifier is the one-layer head.

        Raises:
            WeightsError: it is no classifier, or one for another width.
        """
        if file.family != "classify":
            raise WeightsError(f"{file.path} is no classifier: got a {file.family} head.")
        layers = file.layers(arch.dim)
        about = HeadAbout(
            reads="cls_mean" if layers == 1 else "cls4_mean",
            classes=_names(file),
            blocks=tuple(range(arch.depth - layers, arch.depth)),
            fingerprint="",
            backbone=arch.name,
            recipe="short side 256, centre 224 x 224",
            trained_on=trained_on,
            short_side=SHORT_SIDE,
        )
        return ClassifyLinear(file.tensors["weight"].numpy(), file.tensors["bias"].numpy(), about)


@dataclass(frozen=True, slots=True)
class ClassifyLabels:
    """Labels by a classifier. Scores are shares in 0..1 over all its classes."""

    name: str
    model: ClassifyLinear
    blocks: frozenset[int] = frozenset()

    @property
    def normed_blocks(self) -> frozenset[int]:
        return frozenset(self.model.about.blocks if self.model.about.reads == "cls4_mean" else ())

    @property
    def is_of_things(self) -> bool:
        """Of a head that was fitted on things alone; a classifier of pictures has a class for an empty one too."""
        return self.model.about.reads == "pooled"

    def off_recipe(self, shape: tuple[int, int]) -> str | None:
        """See `HeadAbout.off_recipe`."""
        return self.model.about.off_recipe(shape)

    def of_frame(self, tokens: FrameTokens) -> Label:
        """Of the whole picture.

        Raises:
            SpaceMismatchError: the head was fitted on pictures of another size.
        """
        return self._label(tokens, None)

    def of_subject(self, tokens: FrameTokens, mask: np.ndarray) -> Label | None:
        """Of the thing, where the head was fitted on things; None: it knows whole pictures alone."""
        return self._label(tokens, mask) if self.is_of_things else None

    def _label(self, tokens: FrameTokens, mask: np.ndarray | None) -> Label:
        about = self.model.about
        space = tokens.pooled_space if about.reads == "pooled" else tokens.cls_space
        if about.space and about.space != space:
            raise SpaceMismatchError(
                f"head {self.name} was fitted on tokens of another space: expected {about.space[:12]}, got "
                f"{space[:12]}. Fit it again with this model and shape."
            )
        scores = softmax(self.model.logits(self.model.features(tokens, mask)))
        best = np.argsort(-scores, kind="stable")[:TOP]
        return Label(self.name, tuple((about.classes[index], float(scores[index])) for index in best))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Shares of float (..., C) that sum to 1 over the last axis."""
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


CLASSIFIERS = LinearFiles("classifier", ClassifyLinear.from_bytes, ClassifyLinear.published)
load_classifier = CLASSIFIERS.load


def _names(file: HeadFile) -> tuple[str, ...]:
    """The file's own, in short; ImageNet's where it has none or means those."""
    outputs, imagenet = len(file.tensors["bias"]), class_names("imagenet1k")
    short = tuple(name.split(",")[0].strip() for name in file.classes)
    is_imagenet = sum(ours == theirs for ours, theirs in zip(imagenet, short, strict=False)) > _MOST_ARE_IMAGENETS
    if outputs == len(imagenet) and (not short or is_imagenet):
        return imagenet
    if len(file.classes) != outputs:
        return tuple(f"class {index}" for index in range(outputs))
    return short if len(set(short)) == outputs else file.classes
