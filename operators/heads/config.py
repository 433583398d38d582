"""`heads:` - what to read from the backbone's tokens. Each kind says here what the checks of a configuration ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from operators.heads.official_heads import official_names
from operators.section import Section
from operators.spelling import did_you_mean

Gives = Literal["metres", "subject_labels", "class_scores", "similarity", "class_shares"]
"""What rules may ask of a head."""
MADE_HERE = ("simulated", "fit_for_view")
"""Depth heads that are fitted on simulated pictures."""
Finding = tuple[tuple[str, ...], str]
"""Where below the head it stands, and the sentence."""


class HeadSection(Section):
    """Base of every kind; none of this is a key of the file."""

    gives: ClassVar[frozenset[Gives]] = frozenset()
    made_from: ClassVar[str] = ""
    """Key that names what the head is made from; empty: it needs nothing."""

    @property
    def needs_view(self) -> bool:
        """Whether it is made for each camera's own `view:`."""
        return False

    @property
    def has_vector(self) -> bool:
        """Whether results carry a vector of it, in which `search` finds moments."""
        return False

    def mistakes(self) -> Iterator[Finding]:
        """Values that the types let through."""
        yield from ()

    def not_built(self) -> Iterator[Finding]:
        """What this version parses and cannot do."""
        yield from ()

    def files(self) -> Iterator[tuple[str, str, str]]:
        """(key, path, what it is) of what must be there."""
        yield from ()


class UnknownConfig(Section):
    """When a known class is not near enough."""

    false_unknown: str = "5%"
    """Share of the bank's own pictures that leave-one-out may call unknown, per class."""


class EmbeddingHead(HeadSection):
    """The class token, L2-normalised."""

    kind: Literal["embedding"]

    @property
    def has_vector(self) -> bool:
        return True


class CheckpointSection(HeadSection):
    """Base of the kinds whose weights have a name of ours, an official name, or lie in a file."""

    made_from: ClassVar[str] = "checkpoint"
    named: ClassVar[tuple[str, ...]] = ()
    """Checkpoints that are not files."""

    checkpoint: str

    def mistakes(self) -> Iterator[Finding]:
        if not self._is_path and self.checkpoint not in self.named:
            yield (
                ("checkpoint",),
                (
                    f"unknown checkpoint {self.checkpoint!r}: expected one of {', '.join(self.named)}, or the path of "
                    f"a file{did_you_mean(self.checkpoint, self.named)}"
                ),
            )

    def files(self) -> Iterator[tuple[str, str, str]]:
        if self._is_path:
            yield "checkpoint", self.checkpoint, "checkpoint"

    @property
    def _is_path(self) -> bool:
        return "/" in self.checkpoint or "." in self.checkpoint


class DepthHead(CheckpointSection):
    """Depth: metres along the optical axis, or inverse depth from a relative head."""

    gives: ClassVar[frozenset[Gives]] = frozenset({"metres"})
    named: ClassVar[tuple[str, ...]] = (*MADE_HERE, "depth_anything", *official_names("depth_linear", "depth_dpt"))

    kind: Literal["depth"]
    checkpoint: str = "simulated"
    """`simulated` (fitted on simulated pictures), `fit_for_view` (the same for this camera's pose), `depth_anything`
    (the head in the file of a Depth Anything backbone), an official name such as `kitti_linear4` or `nyu_dpt`, or the
    path or address of a head."""

    @property
    def needs_view(self) -> bool:
        return self.checkpoint == "fit_for_view"


class ClassifyHead(CheckpointSection):
    """Classes of the whole picture by a linear layer."""

    gives: ClassVar[frozenset[Gives]] = frozenset({"subject_labels", "class_scores"})
    named: ClassVar[tuple[str, ...]] = official_names("classify")

    kind: Literal["classify"]
    checkpoint: str
    """`imagenet_linear`, `imagenet_linear4`, or the path or address of a head: Meta's, Hugging Face's or one of
    `fit classify`."""


