"""The one table of heads that apply an artefact: a new kind is its config struct, its class, and a row here.

An artefact is bytes that are made once from the configuration, travel through the artefact store under a version
(`head/vehicles@7`) and are loaded by every analyzer. Depth heads are in `depth_heads.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from operators.backbone import Engine
from operators.backbone.weights_folder import default_cache_dir
from operators.heads.base import LabelHead
from operators.heads.classify import KnnLabels
from operators.heads.classify_linear import ClassifyLabels, ClassifyLinear, load_classifier
from operators.heads.config import ClassifyHead, HeadConfig, KnnHead, SegmentHead, SimilarityHead, WordsHead
from operators.heads.depth_about import HeadMismatchError
from operators.heads.head_about import HeadAbout
from operators.heads.segment import PatchSegments, SegmentLinear, load_segmenter
from operators.heads.similarity import SimilarityLabels
from operators.heads.words import WordsLabels, WordsModel, load_words
from operators.retrieval.bank import Bank
from operators.retrieval.build_bank import wanted_bank

Shapes = Sequence[tuple[int, int]]
Head = LabelHead | PatchSegments


@dataclass(frozen=True, slots=True)
class HeadKind:
    """How heads of one kind come to be. `Any` is the kind's own config struct."""

    artefact: Callable[[Any, Callable[[], Engine], Shapes], bytes]
    """Made before the pipeline starts; raises ValueError or OSError where it cannot be."""
    misfit: Callable[[bytes, Engine, Shapes], str | None]
    """Why these bytes cannot be used with these weights at these shapes."""
    build: Callable[[str, Any, bytes], Head]
    """(name under `heads:`, section, artefact)."""


def head_kind(head: HeadConfig) -> HeadKind | None:
    """The head's row; None: it applies no artefact."""
    return HEAD_KINDS.get(head.kind)


def build_head(name: str, heads: Mapping[str, HeadConfig], artefact: bytes, device: str | torch.device = "cpu") -> Head:
    """The head `name`, with one version of its artefact.

    Blocks of transformers compute on `device`, where the backbone does; linear layers and votes are quicker where their
    tokens arrive.

    Raises:
        ValueError: the artefact is none of its kind.
    """
    head = HEAD_KINDS[heads[name].kind].build(name, heads[name], artefact)
    return head.to(device) if isinstance(head, WordsLabels) else head


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


def _classifier(head: ClassifyHead, engine: Callable[[], Engine], _shapes: Shapes) -> bytes:
    return load_classifier(head.checkpoint, engine().backbone.arch.name, default_cache_dir()).to_bytes()


def _segmenter(head: SegmentHead, engine: Callable[[], Engine], _shapes: Shapes) -> bytes:
    return load_segmenter(head.checkpoint, engine().backbone.arch.name, default_cache_dir()).to_bytes()


def _linear_misfit(about: HeadAbout, engine: Engine, shapes: Shapes) -> str | None:
    backbone = engine.backbone
    try:
        about.check_backbone(backbone.fingerprint, backbone.info.published_as)
    except HeadMismatchError as error:
        return str(error)
    tap, pooling = ("patches", "mask_mean") if about.reads == "pooled" else ("cls", "none")
    wrong = [shape for shape in shapes if backbone.space(shape, tap=tap, pooling=pooling) != about.space]
    if not about.space or not wrong:
        return None
    return (
        f"the head was fitted on pictures of another shorter side than {wrong[0][0]}x{wrong[0][1]}. Fit it again at "
        "that shape, or choose model.shapes of the side it was fitted at"
    )


def _words(head: WordsHead, engine: Callable[[], Engine], _shapes: Shapes) -> bytes:
    backbone = engine().backbone
    return load_words(head, backbone.fingerprint, backbone.info.published_as).to_bytes()


def _words_misfit(data: bytes, engine: Engine, _shapes: Shapes) -> str | None:
    backbone = engine.backbone
    try:
        WordsModel.from_bytes(data).check_backbone(backbone.fingerprint, backbone.info.published_as)
    except HeadMismatchError as error:
        return str(error)
    return None


HEAD_KINDS: dict[str, HeadKind] = {
    "knn": HeadKind(
        artefact=_bank,
        misfit=_bank_misfit,
        build=lambda name, head, data: KnnLabels(name, head, Bank.from_bytes(data)),
    ),
    "similarity": HeadKind(
        artefact=_wanted_pictures,
        misfit=_bank_misfit,
        build=lambda name, head, data: SimilarityLabels(name, head, Bank.from_bytes(data)),
    ),
    "classify": HeadKind(
        artefact=_classifier,
        misfit=lambda data, engine, shapes: _linear_misfit(ClassifyLinear.from_bytes(data).about, engine, shapes),
        build=lambda name, _head, data: ClassifyLabels(name, ClassifyLinear.from_bytes(data)),
    ),
    "segment": HeadKind(
        artefact=_segmenter,
        misfit=lambda data, engine, shapes: _linear_misfit(SegmentLinear.from_bytes(data).about, engine, shapes),
        build=lambda name, head, data: PatchSegments(name, SegmentLinear.from_bytes(data), head.mask),
    ),
    "words": HeadKind(
        artefact=_words,
        misfit=_words_misfit,
        build=lambda name, head, data: WordsLabels(name, WordsModel.from_bytes(data), head.vector),
    ),
}
"""By `kind:`."""
