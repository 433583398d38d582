"""Meta's published backbones: where they are, how large, under which licence, trained on what.

Published heads are in `operators/heads/official_heads.py`, Depth Anything's models beside this file.
"""

from __future__ import annotations

from dataclasses import dataclass

META_BASE = "https://dl.fbaipublicfiles.com/dinov2"
"""Where Meta serves backbones and heads."""
_DATA = "LVD-142M"


@dataclass(frozen=True, slots=True)
class Official:
    """One published file.

    Source: facebookresearch/dinov2 README, MODEL_CARD and `dinov2/hub/backbones.py` @b8931f7; licence of code and
    weights Apache-2.0 since August 2023 (PR 182). Sizes and hashes marked None are not known for certain: such a file
    is checked by its tensors alone.
    """

    name: str
    file: str
    url: str
    size_bytes: int | None
    """Exact, where known."""
    about_bytes: int
    """Four bytes per parameter, for the person who waits."""
    sha256: str | None
    licence: str = "apache-2.0"
    commercial: str = "yes"
    trained_on: str = _DATA
    is_gated: bool = False
    """Whether it is given out only to who accepts its terms, asked for at `url`; it is then put here by hand."""


def _row(name: str, parameters: int, size_bytes: int | None = None, sha256: str | None = None) -> Official:
    folder = name.removesuffix("_reg4")  # the files with registers lie in the folder without
    file = f"{name}_pretrain.pth"
    return Official(name, file, f"{META_BASE}/{folder}/{file}", size_bytes, 4 * parameters, sha256)


OFFICIAL: dict[str, Official] = {
    row.name: row
    for row in (
        _row(
            "dinov2_vits14",
            22_056_576,
            88_283_115,
            "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9",
        ),
        _row(
            "dinov2_vitb14",
            86_580_480,
            346_378_731,
            "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73",
        ),
        _row(
            "dinov2_vitl14",
            304_368_640,
            1_217_586_395,
            "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
        ),
        _row("dinov2_vitg14", 1_136_480_768),
        _row("dinov2_vits14_reg4", 22_058_112),
        _row(
            "dinov2_vitb14_reg4",
            86_583_552,
            346_393_545,
            "73182a088cf94833c94b1666d1c99e02fe87e2007bff57b564fb6206e25dba71",
        ),
        _row("dinov2_vitl14_reg4", 304_372_736),
        _row("dinov2_vitg14_reg4", 1_136_486_912),
    )
}
