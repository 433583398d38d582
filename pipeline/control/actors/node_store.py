"""What a node without the state's folder reads in its place, and keeps: artefacts and weights out of the depot."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from operators.backbone.checkpoints import default_cache_dir
from operators.backbone.config import ModelConfig
from pipeline.config.check_model import is_path
from pipeline.control.actors.depot import WeightsFile
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import ArtefactStore, write_whole


def weights_file(model: ModelConfig) -> WeightsFile | None:
    """The file that `model.weights` names on this machine; None: weights that each node gets by itself."""
    if not is_path(model.weights):
        return None
    path = Path(model.weights).resolve()
    with path.open("rb") as file:
        return WeightsFile(path, hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


class DepotHandle(Protocol):
    """A depot as another node calls it; raises PipelineError where it does not answer."""

    def identity(self) -> str: ...
    def latest(self, name: str) -> str | None: ...
    def get(self, versioned: str) -> bytes: ...
    def part(self, sha256: str, offset: int) -> bytes: ...


class NodeStore:
    """The artefacts as an analyzer reads them: from the state's folder where this node has it, else from the depot,
    kept in this node's cache. Thread-safe.
    """

    def __init__(self, artefacts: Path, depot: DepotHandle | None, cache: Path | None = None) -> None:
        """`cache` is a folder of this machine; left out, the user's own."""
        self._here = ArtefactStore(artefacts)
        self._depot = depot
        self._kept: ArtefactStore | None = None
        if depot is not None:
            identity = depot.identity()
            known = artefacts / "id"
            if not known.is_file() or known.read_text() != identity:
                self._kept = ArtefactStore((cache or default_cache_dir().parent) / "artefacts" / identity)

    def latest(self, name: str) -> str | None:
        """The newest version's name."""
        return self._here.latest(name) if self._kept is None or self._depot is None else self._depot.latest(name)

    def get(self, versioned: str) -> bytes:
        """Raises: FileNotFoundError, ValueError; PipelineError: the depot does not answer."""
        if self._kept is None or self._depot is None:
            return self._here.get(versioned)
        try:
            return self._kept.get(versioned)
        except FileNotFoundError:
            data = self._depot.get(versioned)
            self._kept.keep(versioned, data)
            return data


def with_weights_here(model: ModelConfig, wanted: WeightsFile | None, depot: DepotHandle | None) -> ModelConfig:
    """The model with a path that this node has: the file itself, or a copy in this node's cache, named by its content.

    Raises:
        PipelineError: the depot does not answer, or what came is not what was asked for.
    """
    if wanted is None or depot is None:
        return model
    if wanted.path.is_file() and wanted.path.stat().st_size == wanted.num_bytes:
        return model.model_copy(update={"weights": str(wanted.path)})
    copy = default_cache_dir() / f"{wanted.sha256}{wanted.path.suffix}"
    if not copy.is_file():
        data = bytearray()
        while len(data) < wanted.num_bytes:
            part = depot.part(wanted.sha256, len(data))
            if not part:
                break
            data += part
        if hashlib.sha256(data).hexdigest() != wanted.sha256:
            msg = f"weights {wanted.path}: expected {wanted.num_bytes} bytes, sha256 {wanted.sha256[:12]}, got others"
            raise PipelineError(msg, code="no_weights")
        write_whole(copy, bytes(data))
    return model.model_copy(update={"weights": str(copy)})
