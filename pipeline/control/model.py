"""From configuration to a loaded analyzer, with the depth heads and banks that it needs.

Used by the analyze actor, `validate`, the acceptance run and the demo.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from operators.analyzer import Analyzer
from operators.backbone import Engine, load_backbone
from operators.backbone.config import ModelConfig
from operators.backbone.weights_folder import default_cache_dir
from operators.camera import CameraSpec
from operators.heads.base import DepthModel
from operators.heads.config import DepthHead, HeadConfig
from operators.heads.depth_about import HeadMismatchError
from operators.heads.depth_dpt import DepthDpt
from operators.heads.depth_files import depth_from_bytes, load_depth_head
from operators.heads.kinds import head_kind
from pipeline.config.check_depth import beyond_range
from pipeline.config.files_here import fetched
from pipeline.config.loader import Config
from pipeline.config.problems import ConfigError, Problem
from pipeline.control.actors.depot import WeightsFile
from pipeline.control.actors.node_store import DepotHandle, NodeStore, with_weights_here
from pipeline.control.drive_ins import drive_ins, head_of, too_tight
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.simulation.depth_heads import PICTURES_PER_FIT, head_for_view, simulated_head
from pipeline.sources.known_size import size_without_connecting

_LOG = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""(what, done, of)."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What an analyzer needs; picklable."""

    model: ModelConfig
    heads: Mapping[str, HeadConfig]
    cameras: tuple[CameraSpec, ...]
    artefacts: Path
    depth: Mapping[str, bytes]
    """Depth heads (linear ones 12 kB, DPT 56 MB and more) by head, or by `head@camera` for one fitted at that camera's
    view."""
    weights: WeightsFile | None = None
    """Of a cluster: what `model.weights` names on the driver's machine."""

    def camera(self, name: str) -> CameraSpec:
        """The camera called `name`."""
        return next(spec for spec in self.cameras if spec.camera == name)


def load_engine(model: ModelConfig, device: str = "cpu") -> Engine:
    """The backbone, ready to run.

    Raises:
        WeightsError: the weights cannot be had, or their licence is not accepted.
    """
    backbone = load_backbone(model.backbone, model.weights, licences=model.licences, device=device)
    return Engine(backbone, model.precision)


def build_analyzer(
    spec: ModelSpec, device: str = "cpu", engine: Engine | None = None, depot: DepotHandle | None = None
) -> Analyzer:
    """The analyzer, warmed up; on another node than the state's, what it lacks comes from `depot`.

    Raises:
        WeightsError: the weights cannot be had.
        PipelineError: a head belongs to other weights, or to pictures of another size; the depot does not answer.
    """
    engine = engine or load_engine(with_weights_here(spec.model, spec.weights, depot), device)
    store = NodeStore(spec.artefacts, depot)
    _check_banks(spec, engine, store)
    depth = {name: _on(device, depth_from_bytes(data)) for name, data in spec.depth.items()}
    _check_depth(depth, engine)
    analyzer = Analyzer(engine, spec.heads, spec.cameras, store.get, depth)
    analyzer.warm_up()
    return analyzer


def model_spec(config: Config, engine: Engine | None = None, progress: Progress = lambda *_: None) -> ModelSpec:
    """Everything the analyzer of `config` needs, fetched or made where it is not there yet.

    Banks go into the artefact store, where the publisher finds their newest version. A depth head that is fitted at a
    camera's view is fitted once (minutes on a CPU) and kept by weights and view.

    Raises:
        PipelineError: a bank or a depth head is missing, or the address of a file does not give it.
        ConfigError: a threshold lies beyond what a depth head can tell.
        WeightsError: as for `load_engine`.
    """
    config = fetched(config, lambda said: _LOG.warning("%s", said))
    artefacts = Path(config.runtime.state_dir) / "artefacts"
    specs = tuple(
        config.camera_spec(camera, size_without_connecting(camera, found.source))
        for camera, found in config.cameras.items()
    )

    @cache
    def loaded() -> Engine:
        return engine or load_engine(config.model)

    _store_banks(config, ArtefactStore(artefacts), loaded)
    depth = _depth_heads(config, specs, loaded, progress)
    specs = with_drive_ins(config, specs, depth, ArtefactStore(artefacts))
    check_ranges(config, specs, depth)
    return ModelSpec(config.model, config.heads, specs, artefacts, depth)


def with_drive_ins(
    config: Config, specs: Sequence[CameraSpec], depth: Mapping[str, bytes], store: ArtefactStore
) -> tuple[CameraSpec, ...]:
    """Cameras with their drive-ins; those that another head or view read are left out, with a warning.

    Raises:
        ConfigError: a rule's enter and exit lie closer together than the camera's readings scatter.
    """
    found = {spec.camera: drive_ins(spec, head_of(spec, depth), store) for spec in specs}
    problems: list[Problem] = []
    for spec in specs:
        each = found[spec.camera]
        if each.note:
            _LOG.warning("%s: %s", spec.camera, each.note)
        if each.metres is not None:
            tight = too_tight(("cameras", spec.camera), spec, each.metres)
            problems += [Problem(config.mark(at), at, message) for at, message in tight]
    if problems:
        raise ConfigError(problems)
    return tuple(replace(spec, metres=found[spec.camera].metres) for spec in specs)


