"""From configuration to a loaded analyzer, with the depth heads and banks that it needs.

Used by the analyze actor, `validate`, the acceptance run and the demo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from operators.analyzer import Analyzer
from operators.backbone import Engine, load_backbone
from operators.backbone.checkpoints import default_cache_dir
from operators.backbone.config import ModelConfig
from operators.camera import CameraSpec
from operators.heads.config import DepthHead, HeadConfig
from operators.heads.depth_linear import DepthLinear
from operators.heads.kinds import label_kind
from pipeline.config.loader import Config
from pipeline.errors import PipelineError
from pipeline.frame_path.artefacts import ArtefactStore
from pipeline.simulation.depth_heads import PICTURES_PER_FIT, head_for_view, simulated_head

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
    """Depth heads (12 kB each) by head, or by `head@camera` for one fitted at that camera's view."""


def load_engine(model: ModelConfig, device: str = "cpu") -> Engine:
    """The backbone, ready to run.

    Raises:
        WeightsError: the weights cannot be had, or their licence is not accepted.
    """
    backbone = load_backbone(model.backbone, model.weights, licences=model.licences, device=device)
    return Engine(backbone, model.precision)


def build_analyzer(spec: ModelSpec, device: str = "cpu", engine: Engine | None = None) -> Analyzer:
    """The analyzer, warmed up.

    Raises:
        WeightsError: the weights cannot be had.
        HeadMismatchError: a depth head was fitted on other weights.
        PipelineError: a bank was made with other weights or for pictures of another size.
    """
    engine = engine or load_engine(spec.model, device)
    store = ArtefactStore(spec.artefacts)
    _check_banks(spec, engine, store)
    analyzer = Analyzer(
        engine,
        spec.heads,
        spec.cameras,
        store.get,
        {name: DepthLinear.from_bytes(data) for name, data in spec.depth.items()},
    )
    analyzer.warm_up()
    return analyzer


def model_spec(config: Config, engine: Engine | None = None, progress: Progress = lambda *_: None) -> ModelSpec:
    """Everything the analyzer of `config` needs, made where it is not there yet.

    Banks go into the artefact store, where the publisher finds their newest version. A depth head that is fitted at a
    camera's view is fitted once (minutes on a CPU) and kept by weights and view.

    Raises:
        PipelineError: a bank or a depth head is missing.
        WeightsError: as for `load_engine`.
    """
    artefacts = Path(config.runtime.state_dir) / "artefacts"
    specs = tuple(config.camera_spec(camera) for camera in config.cameras)

    @cache
    def loaded() -> Engine:
        return engine or load_engine(config.model)

    _store_banks(config, ArtefactStore(artefacts), loaded)
    return ModelSpec(config.model, config.heads, specs, artefacts, _depth_heads(config, loaded, progress))


def _depth_heads(config: Config, loaded: Callable[[], Engine], progress: Progress) -> dict[str, bytes]:
    """By head, or `head@camera` for one fitted at that camera's view."""
    folder = default_cache_dir().parent / "depth"
    found: dict[str, bytes] = {}
    for name, head in config.heads.items():
        if not isinstance(head, DepthHead):
            continue
        if head.checkpoint != "fit_for_view":
            found[name] = _general_head(config.model, head, loaded, folder, progress)
            continue
        for camera in config.cameras:
            spec = config.camera_spec(camera)
            if name in spec.heads:
                found[f"{name}@{camera}"] = _own_head(spec, loaded(), folder, progress)
    return found


def _general_head(
    model: ModelConfig, head: DepthHead, loaded: Callable[[], Engine], folder: Path, progress: Progress
) -> bytes:
    """For cameras of any pose: `simulated`, or a file."""
    if head.checkpoint == "simulated":
        engine = loaded()
        shape = model.shapes[0]
        return simulated_head(engine, shape, folder, _told("fitting depth", progress)).to_bytes()
    path = Path(head.checkpoint)
    if not path.is_file():
        msg = (
            f"depth head {head.checkpoint!r} is not there: expected simulated, fit_for_view or a safetensors file that "
            "`DepthLinear.to_bytes` made; Meta's own heads are not built yet"
        )
        raise PipelineError(msg, code="no_depth_head")
    return path.read_bytes()


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
        kind = label_kind(head)
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


def _check_banks(spec: ModelSpec, engine: Engine, store: ArtefactStore) -> None:
    """Before the first frame, since every single one would fail."""
    for name in sorted({name for camera in spec.cameras for name in camera.heads}):
        version, head = store.latest(f"head/{name}"), spec.heads.get(name)
        kind = None if head is None else label_kind(head)
        if version is None or kind is None:
            continue
        if (why := kind.misfit(store.get(version), engine, spec.model.shapes)) is not None:
            raise PipelineError(f"heads.{name}: {why}", code="bank")
