"""`model:` - which backbone, whose weights, which picture shapes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from operators.backbone.architectures import ARCHITECTURES, DINOV2_PATCH
from operators.section import Section
from operators.units import Size

Precision = Literal["auto", "fp32", "bf16"]


class ModelConfig(Section):
    """The one backbone that serves every head."""

    backbone: str = "dinov2_vits14"
    """Architecture: dinov2_vit{s,b,l,g}14, with `_reg4` for registers; dinov3_vit{s,b,l}16, dinov3_vit{s,h}16plus."""
    weights: str = "official"
    """`official`, `standin`, `random`, the path of a file, or its address: `https://…`, `s3://bucket/x.pth` and what
    else fsspec knows; never one instead of another. `#sha256=…` behind an address says what must come."""
    shapes: tuple[Size, ...] = ((224, 392), (224, 294), (224, 224))
    """Height x width, multiples of the backbone's patch (the number in its name); each camera gets the nearest one.
    Left out with DINOv3: 224x400, 224x304, 224x224."""
    precision: Precision = "auto"
    """`auto`: bf16 where the processor multiplies it natively, fp32 otherwise."""
    licences: tuple[str, ...] = Field(default=("apache-2.0", "mit"))
    """Weights under any other licence are refused; DINOv3's is `dinov3-license`."""

    @property
    def patch(self) -> int:
        """Side of a patch in pixels; of an unknown backbone, which is refused elsewhere, DINOv2's."""
        found = ARCHITECTURES.get(self.backbone)
        return found.patch if found else DINOV2_PATCH

    @model_validator(mode="before")
    @classmethod
    def _shapes_of_the_backbone(cls, given: Any) -> Any:
        """Left out, the shapes are those that the backbone's patch divides."""
        found = ARCHITECTURES.get(str(given.get("backbone"))) if isinstance(given, dict) else None
        if found is None or found.patch == DINOV2_PATCH or "shapes" in given:
            return given
        return {**given, "shapes": found.usual_shapes}
