"""Checks of `model:`, `heads:` and the heads that a camera names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.config import ModelConfig
from operators.heads.config import HeadConfig
from operators.spelling import did_you_mean
from pipeline.config.problems import Place
from pipeline.config.schema import CameraConfig
from pipeline.fetching.address import is_address, mistakes

BACKBONES = tuple(ARCHITECTURES)
NAMED_WEIGHTS = ("official", "standin", "random")
HEAD_FILES = ("checkpoint", "bank", "weights", "text", "vocabulary")
"""Keys of heads that name a file."""

Findings = Iterator[tuple[Place, str]]


def check_model(model: ModelConfig) -> Findings:
    """The backbone exists, the shapes fit its patches, weights are a known name or look like a path."""
    if model.backbone not in BACKBONES:
        yield (
            ("model", "backbone"),
            (
                f"unknown backbone {model.backbone!r}: expected one of {', '.join(BACKBONES)}"
                f"{did_you_mean(model.backbone, BACKBONES)}"
            ),
        )
    if model.weights not in NAMED_WEIGHTS and not re.search(r"[/.\\]", model.weights):
        yield (
            ("model", "weights"),
            (
                f"expected {', '.join(NAMED_WEIGHTS)} the path of a file or an address of one, got {model.weights!r}"
                f"{did_you_mean(model.weights, NAMED_WEIGHTS)}"
            ),
        )
    elif is_address(model.weights):
        yield from ((("model", "weights"), each) for each in mistakes(model.weights))
    if not model.shapes:
        yield ("model", "shapes"), "expected at least one shape such as 224x392, got none"
    patch = model.patch
    for index, (height, width) in enumerate(model.shapes):
        if height % patch or width % patch or min(height, width) < patch:
            near = "x".join(str(max(patch, round(side / patch) * patch)) for side in (height, width))
            yield ("model", "shapes", index), f"expected multiples of {patch}, got {height}x{width}; use {near}"


def check_heads(heads: Mapping[str, HeadConfig]) -> Findings:
    """What each kind finds wrong with itself, and the one name that is taken."""
    for name, head in heads.items():
        if name == "embedding" and head.kind != "embedding":
            yield ("heads", name, "kind"), f"the name embedding is taken: expected kind embedding, got {head.kind}"
        for place, message in head.mistakes():
            yield ("heads", name, *place), message
        for key in HEAD_FILES:
            if is_address(text := getattr(head, key, "")):
                yield from ((("heads", name, key), each) for each in mistakes(text))


def check_head_list(place: Place, camera: CameraConfig, heads: Mapping[str, HeadConfig]) -> Findings:
    """Each head exists, once; one gives metres at most, and has what it needs."""
    known = ("embedding", *heads)
    metric: list[str] = []
    for index, name in enumerate(camera.heads):
        if name not in known:
            yield (
                (*place, index),
                (
                    f"unknown head {name!r}: expected embedding or one under `heads:` ({', '.join(heads) or 'none'})"
                    f"{did_you_mean(name, known)}"
                ),
            )
        if name in camera.heads[:index]:
            yield (*place, index), f"head {name!r} stands here twice"
        head = heads.get(name)
        if head is None:
            continue
        if "metres" in head.gives:
            metric.append(name)
        if head.needs_view and camera.view is None:
            yield (*place, index), f"head {name!r} is fitted for the camera's view: expected a `view:`, got none"
    if len(metric) > 1:
        yield place, f"expected at most one head that gives metres, got {', '.join(metric)}"


def is_path(weights: str) -> bool:
    """Whether `model.weights` names a file."""
    return weights not in NAMED_WEIGHTS
