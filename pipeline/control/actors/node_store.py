"""What a node without the state's folder reads in its place, and keeps: artefacts and weights out of the depot."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from operators.backbone.config import ModelConfig
from operators.backbone.weights_folder import default_cache_dir
from pipeline.config.check_model import is_path
from pipeline.config.files_here import file_cache
from pipeline.control.actors.depot import WeightsFile
from pipeline.errors import PipelineError
from pipeline.fetching.address import Address, is_address
from pipeline.frame_path.publisher.artefacts import ArtefactStore

log = logging.getLogger(__name__)


def weights_file(model: ModelConfig, written: str = "") -> WeightsFile | None:
    """The file that `model.weights` names on this machine; None: weights that each node gets by itself.

    `written` is what the configuration says, where that is an address.
    """
    if not is_path(model.weights):
        return None
    path = Path(model.weights).resolve()
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return WeightsFile(path, sha256, path.stat().st_size, written if is_address(written) else "")


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

    A node fetches it once, from its address where it has one and this node gets there, else from the depot.

    Raises:
        PipelineError: the depot does not answer, or what came is not what was asked for.
    """
    if wanted is None or depot is None:
        return model
    path = wanted.path
    if not path.is_file() or path.stat().st_size != wanted.num_bytes:
        path = _copy(wanted, depot)
    return model.model_copy(update={"weights": str(path)})


def _copy(wanted: WeightsFile, depot: DepotHandle) -> Path:
    cache = file_cache()
    address = replace(Address.of(wanted.address), sha256=wanted.sha256)
    if wanted.address:
        try:
            return cache.fetched(address, log.warning)[0]
        except PipelineError as error:
            log.warning("%s; it is copied from the node that holds the state", error)
    named = Address(str(wanted.path), wanted.sha256)
    with cache.one_at_a_time(wanted.sha256) as folder:
        copy = cache.path(wanted.sha256, wanted.path.name)
        if copy.is_file():
            return copy
        part = folder / f"{wanted.sha256}.copy"
        with part.open("wb") as file:
            while file.tell() < wanted.num_bytes and (data := depot.part(wanted.sha256, file.tell())):
                file.write(data)
        with part.open("rb") as file:
            return cache.keep(part, hashlib.file_digest(file, "sha256").hexdigest(), named)
