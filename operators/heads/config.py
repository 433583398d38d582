"""`heads:` - what to read from the backbone's tokens. Each kind says here what the checks of a configuration ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from operators.section import Section
from operators.spelling import did_you_mean

Gives = Literal["metres", "subject_labels", "class_scores", "similarity"]
"""What rules may ask of a head."""
Finding = tuple[tuple[str, ...], str]
"""Where below the head it stands, and the sentence."""


class HeadSection(Section):
    """Base of every kind; none of this is a key of the file."""

    gives: ClassVar[frozenset[Gives]] = frozenset()

    @property
    def needs_view(self) -> bool:
        """Whether it is made for each camera's own `view:`."""
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


class DepthHead(HeadSection):
    """Metric depth from a linear head on four layers."""

    gives: ClassVar[frozenset[Gives]] = frozenset({"metres"})

    kind: Literal["depth"]
    checkpoint: str = "simulated"
    """`simulated` (fitted on simulated pictures), `fit_for_view` (the same for this camera's pose), an official name
    such as `kitti_linear4`, or a path."""

    @property
    def needs_view(self) -> bool:
        return self.checkpoint == "fit_for_view"

    def not_built(self) -> Iterator[Finding]:
        if self.checkpoint not in _MADE_HERE and not self._is_path:
            yield (
                ("checkpoint",),
                (
                    f"depth checkpoint {self.checkpoint} is not built yet: write simulated, fit_for_view or a path"
                    f"{did_you_mean(self.checkpoint, _MADE_HERE)}"
                ),
            )

    def files(self) -> Iterator[tuple[str, str, str]]:
        if self.checkpoint not in _MADE_HERE and self._is_path:
            yield "checkpoint", self.checkpoint, "depth checkpoint"

    @property
    def _is_path(self) -> bool:
        return "/" in self.checkpoint or "." in self.checkpoint


_MADE_HERE = ("simulated", "fit_for_view")


class KnnHead(HeadSection):
    """Classes from a bank of labelled pictures."""

    gives: ClassVar[frozenset[Gives]] = frozenset({"subject_labels", "class_scores"})

    kind: Literal["knn"]
    bank: str
    """Folder made by `bank build`."""
    vote: Literal["paper", "balanced"] = "balanced"
    """`paper`: Meta's kNN evaluation; `balanced`: each class's vote divided by its number of pictures."""
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

    kind: Literal["similarity"]
    pictures: str

    def files(self) -> Iterator[tuple[str, str, str]]:
        yield "pictures", self.pictures, "folder of pictures"


HeadConfig = Annotated[EmbeddingHead | DepthHead | KnnHead | SimilarityHead, Field(discriminator="kind")]


def kinds_giving(what: Gives) -> list[str]:
    """The kinds that give it, as written in the file."""
    structs: tuple[type[HeadSection], ...] = get_args(get_args(HeadConfig)[0])
    return [get_args(each.model_fields["kind"].annotation)[0] for each in structs if what in each.gives]
