"""What `models verify` says of a file."""

from __future__ import annotations

from pathlib import Path

from operators.backbone import VisionTransformer, WeightsError, load_backbone
from operators.backbone.architectures import architecture
from operators.heads.classify_linear import KIND as CLASSIFY
from operators.heads.classify_linear import ClassifyLinear
from operators.heads.depth_files import depth_from_bytes
from operators.heads.head_files import HeadFile, read_head
from operators.heads.segment import KIND as SEGMENT
from operators.heads.segment import SegmentLinear
from operators.tensor_file import tensor_file_kind

_MOST_BYTES = 256 << 20
"""Of a head of ours; a larger file is a backbone."""


def verify_path(path: Path, backbone: str) -> None:
    """A backbone, a head, or (Hugging Face's classifiers) both.

    Raises:
        WeightsError: it is none of them.
        ValueError: no such backbone.
    """
    if path.suffix == ".safetensors" and path.stat().st_size < _MOST_BYTES and (kind := _kind(path)):
        return _print_ours(path, kind)
    try:
        head = read_head(path)
        head.layers(architecture(backbone).dim)
    except WeightsError as error:
        no_head, head = error, None
    else:
        no_head = None
        print_head(head, backbone)
        if head.origin == "meta":
            return None
    try:
        return print_backbone(load_backbone(backbone, path))
    except WeightsError as error:
        is_head = no_head is not None and "head" in path.name
        raise (no_head if is_head and no_head is not None else error) from None


def _kind(path: Path) -> str:
    """Of a head of ours; empty: none."""
    try:
        return tensor_file_kind(path.read_bytes())
    except (ValueError, AttributeError, TypeError):
        return ""


def _print_ours(path: Path, kind: str) -> None:
    data = path.read_bytes()
    readers = {CLASSIFY: ClassifyLinear.from_bytes, SEGMENT: SegmentLinear.from_bytes}
    try:
        about = readers[kind](data).about if kind in readers else depth_from_bytes(data).about
    except ValueError as error:
        raise WeightsError(f"{path} cannot be used: {error}.") from None
    print(f"{kind}, fitted on weights {about.fingerprint[:12] or f'published for {about.backbone}'}")
    figures = ", ".join(f"{name} {value:.3g}" for name, value in about.figures.items())
    print(f"licence {about.licence}; {about.recipe or 'no recipe stated'}{f'; {figures}' if figures else ''}")


def print_head(head: HeadFile, backbone: str) -> None:
    """What a published head is."""
    layers = head.layers(architecture(backbone).dim)
    print(f"{head.path.name}: {head.family} head on {layers} layer{'s' if layers > 1 else ''} of {backbone}")
    print(f"{len(head.tensors)} tensors, {sum(tensor.numel() for tensor in head.tensors.values())} values, all finite")


def print_backbone(model: VisionTransformer) -> None:
    """What a backbone is."""
    info = model.info
    print(f"{model.arch.name}: {info.origin}")
    print(f"licence {info.licence}, commercial {info.commercial}, trained on {info.trained_on}")
    print(f"positions {model.position}, fingerprint {info.fingerprint}")
