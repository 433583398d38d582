"""Classes that rules may name of a head, read from what the configuration names without loading a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from operators.heads.class_names import class_names
from operators.heads.classify_linear import ClassifyLinear
from operators.heads.config import ClassifyHead, HeadConfig, KnnHead, SegmentHead, WordsHead
from operators.heads.segment import SegmentLinear
from operators.retrieval.bank import Bank


def known_classes(head: HeadConfig) -> tuple[str, ...]:
    """Of one head; empty: any, or not known before it is loaded.

    Raises:
        ValueError: what it names is none of its kind, or is damaged.
        OSError: it cannot be read.
    """
    match head:
        case KnnHead():
            return Bank.load(Path(head.bank)).classes
        case ClassifyHead():
            if head.checkpoint in head.named:
                return class_names("imagenet1k")
            return _file_classes(head.checkpoint, ClassifyLinear.from_bytes)
        case SegmentHead():
            if head.checkpoint in head.named:
                return class_names("ade20k" if head.checkpoint.startswith("ade20k") else "voc2012")
            return _file_classes(head.checkpoint, SegmentLinear.from_bytes)
        case WordsHead():
            return tuple(head.classes)
        case _:
            return ()


def _file_classes(checkpoint: str, read: Callable[[bytes], ClassifyLinear | SegmentLinear]) -> tuple[str, ...]:
    """Of a file of ours; those of published files are known once it is loaded."""
    path = Path(checkpoint)
    if path.suffix != ".safetensors" or not path.is_file():
        return ()
    try:
        return read(path.read_bytes()).about.classes
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from None
