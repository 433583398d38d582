"""What differs between two configurations of a running pipeline, camera by camera. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from operators.rules.config import ClipWish
from pipeline.config.schema import CameraConfig, Sections

REOPENED = ("source", "place")
"""Keys of a camera that its reader learns of by opening it anew."""
IN_PLACE = ("labels", "priority", "sample", "heads", "view", "lines", "zones", "privacy", "scene", "rules")
"""Keys that change while its frames go on."""
WITHOUT_EFFECT = ("profile",)
"""What a profile brings is merged into the camera already."""

Kind = Literal["added", "removed", "reopened", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class CameraChange:
    """What becomes of one camera."""

    kind: Kind
    what: tuple[str, ...] = ()
    """Its keys that differ, in the order of the schema."""


def camera_changes(before: Mapping[str, CameraConfig], after: Mapping[str, CameraConfig]) -> dict[str, CameraChange]:
    """Every camera of either side."""
    found: dict[str, CameraChange] = {}
    for camera in (*before, *(each for each in after if each not in before)):
        if camera not in after:
            found[camera] = CameraChange("removed")
        elif camera not in before:
            found[camera] = CameraChange("added")
        else:
            found[camera] = _change(before[camera], after[camera])
    return found


def _change(before: CameraConfig, after: CameraConfig) -> CameraChange:
    what = tuple(key for key in _differing(before, after) if key not in WITHOUT_EFFECT)
    if not what:
        return CameraChange("unchanged")
    # What clips are cut from is recorded from the moment the camera is opened, masked or not at all.
    were, are = _clips(before), _clips(after)
    is_taped_anew = were != are or (bool(are) and "privacy" in what)
    return CameraChange("reopened" if is_taped_anew or not set(what).isdisjoint(REOPENED) else "changed", what)


def _clips(camera: CameraConfig) -> set[tuple[float, float, int]]:
    wishes = [rule.evidence.clip for rule in camera.rules.values() if rule.evidence is not None]
    return {(each.before, each.after, each.max_bytes) for each in wishes if isinstance(each, ClipWish)}


def other_frames(before: CameraConfig, after: CameraConfig) -> str:
    """Why the camera cannot be pointed there under its name: frames would bear the names of others. Empty: it can."""
    was, now = before.source, after.source
    if not (was.is_replayable and now.is_replayable) or _named_by(before) == _named_by(after):
        return ""
    return (
        f"it would read {now.shown} under the name of {was.shown}, and frames that were published already would count "
        "as repeated. Give it another name"
    )


def _named_by(camera: CameraConfig) -> tuple[Any, ...]:
    """Whatever numbers the frames of a source that can be read again."""
    source, kafka = camera.source, camera.source.kafka
    return (source.file, None if kafka is None else (kafka.brokers, kafka.topic, kafka.key, kafka.format))


def changed_sections(before: Sections, after: Sections) -> tuple[str, ...]:
    """Places outside the cameras that differ, such as `model.weights`. Secrets that are new are none: cameras may use
    them at once, and nobody else can.
    """
    found: list[str] = []
    for key in Sections.model_fields:
        was, now = getattr(before, key), getattr(after, key)
        if key == "secrets":
            found += [f"secrets.{name}" for name in was if name in now and was[name] != now[name]]
        elif isinstance(was, BaseModel) and isinstance(now, BaseModel):
            found += [f"{key}.{inner}" for inner in _differing(was, now)]
        elif isinstance(was, dict):
            names: list[str] = [*was, *(name for name in now if name not in was)]
            found += [f"{key}.{name}" for name in names if was.get(name) != now.get(name)]
        elif was != now:
            found.append(key)
    return tuple(found)


def _differing(before: BaseModel, after: BaseModel) -> list[str]:
    return [key for key in type(before).model_fields if getattr(before, key) != getattr(after, key)]
