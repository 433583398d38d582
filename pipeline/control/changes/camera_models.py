"""What the analyzers of a running pipeline need to know of cameras that are new or have changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from operators.camera import CameraSpec
from operators.heads.config import DepthHead
from pipeline.config.loader import Config
from pipeline.config.problems import ConfigError
from pipeline.control.model import ModelSpec, check_ranges, with_drive_ins
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.sources.known_size import size_without_connecting


@dataclass(frozen=True, slots=True)
class Compiled:
    """The model of other cameras; or who cannot go with it, and why."""

    model: ModelSpec
    refused: dict[str, str]
    """By camera: mistakes."""
    restart: dict[str, str]
    """By camera: what is made at a start alone."""


def with_cameras(running: ModelSpec, config: Config, changed: Collection[str]) -> Compiled:
    """The running model with the cameras of `config`; whoever is not `changed` stays as it is. Loads no weights."""
    before = {spec.camera: spec for spec in running.cameras}
    store = ArtefactStore(running.artefacts)
    specs: list[CameraSpec] = []
    refused: dict[str, str] = {}
    restart: dict[str, str] = {}
    for camera, found in config.cameras.items():
        if camera not in changed:
            specs.append(before[camera])
            continue
        spec = config.camera_spec(camera, size_without_connecting(camera, found.source))
        if why := _not_fitted(spec, before.get(camera), config, running):
            restart[camera] = why
            continue
        try:
            (spec,) = with_drive_ins(config, [spec], running.depth, store)
            check_ranges(config, [spec], running.depth)
        except ConfigError as error:
            refused[camera] = str(error)
        specs.append(spec)
    return Compiled(replace(running, cameras=tuple(specs)), refused, restart)


def _not_fitted(spec: CameraSpec, before: CameraSpec | None, config: Config, running: ModelSpec) -> str:
    """A depth head that must be fitted at the camera's view, which takes minutes. Empty: none."""
    for name in spec.heads:
        head = config.heads.get(name)
        if not isinstance(head, DepthHead) or head.checkpoint != "fit_for_view":
            continue
        is_there = f"{name}@{spec.camera}" in running.depth
        if not is_there or before is None or (before.view, before.shape) != (spec.view, spec.shape):
            return f"head {name} must be fitted at its view first"
    return ""
