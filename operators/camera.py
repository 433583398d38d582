"""What operators need to know of one camera; compiled from its configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from operators.backbone.architectures import DINOV2_PATCH
from operators.frames import grid_of
from operators.rules.config import RuleConfig
from operators.rules.measure_table import parse_measure
from operators.scene.config import Line, Polygon, SceneConfig, ViewConfig
from operators.scene.residuals import MeasuredMetres


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """One camera as the analyzer and the publisher see it. Immutable while the pipeline runs."""

    camera: str
    shape: tuple[int, int]
    """(H, W) of its model-size pictures, multiples of `patch`."""
    heads: tuple[str, ...] = ("embedding",)
    """Names under `heads:`; `embedding` is always known."""
    view: ViewConfig | None = None
    lines: dict[str, Line] = field(default_factory=dict)
    zones: dict[str, Polygon] = field(default_factory=dict)
    privacy: tuple[Polygon, ...] = ()
    """Blacked out by the reader before anything else sees the picture."""
    scene: SceneConfig = field(default_factory=SceneConfig)
    rules: dict[str, RuleConfig] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """Copied into every message."""
    metres: MeasuredMetres | None = None
    """Its drive-ins, where they were read by the depth head and the view that it has now."""
    patch: int = DINOV2_PATCH
    """Side of a patch of the backbone in pixels."""

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) patches."""
        return grid_of(self.shape, self.patch)

    @property
    def needs_subjects(self) -> bool:
        """Whether a rule needs what stands in front of the empty view."""
        return any(parse_measure(rule.measure).needs.subjects or rule.in_ or rule.of for rule in self.rules.values())
