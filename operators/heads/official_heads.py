"""Meta's published heads: which there are, for which backbone, where they lie, what they were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from operators.backbone.architectures import ARCHITECTURES, Architecture, architecture
from operators.backbone.download import Progress, official_file
from operators.backbone.errors import WeightsError
from operators.backbone.official import META_BASE, Official
from operators.heads.head_files import HeadFamily, HeadFile, read_head
from operators.spelling import did_you_mean


@dataclass(frozen=True, slots=True)
class OfficialHead:
    """One published head of one architecture."""

    name: str
    """Such as `nyu_linear4`, the same for every architecture."""
    arch: str
    family: HeadFamily
    layers: int
    """Of the backbone that it reads, 1 or 4."""
    row: Official
    """Its file; `row.name` is `NAME of ARCH`."""


@dataclass(frozen=True, slots=True)
class _Series:
    """One head in all its sizes."""

    name: str
    family: HeadFamily
    layers: int
    outputs: int
    """Channels of its last layer: classes, or bins of depth."""
    trained_on: str

    def parameters(self, arch: Architecture) -> int:
        if self.family == "depth_dpt":
            return _DPT_PARAMETERS[arch.dim]
        inputs = arch.dim * {"classify": (2, 5), "depth_linear": (2, 8)}.get(self.family, (1, 4))[self.layers == 4]
        norm = 4 * inputs if self.family == "segment" else 0
        return self.outputs * (inputs + 1) + norm

    def file(self, arch: Architecture) -> str:
        stem = self.name.removeprefix("imagenet_")  # classifiers are called `..._linear_head.pth` alone
        return f"{arch.name}_{stem}_head.pth"


_DPT_PARAMETERS = {384: 13_961_377, 768: 24_193_921, 1024: 34_190_017, 1536: 61_800_769}

_SERIES = (
    _Series("imagenet_linear", "classify", 1, 1000, "ImageNet-1k"),
    _Series("imagenet_linear4", "classify", 4, 1000, "ImageNet-1k"),
    _Series("nyu_linear", "depth_linear", 1, 256, "NYU Depth v2"),
    _Series("nyu_linear4", "depth_linear", 4, 256, "NYU Depth v2"),
    _Series("nyu_dpt", "depth_dpt", 4, 1, "NYU Depth v2"),
    _Series("kitti_linear", "depth_linear", 1, 256, "KITTI"),
    _Series("kitti_linear4", "depth_linear", 4, 256, "KITTI"),
    _Series("kitti_dpt", "depth_dpt", 4, 1, "KITTI"),
    _Series("ade20k_linear", "segment", 1, 150, "ADE20K"),
    _Series("ade20k_ms", "segment", 4, 150, "ADE20K"),
    _Series("voc2012_linear", "segment", 1, 21, "PASCAL VOC 2012"),
    _Series("voc2012_ms", "segment", 4, 21, "PASCAL VOC 2012"),
)

_KNOWN: dict[str, tuple[int, str]] = {
    "dinov2_vits14_kitti_dpt_head.pth": (
        167_625_867,
        "8590a7e2d4957275a90525ce15b664dd9dd6e489f8a6eb19f1a778e5fd9c5196",
    ),
    "dinov2_vitb14_kitti_dpt_head.pth": (
        290_416_459,
        "98c98622c0d3e505e4df7c2fa4d8de4b7c116ebc3bd80e1c682565c67451cc5b",
    ),
}
"""(bytes, sha256) from public pointers of files of these names; the others are checked by their tensors alone."""

_TRAINING_STATE = 3
"""Files of depth and segmentation heads hold the optimiser's two moments beside each weight; the two known sizes are
12 bytes a parameter."""


def _head(series: _Series, arch: Architecture) -> OfficialHead:
    file = series.file(arch)
    size_bytes, sha256 = _KNOWN.get(file, (None, None))
    copies = 1 if series.family == "classify" else _TRAINING_STATE
    row = Official(
        name=f"{series.name} of {arch.name}",
        file=file,
        # files for backbones with registers lie in the folder without
        url=f"{META_BASE}/{arch.name.removesuffix('_reg4')}/{file}",
        size_bytes=size_bytes,
        about_bytes=4 * copies * series.parameters(arch),
        sha256=sha256,
        trained_on=series.trained_on,
    )
    return OfficialHead(series.name, arch.name, series.family, series.layers, row)


OFFICIAL_HEADS: dict[tuple[str, str], OfficialHead] = {
    (series.name, arch.name): _head(series, arch)
    for series in _SERIES
    for arch in ARCHITECTURES.values()
    if not (arch.sizes_of or arch.is_rotary) and (series.family == "classify" or not arch.registers)
}
"""By (name, architecture), of DINOv2; backbones with registers have classifiers alone.

Source: facebookresearch/dinov2 README, MODEL_CARD, `dinov2/hub/{classifiers,depthers}.py` @b8931f7. Differs: two of
the README's links are slips (`..._lreg4_inear_head.pth`, PR 537; the one-layer NYU heads of B, L and g name the
classifiers), the names here are those that its code loads.
"""

OFFICIAL_HEAD_NAMES = tuple(series.name for series in _SERIES)


def official_names(*families: HeadFamily) -> tuple[str, ...]:
    """Names of the heads of these families."""
    return tuple(series.name for series in _SERIES if series.family in families)


def official_head(name: str, arch: str) -> OfficialHead:
    """The row of head `name` for the backbone `arch`.

    Raises:
        ValueError: there is no such head, no such backbone, or none of this head for it.
    """
    backbone = architecture(arch).name
    if name not in OFFICIAL_HEAD_NAMES:
        raise ValueError(
            f"unknown head: expected one of {', '.join(OFFICIAL_HEAD_NAMES)}, got {name!r}"
            f"{did_you_mean(name, OFFICIAL_HEAD_NAMES)}"
        )
    found = OFFICIAL_HEADS.get((name, backbone))
    if found is None:
        others = ", ".join(each for head, each in OFFICIAL_HEADS if head == name)
        raise ValueError(f"no {name} is published for {backbone}: expected a backbone of {others}")
    return found


def read_official_head(
    name: str, arch: str, cache_dir: Path, progress: Progress | None = None
) -> tuple[OfficialHead, HeadFile]:
    """The head `name` for the backbone `arch`, downloaded if it is not in `cache_dir`.

    Raises:
        ValueError: there is no such head.
        WeightsError: its file cannot be had, or what is there is not it.
    """
    head = official_head(name, arch)
    path = official_file(head.row, cache_dir, progress)
    file = read_head(path)
    layers = file.layers(architecture(arch).dim)
    if (file.family, layers) != (head.family, head.layers):
        raise WeightsError(
            f"{path} is not {name}: expected a {head.family} head on {head.layers} layers, got {file.family} on "
            f"{layers}. Delete it and retry."
        )
    return head, file
