"""`model:` - which backbone, whose weights, which picture shapes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operators.section import Section
from operators.units import Size

Precision = Literal["auto", "fp32", "bf16"]


class ModelConfig(Section):
    """The one backbone that serves every head."""

    backbone: str = "dinov2_vits14"
    """Architecture: dinov2_vit{s,b,l,g}14, with `_reg4` for registers."""
    weights: str = "official"
    """`official`, `standin`, `random`, or the path of a file; never one instead of another."""
    shapes: tuple[Size, ...] = ((224, 392), (224, 294), (224, 224))
    """Height x width, multiples of 14; each camera gets the nearest one."""
    precision: Precision = "auto"
    """`auto`: bf16 where the processor multiplies it natively, fp32 otherwise."""
    licences: tuple[str, ...] = Field(default=("apache-2.0", "mit"))
    """Weights under any other licence are refused."""
