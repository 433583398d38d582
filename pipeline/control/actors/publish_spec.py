"""What a publisher needs to begin, picklable. Apart from its actor: whoever plans one must not import Ray yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.control.planning.topology import publisher_index
from pipeline.frame_path.publisher.publisher import PublishedCamera
from pipeline.secrets import Secrets
from pipeline.sinks.config import EvidenceConfig, OutboxConfig, SinksConfig


@dataclass(frozen=True, slots=True)
class PublishSpec:
    """What a publisher needs; secrets by name only."""

    name: str
    cameras: tuple[PublishedCamera, ...]
    sinks: SinksConfig
    secrets: Secrets
    state_dir: Path
    site: str
    timezone: str
    outbox: OutboxConfig
    evidence: EvidenceConfig
    artefacts: Path
    """Shared by all publishers and analyzers."""
    place: tuple[int, int] = (0, 1)
    """Which of how many publishers it is."""

    def owns(self, camera: str) -> bool:
        """Whether the camera is this publisher's, also one that is not configured any more."""
        return publisher_index(camera, self.place[1]) == self.place[0]


@dataclass(frozen=True, slots=True)
class Promised:
    """What an analyzer's `about` will answer: a publisher's process starts beside the model's and then waits for it."""

    answer: Any
    """What `begin` of the analyzer returned."""
