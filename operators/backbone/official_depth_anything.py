"""Depth Anything's published models, each a fine-tuned encoder with its depth head in one file."""

from __future__ import annotations

from typing import Literal

from operators.backbone.official import OFFICIAL, Official
from operators.backbone.official_dinov3 import DINOV3

_BASE = "https://huggingface.co/depth-anything"
_LETTERS = {"small": "s", "base": "b", "large": "l"}
_PARAMETERS = {"small": 24_785_089, "base": 97_470_785, "large": 335_315_649}
_LICENCES = {"small": ("apache-2.0", "yes"), "base": ("cc-by-nc-4.0", "no"), "large": ("cc-by-nc-4.0", "no")}
"""(licence, commercial use). Source: DepthAnything/Depth-Anything-V2 README, section LICENSE, @a561b84."""

_KNOWN: dict[str, tuple[int, str]] = {
    "depth_anything_v2_small": (99_218_434, "715fade13be8f229f8a70cc02066f656f2423a59effd0579197bbf57860e1378"),
    "depth_anything_v2_base": (389_961_218, "0d2b7002e62d39d655571c371333340bd88f67ab95050c03591555aa05645328"),
    "depth_anything_v2_large": (1_341_395_338, "a7ea19fa0ed99244e67b624c72b8580b7e9553043245905be58796a608eb9345"),
}
"""(bytes, sha256) where known; the large outdoor model's size is that of its public pointer, its hash is not known."""
_OUTDOOR_LARGE_BYTES = 1_341_401_064


def _row(size: str, kind: Literal["", "_metric_indoor", "_metric_outdoor"]) -> Official:
    name = f"depth_anything_v2_{size}{kind}"
    data = {"": "", "_metric_indoor": "Hypersim", "_metric_outdoor": "VKITTI"}[kind]
    file = f"depth_anything_v2_{f'metric_{data.lower()}_' if data else ''}vit{_LETTERS[size]}.pth"
    folder = f"Depth-Anything-V2-{f'Metric-{data}-' if data else ''}{size.capitalize()}"
    size_bytes, sha256 = _KNOWN.get(name, (None, None))
    if name == "depth_anything_v2_large_metric_outdoor":
        size_bytes = _OUTDOOR_LARGE_BYTES
    licence, commercial = _LICENCES[size]
    return Official(
        name=name,
        file=file,
        url=f"{_BASE}/{folder}/resolve/main/{file}",
        size_bytes=size_bytes,
        about_bytes=4 * _PARAMETERS[size],
        sha256=sha256,
        licence=licence,
        commercial=commercial,
        trained_on="LVD-142M, then depth of synthetic pictures" + (f" and {data}" if data else " and pseudo-labels"),
    )


DEPTH_ANYTHING: dict[str, Official] = {
    row.name: row
    for row in (
        _row(size, kind) for kind in ("", "_metric_indoor", "_metric_outdoor") for size in ("small", "base", "large")
    )
}
"""By backbone name. Source: DepthAnything/Depth-Anything-V2 README and `metric_depth/README.md` @a561b84; sizes and
hashes from the files' public pointers."""

PUBLISHED: dict[str, Official] = OFFICIAL | DINOV3 | DEPTH_ANYTHING
"""Every backbone whose weights can be had by name."""


def publisher(row: Official) -> str:
    """Who published it, for people."""
    return "Depth Anything" if row.name in DEPTH_ANYTHING else "Meta"
