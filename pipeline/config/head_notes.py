"""What a person should know of a camera's heads before it runs. Nothing is refused here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from operators.backbone.config import ModelConfig
from operators.backbone.errors import WeightsError
from operators.backbone.weights_folder import default_cache_dir
from operators.heads.classify_linear import SHORT_SIDE, load_classifier
from operators.heads.config import ClassifyHead, SegmentHead, WordsHead
from operators.heads.head_about import off_short_side
from operators.heads.official_heads import OFFICIAL_HEAD_NAMES
from operators.heads.segment import load_segmenter, short_side_of
from pipeline.config.depth_notes import depth_notes
from pipeline.config.loader import Config


def head_notes(config: Config, camera: str, size: tuple[int, int] | None) -> Iterator[str]:
    """One sentence for each head of a camera that is used otherwise than it was made for.

    Args:
        config: whose camera it is.
        camera: its id.
        size: (height, width) of its pictures; None: not known before the first one.
    """
    yield from depth_notes(config, camera, size)
    spec = config.camera_spec(camera, size)
    for name in spec.heads:
        head = config.heads.get(name)
        if isinstance(head, (ClassifyHead, SegmentHead)):
            off = off_short_side(spec.shape, _short_side(config.model, head))
            if off:
                yield f"{head.kind} {head.checkpoint}: {off}"
        if isinstance(head, WordsHead) and (off := off_short_side(spec.shape, head.short_side)):
            yield f"words {name}: {off}"


def _short_side(model: ModelConfig, head: ClassifyHead | SegmentHead) -> int | None:
    """Of the pictures that the head was trained on; None: not known.

    What is wrong with a file is told by those who load it.
    """
    if head.checkpoint in OFFICIAL_HEAD_NAMES:
        return SHORT_SIDE if isinstance(head, ClassifyHead) else short_side_of(head.checkpoint)
    if not Path(head.checkpoint).exists():
        return None
    load = load_classifier if isinstance(head, ClassifyHead) else load_segmenter
    try:
        return load(head.checkpoint, model.backbone, default_cache_dir()).about.short_side
    except (WeightsError, ValueError):
        return None
