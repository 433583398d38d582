"""Checks of depth heads against the model, and of thresholds in metres against what a head can tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from operators.backbone.config import ModelConfig
from operators.backbone.official_depth_anything import DEPTH_ANYTHING
from operators.camera import CameraSpec
from operators.geometry import FloorCamera, canonical_scale
from operators.heads.config import DepthHead, HeadConfig
from operators.heads.depth_published import TrainedOn, data_set
from operators.heads.official_heads import OFFICIAL_HEAD_NAMES, official_head
from operators.rules.margins import margin_metres, with_margin
from operators.rules.measures import parse_measure
from operators.units import Threshold
from pipeline.config.problems import Place

Findings = Iterator[tuple[Place, str]]

USABLE_SHARE = 0.8
"""Of a head's range: beyond it a threshold stands where the head can hardly tell one distance from another. Source: our
own choice."""


def check_published(model: ModelConfig, heads: Mapping[str, HeadConfig]) -> Findings:
    """Published heads exist for the backbone, and its weights are the published ones."""
    for name, head in heads.items():
        checkpoint = getattr(head, "checkpoint", "")
        place: Place = ("heads", name, "checkpoint")
        if checkpoint == "depth_anything":
            if model.backbone not in DEPTH_ANYTHING:
                known = ", ".join(DEPTH_ANYTHING)
                yield place, f"depth_anything is the head of its own backbone: expected model.backbone {known}"
        elif checkpoint in OFFICIAL_HEAD_NAMES:
            try:
                official_head(checkpoint, model.backbone)
            except ValueError as error:
                yield place, str(error)
            if model.weights in {"standin", "random"}:
                yield (
                    place,
                    (
                        f"{checkpoint} belongs to the published weights of {model.backbone}: expected model.weights "
                        f"official or a file, got {model.weights}"
                    ),
                )


def relative_heads(model: ModelConfig, heads: Mapping[str, HeadConfig]) -> set[str]:
    """Depth heads that give inverse depth, which no rule in metres can use."""
    is_relative = model.backbone in DEPTH_ANYTHING and "metric" not in model.backbone
    return {name for name, head in heads.items() if getattr(head, "checkpoint", "") == "depth_anything" and is_relative}


def check_named_ranges(place: Place, spec: CameraSpec, model: ModelConfig, heads: Mapping[str, HeadConfig]) -> Findings:
    """Thresholds of one camera against the range that its head's name tells; files are asked once they are loaded."""
    for name in spec.heads:
        head = heads.get(name)
        trained = _trained(model, head) if isinstance(head, DepthHead) else None
        if trained is not None:
            yield from beyond_range(place, spec, name, trained.largest_metres, trained.focal_px)


def _trained(model: ModelConfig, head: DepthHead) -> TrainedOn | None:
    if head.checkpoint == "depth_anything":
        return data_set(model.backbone)
    return data_set(head.checkpoint) if head.checkpoint in OFFICIAL_HEAD_NAMES else None


def beyond_range(
    place: Place, spec: CameraSpec, head: str, largest_metres: float, reference_focal_px: float
) -> Findings:
    """Thresholds in metres beyond what the head can tell at this camera: those that rules fire at, margin included.

    Args:
        place: of the camera.
        spec: the camera; its drive-ins give the margins that are `auto`.
        head: its depth head, for the message.
        largest_metres: of the head's range, at its own focal length.
        reference_focal_px: that focal length; 0: not known.
    """
    scale = 1.0
    if spec.view is not None and reference_focal_px > 0:
        scale = canonical_scale(FloorCamera(spec.view, spec.shape).focal[1], reference_focal_px)
    limit = USABLE_SHARE * largest_metres * scale
    for rule, key, threshold, margin in _thresholds_in_metres(spec):
        if threshold.value > limit:
            asked = f"{threshold.value - margin:g} m asked and {margin:g} m of margin: " if margin else ""
            yield (
                (*place, "rules", rule, key),
                (
                    f"{asked}{threshold} is beyond what head {head} can tell: expected at most {limit:.1f} m "
                    f"({USABLE_SHARE:.0%} of its range of {largest_metres * scale:.1f} m at this camera)"
                ),
            )


def _thresholds_in_metres(spec: CameraSpec) -> Iterable[tuple[str, str, Threshold, float]]:
    """(rule, `enter` or `exit`, what readings are compared with, the margin within it)."""
    for rule, asked in spec.rules.items():
        if parse_measure(asked.measure).needs.depth:
            fires, margin = with_margin(asked, spec.metres), margin_metres(asked, spec.metres)
            for key, threshold in (("enter", fires.enter), ("exit", fires.exit)):
                if isinstance(threshold, Threshold) and threshold.unit == "m":
                    yield rule, key, threshold, margin
