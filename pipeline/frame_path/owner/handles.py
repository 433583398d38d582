"""What an owner is given: its cameras and feeds, and the two kinds of workers that it calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from operators.camera import CameraSpec
from operators.frames import Item
from operators.results import Analysis
from operators.rules.config import ClipWish
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.messages import Attachment, Delivery, Receipt
from pipeline.sources.base import Feed
from pipeline.sources.config import BackoffConfig


class AnalyzerHandle(Protocol):
    """The model's worker. Called from several threads at once, one call a credit."""

    @property
    def name(self) -> str: ...

    def analyze(self, items: Sequence[Item], timeout_seconds: float) -> list[Analysis]:
        """Blocks until done. A pure function: the same items may be sent again elsewhere.

        Raises:
            AnalyzeError: with code `died`, `timeout` or `failed`.
        """
        ...


class PublisherHandle(Protocol):
    """The keeper of rules and order. Called from one thread at a time; answers in milliseconds.

    Two handles are equal if and only if they lead to the same living publisher.
    """

    @property
    def name(self) -> str: ...

    def attach(self, camera: str, lease: int) -> Attachment:
        """Raises: PublishError."""
        ...

    def publish(self, delivery: Delivery) -> Receipt:
        """Raises: PublishError with code `died`, `timeout` or `failed`."""
        ...


PublisherOf = Callable[[str], PublisherHandle]
"""The publisher of a camera; raises `KeyError` while there is none."""


@dataclass(frozen=True, slots=True)
class OwnedCamera:
    """One camera under one lease, as its owner sees it."""

    spec: CameraSpec
    lease: int
    sample: SampleConfig
    is_replayable: bool
    """Files and Kafka topics: nothing is replaced, the reader waits."""
    wants_evidence: bool = False
    frozen_after_seconds: float = 10.0
    shapes: tuple[tuple[int, int], ...] = ()
    """(H, W) to choose from by the aspect of the camera's own pictures; none: `spec.shape`."""
    weight: float = 1.0
    """Share of the model under overload, beside the other cameras' weights."""

    @property
    def camera(self) -> str:
        return self.spec.camera

    @property
    def clip(self) -> ClipWish | None:
        """What all its rules together want of clips; None: nothing."""
        wishes = [rule.evidence.clip for rule in self.spec.rules.values() if rule.evidence is not None]
        clips = [each for each in wishes if each is not None]
        if not clips:
            return None
        return ClipWish.model_construct(
            before=max(each.before for each in clips),
            after=max(each.after for each in clips),
            max_bytes=max(each.max_bytes for each in clips),
        )


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """One reader: the cameras of one feed and how to open it. Picklable."""

    cameras: tuple[OwnedCamera, ...]
    open_feed: Callable[[], Feed]
    backoff: BackoffConfig = field(default_factory=BackoffConfig)
    stall_after_seconds: float = 3.0
    hung_after_seconds: float = 30.0
    """A reader that yields nothing at all, not even `Quiet`, for this long is abandoned and replaced."""
    resume: Mapping[str, str] | None = None
    """By camera, where its source goes on; None: as kept in the owner's own folder."""
