"""What analyzers on other nodes need of the state: weights, views and banks, each asked for once and kept there.

Nothing travels in Ray's `working_dir`: views and banks are made while it runs, and weights are gigabytes. What asks is
in `node_store.py`: this module is imported by the depot's process, and torch would cost that 0.6 GB.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import ArtefactStore, write_once

PART_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file that a configuration names, by its content."""

    path: Path
    sha256: str
    num_bytes: int
    address: str = ""
    """Where every node may fetch it by itself; empty: nowhere."""


class Depot:
    """On the node that holds the state. Reads, and changes nothing; any number of callers."""

    def __init__(self, artefacts: Path, weights: WeightsFile | None) -> None:
        self._store = ArtefactStore(artefacts)
        self._weights = weights
        identity = artefacts / "id"
        write_once(identity, uuid.uuid4().hex.encode())
        self._id = identity.read_text()

    def identity(self) -> str:
        """Of this state: another one counts its versions from 1 again."""
        return self._id

    def latest(self, name: str) -> str | None:
        return self._store.latest(name)

    def get(self, versioned: str) -> bytes:
        """Raises: FileNotFoundError, ValueError."""
        return self._store.get(versioned)

    def part(self, sha256: str, offset: int) -> bytes:
        """`PART_BYTES` of the weights from `offset` on.

        Raises:
            PipelineError: it has no such file.
        """
        if self._weights is None or self._weights.sha256 != sha256:
            raise PipelineError(f"no weights {sha256[:12]} here", code="no_weights")
        with self._weights.path.open("rb") as file:
            file.seek(offset)
            return file.read(PART_BYTES)
