"""Which subjects a rule counts: by zone and by what they are called."""

from __future__ import annotations

from collections.abc import Sequence

from operators.camera import CameraSpec
from operators.results import Label, Subject
from operators.rules.config import RuleConfig
from operators.zones import touches


def counted_by(
    rule: RuleConfig, camera: CameraSpec, subjects: Sequence[Subject], zone: str | None = None
) -> list[Subject] | str:
    """Subjects that touch every zone asked for and have a wanted label; or why that cannot be told."""
    zones = [name for name in (rule.in_, zone) if name is not None]
    near = [each for each in subjects if all(touches(each.mask, polygon_of(camera, name)) for name in zones)]
    if rule.of is None:
        return near
    counted: list[Subject] = []
    for subject in near:
        label = label_of(subject.labels, rule.of.head)
        if label is None:
            return f"head {rule.of.head} gave the subject no label"
        if label.name in rule.of.is_:
            counted.append(subject)
    return counted


def polygon_of(camera: CameraSpec, zone: str) -> tuple[tuple[float, float], ...]:
    """Corners of a zone, 0..1.

    Raises:
        ValueError: the camera has no such zone.
    """
    if zone not in camera.zones:
        msg = f"unknown zone {zone!r}: expected one of {', '.join(camera.zones) or 'none'} ({camera.camera})"
        raise ValueError(msg)
    return camera.zones[zone]


def label_of(labels: Sequence[Label], head: str) -> Label | None:
    """What one head says."""
    return next((label for label in labels if label.head == head), None)
