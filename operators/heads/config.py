"""`heads:` - what to read from the backbone's tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from operators.section import Section


class UnknownConfig(Section):
    """When a known class is not near enough."""

    false_unknown: str = "5%"
    """Share of the bank's own pictures that leave-one-out may call unknown, per class."""


class EmbeddingHead(Section):
    """The class token, L2-normalised."""

    kind: Literal["embedding"]


class DepthHead(Section):
    """Metric depth from a linear head on four layers."""

    kind: Literal["depth"]
    checkpoint: str = "simulated"
    """`simulated` (fitted on simulated pictures), `fit_for_view` (the same for this camera's pose), an official name
    such as `kitti_linear4`, or a path."""


class KnnHead(Section):
    """Classes from a bank of labelled pictures."""

    kind: Literal["knn"]
    bank: str
    """Folder made by `bank build`."""
    vote: Literal["paper", "balanced"] = "balanced"
    """`paper`: Meta's kNN evaluation; `balanced`: each class's vote divided by its number of pictures."""
    k: int = Field(default=20, ge=1)
    temperature: float = Field(default=0.07, gt=0)
    unknown: UnknownConfig = UnknownConfig()


class SimilarityHead(Section):
    """Cosine to the nearest of a few wanted pictures."""

    kind: Literal["similarity"]
    pictures: str


HeadConfig = Annotated[EmbeddingHead | DepthHead | KnnHead | SimilarityHead, Field(discriminator="kind")]
