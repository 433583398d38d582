"""The one table of heads that give labels: a new kind is its config struct, its class, and a row here.

Such a head applies an *artefact*: bytes that are made once from the configuration, travel through the artefact store
under a version (`head/vehicles@7`) and are loaded by every analyzer. Heads that give metres are in `depth_heads.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operators.backbone import Engine
from operators.heads.base import LabelHead
from operators.heads.classify import KnnLabels
from operators.heads.config import HeadConfig, KnnHead, SimilarityHead
from operators.heads.similarity import SimilarityLabels
from operators.retrieval.bank import Bank
from operators.retrieval.build_bank import wanted_bank

Shapes = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class LabelKind:
    """How heads of one kind come to be. `Any` is the kind's own config struct."""

    made_from: str
    """Key of the head's section that names what its artefact is made from."""
    artefact: Callable[[Any, Callable[[], Engine], Shapes], bytes]
    """Made before the pipeline starts; raises ValueError or OSError where it cannot be."""
    misfit: Callable[[bytes, Engine, Shapes], str | None]
    """Why these bytes cannot be used with these weights at these shapes."""
    build: Callable[[str, Any, bytes], LabelHead]
    """(name under `heads:`, section, artefact)."""
    classes: Callable[[Any], tuple[str, ...]] | None = None
    """That rules may name, read from what the configuration names; raises as `artefact` does. None: any."""


def label_kind(head: HeadConfig) -> LabelKind | None:
    """The head's row; None: it gives no labels."""
    return LABEL_KINDS.get(head.kind)


def build_label_head(name: str, heads: Mapping[str, HeadConfig], artefact: bytes) -> LabelHead:
    """The head `name`, with one version of its artefact.

    Raises:
        ValueError: the artefact is none of its kind.
    """
    return LABEL_KINDS[heads[name].kind].build(name, heads[name], artefact)


def _bank_misfit(data: bytes, engine: Engine, shapes: Shapes) -> str | None:
    bank, backbone = Bank.from_bytes(data), engine.backbone
    wrong = [shape for shape in shapes if backbone.space(shape) != bank.cls.space]
    if not wrong:
        return None
    ours = f"{backbone.arch.name} {backbone.info.weights} {backbone.fingerprint[:12]}"
    return (
        f"the bank does not fit the model: expected one made with {ours} at "
        f"{', '.join(f'{height}x{width}' for height, width in wrong)}, got {bank.made_with or 'other weights'}, or "
        "shapes of another shorter side. Build it again with `bank build`, with these --weights and --shape"
    )


def _wanted_pictures(head: SimilarityHead, engine: Callable[[], Engine], shapes: Shapes) -> bytes:
    files = {path.name: path.read_bytes() for path in sorted(Path(head.pictures).iterdir()) if path.is_file()}
    return wanted_bank(files, engine(), shapes).to_bytes()


def _bank(head: KnnHead, _engine: Callable[[], Engine], _shapes: Shapes) -> bytes:
    return Bank.load(Path(head.bank)).to_bytes()


LABEL_KINDS: dict[str, LabelKind] = {
    "knn": LabelKind(
        made_from="bank",
        artefact=_bank,
        misfit=_bank_misfit,
        build=lambda name, head, data: KnnLabels(name, head, Bank.from_bytes(data)),
        classes=lambda head: Bank.load(Path(head.bank)).classes,
    ),
    "similarity": LabelKind(
        made_from="pictures",
        artefact=_wanted_pictures,
        misfit=_bank_misfit,
        build=lambda name, head, data: SimilarityLabels(name, head, Bank.from_bytes(data)),
    ),
}
"""By `kind:`."""
