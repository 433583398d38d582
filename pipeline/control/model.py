"""From configuration to a loaded analyzer, with the depth heads and banks that it needs.

Used by the analyze actor, `validate`, the acceptance run and the demo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from operators.analyzer import Analyzer
from operators.backbone import Engine, load_backbone
from operators.backbone.checkpoints import default_cache_dir
from operators.backbone.config import ModelConfig
from operators.camera import CameraSpec
from operators.heads.config import DepthHead, HeadConfig, KnnHead, SimilarityHead
from operators.heads.depth_linear import DepthLinear
from operators.heads.fit_depth import fit_for_view
from operators.retrieval.bank import Bank
from operators.retrieval.build_bank import wanted_bank
from operators.scene.config import ViewConfig
from pipeline.config.loader import Config
from pipeline.errors import PipelineError
from pipeline.frame_path.artefacts import ArtefactStore
from pipeline.simulation.pose import Pose
from pipeline.simulation.training import training_frames

FIT_PICTURES = 240
"""Simulated pictures of other layouts. Source: own measurements, 200 to 360 suffice."""
_FIT_SEED = 40_000
_SHIPPED = Path(__file__).resolve().parents[2] / "operators" / "heads" / "assets"

Progress = Callable[[str, int, int], None]
"""(what, done, of)."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What an analyzer needs; picklable, paths only."""

    model: ModelConfig
    heads: Mapping[str, HeadConfig]
    cameras: tuple[CameraSpec, ...]
    artefacts: Path
    depth_files: Mapping[str, Path]
    """By head, or by `head@camera` for one fitted at that camera's view."""


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
        {name: DepthLinear.load(path) for name, path in spec.depth_files.items()},
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
    fitted = {
        (name, spec.camera): spec
        for name, head in config.heads.items()
        for spec in specs
        if isinstance(head, DepthHead) and head.checkpoint == "fit_for_view" and name in spec.heads
    }
    files = {
        name: depth_file(config.model, head)
        for name, head in config.heads.items()
        if isinstance(head, DepthHead) and head.checkpoint != "fit_for_view"
    }
    for (name, camera), spec in fitted.items():
        files[f"{name}@{camera}"] = _fitted_file(loaded(), spec, progress)
    return ModelSpec(config.model, config.heads, specs, artefacts, files)


def depth_file(model: ModelConfig, head: DepthHead) -> Path:
    """The file of a depth head that is not fitted per camera.

    Raises:
        PipelineError: it is not there.
    """
    if head.checkpoint == "simulated":
        path = _SHIPPED / f"depth_{model.weights}_{model.backbone.removeprefix('dinov2_')}.safetensors"
        if not path.is_file():
            msg = (
                f"no depth head is shipped for {model.backbone} with weights {model.weights!r}: expected {path.name}. "
                "Use checkpoint: fit_for_view, or model.weights: standin"
            )
            raise PipelineError(msg, code="no_depth_head")
        return path
    path = Path(head.checkpoint)
    if not path.is_file():
        msg = (
            f"depth head {head.checkpoint!r} is not there: expected simulated, fit_for_view or a safetensors file that "
            "`DepthLinear.to_bytes` made; Meta's own heads are not built yet"
        )
        raise PipelineError(msg, code="no_depth_head")
    return path


def _fitted_file(engine: Engine, spec: CameraSpec, progress: Progress) -> Path:
    if spec.view is None:
        msg = f"camera {spec.camera}: fit_for_view needs `view:` (hfov, height, pitch)"
        raise PipelineError(msg, code="no_view")
    said = repr((engine.backbone.fingerprint, spec.view.model_dump(), spec.shape, FIT_PICTURES))
    path = default_cache_dir().parent / "depth" / f"{hashlib.sha256(said.encode()).hexdigest()[:24]}.safetensors"
    if not path.is_file():
        pictures = training_frames(FIT_PICTURES, _pose(spec.view), _FIT_SEED)
        head = fit_for_view(
            engine,
            spec.view,
            pictures,
            spec.shape,
            lambda done: progress(f"fitting depth for {spec.camera}", done, FIT_PICTURES),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(head.to_bytes())
        fresh.replace(path)
    return path


def _pose(view: ViewConfig) -> Pose:
    return Pose(view.height, view.pitch, view.hfov, yaw=view.yaw)


def _store_banks(config: Config, store: ArtefactStore, engine: Callable[[], Engine]) -> None:
    """Banks of `knn` heads as they lie in their folders, those of `similarity` heads made from their pictures."""
    for name, head in config.heads.items():
        if not isinstance(head, KnnHead | SimilarityHead):
            continue
        try:
            bank = Bank.load(Path(head.bank)) if isinstance(head, KnnHead) else _wanted(config, head, engine())
        except (ValueError, OSError) as error:
            msg = f"heads.{name}: {error}"
            raise PipelineError(msg, code="bank") from None
        data, newest = bank.to_bytes(), store.latest(f"bank/{name}")
        if newest is None or store.get(newest) != data:
            store.put(f"bank/{name}", data)


def _check_banks(spec: ModelSpec, engine: Engine, store: ArtefactStore) -> None:
    """Before the first frame, since every single one would fail."""
    for name in sorted({name for camera in spec.cameras for name in camera.heads}):
        version = store.latest(f"bank/{name}")
        if version is None:
            continue
        bank = Bank.from_bytes(store.get(version))
        wrong = [shape for shape in spec.model.shapes if engine.backbone.space(shape) != bank.cls.space]
        if wrong:
            ours = f"{engine.backbone.arch.name} {engine.backbone.info.weights} {engine.backbone.fingerprint[:12]}"
            shapes = ", ".join(f"{height}x{width}" for height, width in wrong)
            msg = (
                f"heads.{name}: the bank does not fit the model: expected one made with {ours} at {shapes}, got "
                f"{bank.made_with or 'other weights'}, or shapes of another shorter side. Build it again with "
                "`bank build`, with these --weights and --shape"
            )
            raise PipelineError(msg, code="bank")


def _wanted(config: Config, head: SimilarityHead, engine: Engine) -> Bank:
    folder = Path(head.pictures)
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    return wanted_bank(files, engine, config.model.shapes)
