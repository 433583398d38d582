"""From a file to a checked `Config`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from operators.backbone.config import ModelConfig
from operators.camera import CameraSpec
from operators.frames import nearest_shape
from operators.heads.config import HeadConfig
from operators.spelling import did_you_mean
from pipeline.config.checks import check
from pipeline.config.document import Document, read_document
from pipeline.config.fields import below
from pipeline.config.merge import Merged, merge_layers
from pipeline.config.problems import ConfigError, Mark, Place, Problem
from pipeline.config.schema import CAMERA_ID, CameraConfig, RuntimeConfig, Sections, SiteConfig
from pipeline.config.simulated import complete
from pipeline.config.validation import validate
from pipeline.gallery.config import GalleryConfig
from pipeline.secrets import Secrets
from pipeline.sinks.config import EvidenceConfig, OutboxConfig, SinksConfig


@dataclass(frozen=True, slots=True, repr=False)
class Config:
    """Everything that the file says, checked, every camera fully merged. Holds no secret, only their names."""

    path: Path
    sections: Sections
    cameras: dict[str, CameraConfig]
    document: Document
    merged: dict[str, Merged]

    def __repr__(self) -> str:
        return f"Config({self.path}, cameras={list(self.cameras)})"

    @property
    def site(self) -> SiteConfig:
        return self.sections.site

    @property
    def model(self) -> ModelConfig:
        return self.sections.model

    @property
    def heads(self) -> dict[str, HeadConfig]:
        return self.sections.heads

    @property
    def sinks(self) -> SinksConfig:
        """`required` is filled in: the first one named, unless it says otherwise."""
        return self.sections.sinks

    @property
    def outbox(self) -> OutboxConfig:
        return self.sections.outbox

    @property
    def evidence(self) -> EvidenceConfig:
        return self.sections.evidence

    @property
    def gallery(self) -> GalleryConfig:
        return self.sections.gallery

    @property
    def runtime(self) -> RuntimeConfig:
        return self.sections.runtime

    @property
    def secrets(self) -> Secrets:
        """The references under `secrets:`; resolve them where they are used."""
        return Secrets(self.sections.secrets)

    @property
    def brokers(self) -> tuple[str, ...]:
        """Kafka brokers for cameras that name none: those of `sinks.kafka`."""
        return self.sinks.kafka.brokers if self.sinks.kafka else ()

    def camera_spec(self, camera: str, source_size: tuple[int, int] | None = None) -> CameraSpec:
        """What operators need to know of a camera.

        Args:
            camera: Its id.
            source_size: (height, width) of its pictures where known: the nearest of `model.shapes` by aspect is
                taken; else the first of them.
        """
        found = self.cameras[camera]
        return CameraSpec(
            camera=camera,
            shape=nearest_shape(source_size, self.model.shapes) if source_size else self.model.shapes[0],
            patch=self.model.patch,
            heads=found.heads,
            view=found.view,
            lines=found.lines,
            zones=found.zones,
            privacy=found.privacy,
            scene=found.scene,
            rules=found.rules,
            labels=found.labels,
        )

    def thumbnail_seconds(self, camera: str) -> float:
        """Between two small pictures that are kept for searches; 0: none, since nobody said that there is a gallery,
        it has nothing of this camera, or the camera's frames can be had again.
        """
        found = self.cameras[camera]
        vectors = ("embedding", *(name for name, head in self.heads.items() if head.has_vector))
        is_searched = "gallery" in self.sections.model_fields_set and not set(vectors).isdisjoint(found.heads)
        return self.gallery.thumbnails if is_searched and found.source.kind in {"url", "kafka"} else 0.0

    def origin(self, camera: str, place: Place) -> Mark | None:
        """Where a camera's value was written; None: it is a default of the program."""
        return self.merged[camera].marks.get(place)

    def mark(self, place: Place) -> Mark:
        """Where `$.place` stands, for messages."""
        if len(place) > 1 and place[0] == "cameras" and place[1] in self.merged:
            return self.merged[str(place[1])].mark(place[2:])
        return self.document.mark(place)


def load_config(path: Path | str) -> Config:
    """Reads, merges and checks a file or folder. Needs no network, model, broker or camera.

    Parts of the grammar that are not built yet, and files that are not there, are told by
    `pipeline.config.readiness.check_ready`.

    Raises:
        ConfigError: every mistake at once, each with file, line, column, path and the nearest valid word.
    """
    return config_of(Path(path), read_document(Path(path)))


def config_of(path: Path, document: Document) -> Config:
    """What a document that was read from `path` says.

    Raises:
        ConfigError: every mistake at once.
    """
    problems: list[Problem] = []
    sections = _sections(document, problems)
    cameras, merged = _cameras(document, problems)
    if problems or sections is None:
        raise ConfigError(problems)
    config = Config(path, sections, cameras, document, merged)
    if found := [Problem(config.mark(place), place, message) for place, message in check(config)]:
        raise ConfigError(found)
    return config


