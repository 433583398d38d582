"""Pictures of the camera that is set up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.cli.app import UserError
from pipeline.cli.source_argument import as_user_error
from pipeline.cli.tryout.watcher import Ended, Opened, Seen, Watcher
from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources.base import Feed
from pipeline.sources.config import SourceConfig
from pipeline.sources.registry import build_feed

_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that can be opened again and again."""

    name: str
    source: SourceConfig
    secrets: Secrets

    def feed(self) -> Feed:
        """A fresh one; a file is read as fast as it can be."""
        source = self.source
        if source.file is not None:
            source = source.model_copy(update={"pace": "as_fast_as_possible", "loop": True})
        return build_feed({self.name: source}, self.secrets, (), KafkaSecurity())

    def pictures(self, count: int, every_seconds: float = 1.0, skip: int = 0) -> Iterator[np.ndarray]:
        """`count` pictures, uint8 (H, W, 3) RGB at full size, `every_seconds` apart, after leaving out `skip`.

        Raises:
            UserError: the camera cannot be opened, fails, or ends before.
        """
        given = -skip
        with Watcher(self.feed(), seconds=_DAY_SECONDS, fps=1 / every_seconds) as watcher:
            while given < count:
                news = watcher.take()
                if isinstance(news, Opened):
                    continue
                if isinstance(news, Ended):
                    raise self._ended(news, max(0, given), count)
                assert isinstance(news, Seen)
                given += 1
                if given > 0:
                    yield news.rgb

    def _ended(self, news: Ended, given: int, count: int) -> UserError:
        if news.error is not None:
            return as_user_error(news.error)
        return UserError(f"{self.name}: ended after {given} of {count} pictures: expected a longer clip", 1)
