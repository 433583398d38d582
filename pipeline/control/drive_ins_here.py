"""Drive-ins of all cameras as `validate` can tell them: it fits no depth head to compare them with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from operators.backbone import Engine
from operators.backbone.weights_folder import default_cache_dir
from operators.heads.config import MADE_HERE, DepthHead
from operators.heads.depth_files import load_depth_head
from operators.heads.fit_depth import RANGE_METRES, REFERENCE_FOCAL_PX
from pipeline.config.check_depth import beyond_range, check_named_ranges
from pipeline.config.loader import Config
from pipeline.config.problems import Place, Problem
from pipeline.control.drive_ins import DriveIns, drive_ins, too_tight
from pipeline.control.head_faults import is_here
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.simulation.depth_heads import head_for_view_here, simulated_head_here
from pipeline.sources.known_size import size_without_connecting


def drive_ins_here(config: Config, engine: Engine | None) -> dict[str, DriveIns]:
    """By camera that has a depth head; compared with that head where it can be had without fitting or downloading."""
    store = ArtefactStore(Path(config.runtime.state_dir) / "artefacts")
    found: dict[str, DriveIns] = {}
    for camera, each in config.cameras.items():
        names = [name for name in each.heads if isinstance(config.heads.get(name), DepthHead)]
        if not names:
            continue
        spec = config.camera_spec(camera, size_without_connecting(camera, each.source))
        stored = store.latest(f"metres/{camera}") is not None
        head = _head(config, engine, camera, names[0]) if stored and engine is not None else None
        found[camera] = drive_ins(spec, head, store)
    return found


def tight_rules(config: Config, found: dict[str, DriveIns]) -> list[Problem]:
    """Rules whose enter and exit lie closer together than the camera's readings scatter."""
    problems: list[Problem] = []
    for camera, each in found.items():
        if each.metres is not None:
            for place, message in too_tight(("cameras", camera), config.camera_spec(camera), each.metres):
                problems.append(Problem(config.mark(place), place, message))
    return problems


def out_of_range(config: Config, found: dict[str, DriveIns]) -> list[Problem]:
    """Rules that fire beyond what the camera's depth head can tell, the margins of its drive-ins included."""
    ranges: dict[str, _Range | None] = {}
    problems: list[Problem] = []
    for camera, each in found.items():
        size = size_without_connecting(camera, config.cameras[camera].source)
        spec = replace(config.camera_spec(camera, size), metres=each.metres)
        place: Place = ("cameras", camera)
        findings = [*check_named_ranges(place, spec, config.model, config.heads)]
        for name in spec.heads if spec.rules else ():
            if name not in ranges:
                ranges[name] = _range_here(config, name)
            if (known := ranges[name]) is not None:
                findings += beyond_range(place, spec, name, *known)
        problems += [Problem(config.mark(at), at, message) for at, message in findings]
    return problems


_Range = tuple[float, float]
"""The largest metres that a head tells, and the focal length in pixels at which it does."""


def _range_here(config: Config, name: str) -> _Range | None:
    """Of a depth head that is made here or lies in a file; None: it is told by its name, or cannot be had."""
    head = config.heads.get(name)
    if not isinstance(head, DepthHead):
        return None
    if head.checkpoint in MADE_HERE:
        return RANGE_METRES[1], REFERENCE_FOCAL_PX
    if not Path(head.checkpoint).exists():
        return None
    try:
        about = load_depth_head(head.checkpoint, config.model.backbone, config.model.weights).about
    except (ValueError, OSError):
        return None  # `head_faults` says so
    return (about.range_metres[1], about.reference_focal_px) if about.output == "metric" else None


def _head(config: Config, engine: Engine, camera: str, name: str) -> bytes | None:
    """The file of a camera's depth head, as `run` would use it; None: it is not here, or cannot be used."""
    head = config.heads[name]
    assert isinstance(head, DepthHead)
    model, view = config.model, config.cameras[camera].view
    fingerprint, folder = engine.backbone.fingerprint, default_cache_dir().parent / "depth"
    if head.checkpoint in MADE_HERE:
        if head.checkpoint == "simulated":
            made = simulated_head_here(fingerprint, model.shapes[0], folder)
        elif view is not None:
            spec = config.camera_spec(camera, size_without_connecting(camera, config.cameras[camera].source))
            made = head_for_view_here(fingerprint, view, spec.shape, folder)
        else:
            made = None
        return None if made is None else made.to_bytes()
    if not is_here(head.checkpoint, engine.backbone.arch.name):
        return None
    try:
        return load_depth_head(head.checkpoint, model.backbone, model.weights, licences=model.licences).to_bytes()
    except (ValueError, OSError):
        return None  # `head_faults` says so