_OF_CAMERAS = ("defaults", "profiles", "cameras")


def _sections(document: Document, problems: list[Problem]) -> Sections | None:
    rest = {key: value for key, value in document.value.items() if key not in _OF_CAMERAS}
    rest["sinks"] = _with_required(rest.get("sinks"))
    if rest["sinks"] is None:
        del rest["sinks"]
    known = (*Sections.model_fields, *_OF_CAMERAS)
    for key in [each for each in rest if each not in known]:
        message = f"unknown key {key!r}: expected one of {', '.join(known)}{did_you_mean(key, known)}"
        problems.append(Problem(document.mark((key,)), (key,), message))
        del rest[key]
    sections, found = validate(Sections, rest, at=(), mark=document.mark)
    problems.extend(found)
    return sections


def _with_required(sinks: Any) -> Any:
    """The first sink named is required unless it says otherwise; the order is lost once it is a struct. A webhook is
    it only where it stands alone: it gets no results, so it cannot stand for their delivery.
    """
    if not isinstance(sinks, dict):
        return sinks
    named = cast("dict[str, Any]", sinks)
    first = next((name for name in named if name != "webhook"), "webhook")
    filled: dict[str, Any] = {}
    for name, sink in named.items():
        filled[name] = {"required": name == first, **cast("dict[str, Any]", sink)} if isinstance(sink, dict) else sink
    return filled


def _cameras(document: Document, problems: list[Problem]) -> tuple[dict[str, CameraConfig], dict[str, Merged]]:
    problems.extend(_fragment_problems(document))
    told = {(each.mark, each.message) for each in problems}
    written = document.value.get("cameras")
    if not isinstance(written, dict) or not written:
        problems.append(Problem(document.mark(("cameras",)), ("cameras",), "expected at least one camera, got none"))
        written = {}
    cameras: dict[str, CameraConfig] = {}
    merged: dict[str, Merged] = {}
    for camera, own in cast("dict[str, Any]", written).items():
        place: Place = ("cameras", camera)
        if not re.match(CAMERA_ID, camera):
            message = f"expected a camera id of a-z, 0-9, - and _, at most 63 long, such as dock-03, got {camera!r}"
            problems.append(Problem(document.mark(place), place, message))
        if not isinstance(own, dict):
            problems.append(Problem(document.mark(place), place, "expected a map with a `source`, got something else"))
            continue
        found = merge_layers(document, _layers(document, place, problems))
        if "source" not in own:
            found.marks["source",] = document.mark(place)
        complete(found)
        struct, more = validate(CameraConfig, found.value, at=place, mark=found.mark)
        problems.extend(each for each in more if (each.mark, each.message) not in told)
        merged[camera] = found
        if struct is not None:
            cameras[camera] = struct
    return cameras, merged


def _layers(document: Document, place: Place, problems: list[Problem]) -> tuple[Place, ...]:
    """Defaults, the profile that the camera names, the camera."""
    profile = below(below(document.value.get("cameras"), place[1]), "profile")
    profiles = document.value.get("profiles")
    names = list(cast("dict[str, Any]", profiles)) if isinstance(profiles, dict) else []
    if isinstance(profile, str) and profile not in names:
        known = ", ".join(names) or "none"
        message = f"unknown profile {profile!r}: expected one of {known}{did_you_mean(profile, names)}"
        problems.append(Problem(document.mark((*place, "profile")), (*place, "profile"), message))
    return (("defaults",), ("profiles", profile), place) if profile in names else (("defaults",), place)


def _fragment_problems(document: Document) -> Iterator[Problem]:
    """Mistakes in the defaults and in each profile, used or not; what a camera brings may be missing."""
    profiles = document.value.get("profiles", {})
    fragments: list[tuple[Place, Any]] = []
    if "defaults" in document.value:
        fragments.append((("defaults",), document.value["defaults"]))
    if isinstance(profiles, dict):
        fragments += [(("profiles", name), each) for name, each in cast("dict[str, Any]", profiles).items()]
    else:
        yield Problem(document.mark(("profiles",)), ("profiles",), "expected a map of profiles, got something else")
    for place, written in fragments:
        if not isinstance(written, dict):
            yield Problem(document.mark(place), place, "expected a map as of a camera, got something else")
            continue
        if "profile" in written:
            inner = (*place, "profile")
            yield Problem(document.mark(inner), inner, "a profile is named by a camera: not here")

        def mark(inner: Place, place: Place = place) -> Mark:
            return document.mark((*place, *inner))

        fragment = cast("dict[str, Any]", written)
        yield from validate(CameraConfig, fragment, at=place, mark=mark, is_fragment=True)[1]