def check_ranges(config: Config, specs: Sequence[CameraSpec], depth: Mapping[str, bytes]) -> None:
    """Thresholds against the ranges of the heads as they were loaded.

    Raises:
        ConfigError: one lies beyond what its head can tell.
    """
    heads = {name: depth_from_bytes(data).about for name, data in depth.items()}
    problems: list[Problem] = []
    for spec in specs:
        for name in spec.heads:
            about = heads.get(f"{name}@{spec.camera}") or heads.get(name)
            if about is None or about.output != "metric":
                continue
            place = ("cameras", spec.camera)
            found = beyond_range(place, spec, name, about.range_metres[1], about.reference_focal_px)
            problems += [Problem(config.mark(at), at, message) for at, message in found]
    if problems:
        raise ConfigError(problems)


def _depth_heads(
    config: Config, specs: Sequence[CameraSpec], loaded: Callable[[], Engine], progress: Progress
) -> dict[str, bytes]:
    """By head, or `head@camera` for one fitted at that camera's view."""
    folder = default_cache_dir().parent / "depth"
    found: dict[str, bytes] = {}
    for name, head in config.heads.items():
        if not isinstance(head, DepthHead):
            continue
        if head.checkpoint == "simulated":
            told = _told("fitting depth", progress)
            found[name] = simulated_head(loaded(), config.model.shapes[0], folder, told).to_bytes()
            continue
        if head.checkpoint != "fit_for_view":
            found[name] = _named_head(name, head.checkpoint, config.model)
            continue
        for spec in specs:
            if name in spec.heads:
                found[f"{name}@{spec.camera}"] = _own_head(spec, loaded(), folder, progress)
    return found


def _named_head(name: str, checkpoint: str, model: ModelConfig) -> bytes:
    """A published head, or one from a file."""
    try:
        return load_depth_head(checkpoint, model.backbone, model.weights, licences=model.licences).to_bytes()
    except ValueError as error:
        raise PipelineError(f"heads.{name}: {error}", code="no_depth_head") from None


def _check_depth(depth: Mapping[str, DepthModel], engine: Engine) -> None:
    """Named as the file has them, since an analyzer's own error names none."""
    backbone = engine.backbone
    for name, head in depth.items():
        try:
            head.about.check_backbone(backbone.fingerprint, backbone.info.published_as)
        except HeadMismatchError as error:
            raise PipelineError(f"heads.{name}: {error}", code="no_depth_head") from None


def _on(device: str, head: DepthModel) -> DepthModel:
    """Decoders of many layers compute where the backbone does; linear ones are quicker where their tokens arrive."""
    return head.to(device) if isinstance(head, DepthDpt) else head


def _own_head(spec: CameraSpec, engine: Engine, folder: Path, progress: Progress) -> bytes:
    if spec.view is None:
        msg = f"camera {spec.camera}: fit_for_view needs `view:` (hfov, height, pitch)"
        raise PipelineError(msg, code="no_view")
    told = _told(f"fitting depth for {spec.camera}", progress)
    return head_for_view(engine, spec.view, spec.shape, folder, told).to_bytes()


def _told(what: str, progress: Progress) -> Callable[[int], None]:
    return lambda done: progress(what, done, PICTURES_PER_FIT)


def _store_banks(config: Config, store: ArtefactStore, engine: Callable[[], Engine]) -> None:
    """What the heads that label apply, as their kinds make it; a new version only where the bytes are new."""
    for name, head in config.heads.items():
        kind = head_kind(head)
        if kind is None:
            continue
        try:
            data = kind.artefact(head, engine, config.model.shapes)
        except (ValueError, OSError) as error:
            msg = f"heads.{name}: {error}"
            raise PipelineError(msg, code="bank") from None
        newest = store.latest(f"head/{name}")
        if newest is None or store.get(newest) != data:
            store.put(f"head/{name}", data)


def _check_banks(spec: ModelSpec, engine: Engine, store: NodeStore) -> None:
    """Before the first frame, since every single one would fail."""
    for name in sorted({name for camera in spec.cameras for name in camera.heads}):
        version, head = store.latest(f"head/{name}"), spec.heads.get(name)
        kind = None if head is None else head_kind(head)
        if version is None or kind is None:
            continue
        if (why := kind.misfit(store.get(version), engine, spec.model.shapes)) is not None:
            raise PipelineError(f"heads.{name}: {why}", code="bank")
