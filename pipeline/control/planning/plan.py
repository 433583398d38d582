"""What a plan is made from and of: nodes and wishes, actors and where they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.control.planning.memory import MemoryNeeds

Feed = tuple[str, ...]
"""Cameras of one reader."""


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of the cluster."""

    id: str
    cpus: int
    gpus: int = 0
    place: str | None = None
    """Its Ray label `place`: cameras that name it can be reached from here."""
    memory_bytes: int = 0
    """Ray's resource `memory`; 0: not told."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the cluster has, by node; never empty."""

    nodes: tuple[Node, ...]

    @classmethod
    def of(cls, cpus: int, gpus: int = 0) -> Offer:
        """One machine."""
        return cls((Node("here", cpus, gpus),))

    @property
    def gpus(self) -> int:
        return sum(node.gpus for node in self.nodes)

    def has(self, node: str) -> bool:
        return any(each.id == node for each in self.nodes)


@dataclass(frozen=True, slots=True)
class DecoderPlan:
    """One decode actor and its feeds; each feed is one reader thread."""

    name: str
    feeds: tuple[Feed, ...]
    node: str | None = None
    """None: no node can reach its cameras now."""
    why: str = ""
    """Why it is on this node, for people."""
    place: str | None = None
    cores: int = 0
    """That it claims, wherever they are free: its number follows the load. 0: it claims none, and is on `node`."""

    @property
    def is_floating(self) -> bool:
        """Ray finds or makes room for it."""
        return self.cores > 0

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(camera for feed in self.feeds for camera in feed)

    def feed_of(self, camera: str) -> Feed:
        return next(feed for feed in self.feeds if camera in feed)


@dataclass(frozen=True, slots=True)
class AnalyzerPlan:
    """One analyze actor."""

    name: str
    lanes: int
    gpus: int
    max_batch_size: int
    max_wait_seconds: float
    node: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class LaneUse:
    """What an analyzer has done since it began."""

    lanes: int
    at_seconds: float
    """When it was asked, by its own monotonic clock."""
    busy_seconds: float
    """Of all lanes together, until then."""
    in_flight: int
    """Calls that wait for their results now."""
    process_bytes: int | None = None
    """Memory of its process; None: nobody tells."""


@dataclass(frozen=True, slots=True)
class PublisherPlan:
    """One publish actor and the cameras that belong to it for ever."""

    name: str
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that runs."""

    decoders: tuple[DecoderPlan, ...]
    analyzers: tuple[AnalyzerPlan, ...]
    publishers: tuple[PublisherPlan, ...]
    credits: dict[tuple[str, str], int]
    """(decoder, analyzer) -> how many calls of that owner may be in flight there."""

    def decoder(self, name: str) -> DecoderPlan:
        return next(each for each in self.decoders if each.name == name)

    def analyzer(self, name: str) -> AnalyzerPlan:
        return next(each for each in self.analyzers if each.name == name)

    def publisher(self, name: str) -> PublisherPlan:
        return next(each for each in self.publishers if each.name == name)

    def decoder_of(self, camera: str) -> str:
        return next(each.name for each in self.decoders if camera in each.cameras)

    def publisher_of(self, camera: str) -> str:
        return next(each.name for each in self.publishers if camera in each.cameras)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the configuration asks for, and what was measured."""

    feeds: tuple[Feed, ...]
    rates: Mapping[str, float]
    """Wanted pictures per second by camera."""
    decoders: int | None = None
    analyzers: int | None = None
    are_placed: bool = True
    """Each analyzer on a node that the plan names; False: wherever Ray finds or makes room."""
    lanes: int | None = None
    publishers: int = 1
    batch: int | None = None
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    """Camera -> the place from which alone it can be reached."""
    decode_cores: Mapping[str, float] = field(default_factory=dict[str, float])
    """CPU cores that reading a camera takes; one that is missing counts nothing."""
    memory: MemoryNeeds = field(default_factory=MemoryNeeds)
    floating: int = 0
    """Decoders beyond the first ones, which come and go with the load."""
    ready: frozenset[str] | None = None
    """Decoders that run, where cameras may move from one to another now; None: they may not."""

    def place_of(self, feed: Feed) -> str | None:
        return self.places.get(feed[0])

    def rate_of(self, feeds: Sequence[Feed]) -> float:
        return sum(self.rates.get(camera, 1.0) for feed in feeds for camera in feed)

    def cores_of(self, feeds: Sequence[Feed]) -> float:
        return sum(self.decode_cores.get(camera, 0.0) for feed in feeds for camera in feed)