class SegmentHead(CheckpointSection):
    """A class for each patch by a linear layer."""

    gives: ClassVar[frozenset[Gives]] = frozenset({"class_shares"})
    named: ClassVar[tuple[str, ...]] = official_names("segment")

    kind: Literal["segment"]
    checkpoint: str
    """`ade20k_linear`, `ade20k_ms`, `voc2012_linear`, `voc2012_ms`, or the path or address of a head: Meta's, or
    one of `fit segment`."""
    mask: bool = False
    """Whether results carry the class of each patch besides the shares."""


class KnnHead(HeadSection):
    """Classes from a bank of labelled pictures."""

    gives: ClassVar[frozenset[Gives]] = frozenset({"subject_labels", "class_scores"})
    made_from: ClassVar[str] = "bank"

    kind: Literal["knn"]
    bank: str
    """Folder made by `bank build`, or the address of one or of its `bank.safetensors`."""
    vote: Literal["paper", "balanced", "whitened"] = "whitened"
    """`paper`: Meta's kNN evaluation; `balanced`: the same, each class's vote divided by its number of pictures;
    `whitened`: each class speaks by its three nearest pictures, where pictures of one class vary evenly in every
    direction. `k` and `temperature` are of the first two."""
    k: int = Field(default=20, ge=1)
    temperature: float = Field(default=0.07, gt=0)
    unknown: UnknownConfig = UnknownConfig()

    def mistakes(self) -> Iterator[Finding]:
        share = self.unknown.false_unknown
        if not re.fullmatch(r"\d+(\.\d+)?%", share):
            yield ("unknown", "false_unknown"), f'expected a share such as "5%", got {share!r}'


class SimilarityHead(HeadSection):
    """Cosine to the nearest of a few wanted pictures."""

    gives: ClassVar[frozenset[Gives]] = frozenset({"similarity"})
    made_from: ClassVar[str] = "pictures"

    kind: Literal["similarity"]
    pictures: str

    def files(self) -> Iterator[tuple[str, str, str]]:
        yield "pictures", self.pictures, "folder of pictures"


class WordsHead(HeadSection):
    """Classes of the whole picture, each said in words: dino.txt, for `dinov2_vitl14_reg4` alone."""

    gives: ClassVar[frozenset[Gives]] = frozenset({"class_scores"})
    made_from: ClassVar[str] = "weights"
    short_side: ClassVar[int] = 224
    """Of the pictures that it was trained on, pixels."""

    kind: Literal["words"]
    weights: str
    """Path or address of Meta's `dinov2_vitl14_reg4_dinotxt_tet1280d20h24l_vision_head.pth`."""
    text: str
    """Path or address of `dinov2_vitl14_reg4_dinotxt_tet1280d20h24l_text_encoder.pth`, read once, at the start."""
    vocabulary: str
    """Path or address of `bpe_simple_vocab_16e6.txt.gz`."""
    classes: dict[str, str | tuple[str, ...]]
    """Name to a sentence such as `a forklift at a dock`, or to several, whose mean counts. Scores are shares among
    these classes: name also what stands there otherwise."""
    vector: bool = False
    """Whether results carry the picture's vector (2048 numbers, 5.5 kB), in which `search --text` finds moments."""

    @property
    def has_vector(self) -> bool:
        return self.vector

    def mistakes(self) -> Iterator[Finding]:
        if len(self.classes) < 2:
            yield (
                ("classes",),
                f"expected two classes or more, since scores are shares among them, got {len(self.classes)}",
            )
        for name, said in self.classes.items():
            sentences = (said,) if isinstance(said, str) else said
            if not sentences or not all(sentence.strip() for sentence in sentences):
                yield ("classes", name), 'expected a sentence such as "a forklift at a dock", got none'

    def files(self) -> Iterator[tuple[str, str, str]]:
        yield "weights", self.weights, "vision head"
        yield "text", self.text, "text encoder"
        yield "vocabulary", self.vocabulary, "vocabulary"


HeadConfig = Annotated[
    EmbeddingHead | DepthHead | KnnHead | SimilarityHead | ClassifyHead | SegmentHead | WordsHead,
    Field(discriminator="kind"),
]


def kinds_giving(what: Gives) -> list[str]:
    """The kinds that give it, as written in the file."""
    structs: tuple[type[HeadSection], ...] = get_args(get_args(HeadConfig)[0])
    return [get_args(each.model_fields["kind"].annotation)[0] for each in structs if what in each.gives]
