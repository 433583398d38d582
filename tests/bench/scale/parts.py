"""What a simulation moves: cameras, owners with their credits, analyzers with the real pool's choice, the outcome."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from pipeline.control.planning.plan import AnalyzerPlan
from pipeline.frame_path.lanes import LaneLimits, LanePool, _Call
from pipeline.frame_path.owner.batching import FairShare
from pipeline.frame_path.owner.handles import OwnedCamera
from pipeline.frame_path.owner.mailbox import Mailbox


class VirtualClock:
    """Shows what the simulation says."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall_ns(self) -> int:
        return round(self.now * 1e9)

    def wait(self, event: Any, seconds: float) -> bool:  # pragma: no cover - nobody waits here
        raise NotImplementedError


@dataclass(slots=True)
class Camera:
    """One camera at its owner."""

    owned: OwnedCamera
    mailbox: Mailbox
    owner: Owner
    publisher: int
    offered: int = 0
    """Sampled and changed: what the model is asked for."""
    analysed: int = 0
    seq: int = 0


@dataclass(slots=True, eq=False)
class Seat:
    """One credit: a call of one owner at one analyzer."""

    owner: Owner
    analyzer: Analyzer
    is_open: bool = True


@dataclass(slots=True, eq=False)
class Owner:
    """What one decode actor keeps."""

    name: str
    share: FairShare
    waiting: dict[str, Camera] = field(default_factory=dict)
    free: list[Seat] = field(default_factory=list)
    is_alive: bool = True


@dataclass(slots=True, eq=False)
class Call(_Call):
    """A call of an owner: its frames, as the lane pool keeps them."""

    seat: Seat | None = None


class Analyzer:
    """The real pool without threads: it chooses each batch; the simulation runs it."""

    def __init__(self, plan: AnalyzerPlan, clock: VirtualClock) -> None:
        limits = LaneLimits(0, plan.max_batch_size, plan.max_wait_seconds)
        self.plan = plan
        self.pool = LanePool(lambda _: [], limits, clock)
        self.idle = plan.lanes
        self.gathers_until: float | None = None
        self.is_alive = True
        self.busy_seconds = 0.0
        self.slowness = 1.0
        """How much longer it takes than it should."""
        self.callers: set[Owner] = set()
        """Owners with credits here."""

    @property
    def waiting(self) -> deque[tuple[_Call, int]]:
        return self.pool._waiting


@dataclass(slots=True)
class Outcome:
    """What one run brought; ages in seconds from a decoded frame to its receipt."""

    seconds: float = 0.0
    ages: list[float] = field(default_factory=list)
    fates: Counter[str] = field(default_factory=Counter[str])
    """Of sampled frames: analysed, gated, replaced, stale, lost, and `unread` where nobody read the camera."""
    shares: list[float] = field(default_factory=list)
    """Of each camera that asked for some: analysed by offered."""
    calls: int = 0
    batches: int = 0
    batched: int = 0
    analyzer_busy: float = 0.0
    """Of all lanes."""
    publisher_busy: float = 0.0
    """Of the busiest publisher."""
