"""Meta's published DINOv3 backbones. They are given out only to who accepts their licence, so none is downloaded."""

from __future__ import annotations

from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.official import Official

DINOV3_LICENCE = "dinov3-license"
DINOV3_TERMS = "https://ai.meta.com/resources/models-and-libraries/dinov3-downloads/"
"""Where the licence is accepted and the files' addresses are asked for."""

_HASHES = {
    "dinov3_vits16": "08c60483",
    "dinov3_vits16plus": "4057cbaa",
    "dinov3_vitb16": "73cec8be",
    "dinov3_vitl16": "8aa4cbdd",
    "dinov3_vith16plus": "7c1da9a5",
}
"""In the files' names."""


def _row(name: str, hash_: str) -> Official:
    file = f"{name}_pretrain_lvd1689m-{hash_}.pth"
    return Official(
        name=name,
        file=file,
        url=DINOV3_TERMS,
        size_bytes=None,
        about_bytes=4 * ARCHITECTURES[name].num_parameters,
        sha256=None,
        licence=DINOV3_LICENCE,
        commercial="yes",
        trained_on="LVD-1689M",
        is_gated=True,
    )


DINOV3: dict[str, Official] = {name: _row(name, hash_) for name, hash_ in _HASHES.items()}
"""By backbone name. Source: facebookresearch/dinov3 README, LICENSE.md and `dinov3/hub/backbones.py` @6876159: use for
money is allowed, whoever passes the weights or what was made from them on does so under the same terms and with a copy
of them, and military, nuclear and espionage uses are forbidden."""
