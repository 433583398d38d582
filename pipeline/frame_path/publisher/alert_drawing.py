"""What to draw of one alert."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from operators.camera import CameraSpec
from operators.preview import preview_jpeg
from operators.results import Subject
from operators.rules.config import RuleConfig
from operators.rules.measures import MeasureSpec
from operators.units import Threshold
from operators.zones import touches
from pipeline.frame_path.drawing import Sight, draw
from pipeline.frame_path.publisher.wire_result import WireSubject
from pipeline.frame_path.publisher.wire_schema import AlertBody
from pipeline.messages import Drawing, FloorMark, Outline

_SAME_METRES = 0.005


def alert_drawing(
    body: AlertBody,
    rule: RuleConfig,
    measure: MeasureSpec,
    spec: CameraSpec,
    *,
    subjects: Sequence[WireSubject],
    seen: Sequence[Subject],
) -> Drawing:
    """The subjects that count apart from the others, the rule's zones and line, the threshold, the sentence.

    Args:
        body: The start or end.
        rule: With the thresholds that readings are compared with.
        measure: What the rule watches.
        spec: Its camera.
        subjects: All of the frame that decided.
        seen: The same with their masks; empty where the frame repeats an earlier one.
    """
    zones = [name for name in (rule.in_, *measure.needs.zones) if name is not None]
    counts = _counting(body, rule, measure, spec, subjects=subjects, seen=seen)
    return Drawing(
        text=body.text,
        boxes=tuple(each.box for index, each in enumerate(subjects) if index not in counts),
        polygons=tuple(spec.zones[name] for name in dict.fromkeys(zones)),
        counting=tuple(Outline(subjects[index].box, _tag(subjects[index], rule, measure)) for index in counts),
        floor=tuple(_floor(body, rule, measure, spec)),
    )


def drawn_preview(jpeg: bytes, drawing: Drawing, sight: Sight) -> bytes | None:
    """The same picture with the drawing on it, again at most 16 KiB; None: it is no picture."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else preview_jpeg(draw(np.ascontiguousarray(bgr[:, :, ::-1]), drawing, sight))


def _counting(
    body: AlertBody,
    rule: RuleConfig,
    measure: MeasureSpec,
    spec: CameraSpec,
    *,
    subjects: Sequence[WireSubject],
    seen: Sequence[Subject],
) -> list[int]:
    """Which subjects the value is about, by index."""
    if measure.name == "distance_to" and body.value is not None:
        gaps = [
            (abs(each.metres - body.value), index)
            for index, subject in enumerate(subjects)
            for each in subject.distances
            if each.line == measure.args[0] and each.metres is not None
        ]
        return [index for gap, index in sorted(gaps)[:1] if gap < _SAME_METRES]
    if measure.name != "count_in":
        return []
    zones = [spec.zones[name] for name in (measure.args[0], rule.in_) if name is not None]
    return [
        index
        for index, (subject, at) in enumerate(zip(subjects, seen, strict=False))
        if all(touches(at.mask, zone) for zone in zones) and _is_wanted(subject, rule)
    ]


def _is_wanted(subject: WireSubject, rule: RuleConfig) -> bool:
    label = subject.labels.get(rule.of.head) if rule.of is not None else None
    return rule.of is None or (label is not None and label.name in rule.of.is_)


def _tag(subject: WireSubject, rule: RuleConfig, measure: MeasureSpec) -> str:
    """Such as `forklift 2.9 m`."""
    heads = [rule.of.head] if rule.of is not None else list(subject.labels)
    labels = [subject.labels[head].name for head in heads if head in subject.labels]
    named = [name for name in labels if name not in {"unknown", "empty"}][:1]
    metres = [each.metres for each in subject.distances if measure.args and each.line == measure.args[0]]
    far = [f"{each:.1f} m" for each in metres if each is not None and measure.name == "distance_to"]
    return " ".join((*named, *far))


def _floor(body: AlertBody, rule: RuleConfig, measure: MeasureSpec, spec: CameraSpec) -> list[FloorMark]:
    """The line, and where the threshold lies that was passed."""
    if measure.name != "distance_to":
        return []
    name = measure.args[0]
    line = spec.lines[name]
    marks = [FloorMark(line, text=name)]
    passed, word = (rule.enter, "limit") if body.transition == "start" else (rule.exit, "clear beyond")
    if isinstance(passed, Threshold):
        marks.append(FloorMark(line, passed.value, f"{word} {passed.value:g} m", is_threshold=True))
    return marks
