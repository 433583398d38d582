"""Depth heads that come with the code, beside this file."""

from __future__ import annotations

from pathlib import Path

from operators.heads.depth_linear import DepthLinear

ASSETS = Path(__file__).parent / "assets"


def shipped_head(fingerprint: str) -> DepthLinear | None:
    """The shipped depth head that was fitted on these weights; None: there is none.

    Args:
        fingerprint: of the backbone.
    """
    for path in sorted(ASSETS.glob("depth_*.safetensors")):
        head = DepthLinear.load(path)
        if head.about.fingerprint == fingerprint:
            return head
    return None
