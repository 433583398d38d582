"""The model of one camera as `run` would build it, for commands that teach or measure it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.camera import CameraSpec
from pipeline.config.files_here import fetched
from pipeline.config.loader import Config
from pipeline.control.model import ModelSpec, build_analyzer, load_engine, model_spec
from pipeline.frame_path.publisher.artefacts import ArtefactStore

Progress = Callable[[str, int, int], None]
"""(what, done, of)."""


@dataclass(frozen=True, slots=True, repr=False)
class Fitted:
    """A camera's model, its depth head fitted."""

    config: Config
    """With this camera alone."""
    model: ModelSpec
    spec: CameraSpec
    analyzer: Analyzer

    @property
    def artefacts(self) -> ArtefactStore:
        """Of the configuration's state."""
        return ArtefactStore(self.model.artefacts)


class Model:
    """Loads the weights once, at the first call that needs them. Blocks; not thread-safe."""

    def __init__(self) -> None:
        self._engine: Engine | None = None

    def fitted(self, config: Config, camera: str, progress: Progress, *, has_rules: bool = True) -> Fitted:
        """The camera's analyzer as `run` would build it; its depth head is fitted at its view where that is not done.

        Args:
            config: Where the camera stands.
            camera: Its name.
            progress: Told while it takes its time.
            has_rules: False leaves them out: drive-ins measure what may show them to be wrong.

        Raises:
            WeightsError: the weights cannot be had.
            PipelineError: a bank or a head is missing, or the camera has no view to fit at.
            ConfigError: a threshold lies beyond what the depth head can tell.
        """
        found = config.cameras[camera]
        if not has_rules:
            found = found.model_copy(update={"rules": {}})
        alone = replace(config, cameras={camera: found})
        if self._engine is None:
            progress("loading the weights", 0, 1)
            self._engine = load_engine(fetched(config, lambda said: progress(said, 0, 1)).model)
        model = model_spec(alone, self._engine, progress)
        analyzer = build_analyzer(model, engine=self._engine)
        return Fitted(alone, model, model.camera(camera), analyzer)
