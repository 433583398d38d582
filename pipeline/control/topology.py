"""Turns (configuration, what the nodes offer) into a plan. Pure: the supervisor carries it out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

DECODER = "decode-"
"""Decode actors are called so, with a number."""
READERS_PER_DECODER = 16
"""At most this many reader threads a process. Source: measured, 24 cameras 720p25 took 1.56 cores in threads."""
GPU_BATCH = 32
GPU_WAIT_SECONDS = 0.020
CPU_BATCH = 1
"""On a CPU a larger batch is not faster, and one picture a lane keeps the age low."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the cluster has."""

    cpus: int
    gpus: int


@dataclass(frozen=True, slots=True)
class DecoderPlan:
    """One decode actor and its feeds; each feed is one reader thread."""

    name: str
    feeds: tuple[tuple[str, ...], ...]

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(camera for feed in self.feeds for camera in feed)

    def feed_of(self, camera: str) -> tuple[str, ...]:
        return next(feed for feed in self.feeds if camera in feed)


@dataclass(frozen=True, slots=True)
class AnalyzerPlan:
    """One analyze actor."""

    name: str
    lanes: int
    gpus: int
    max_batch_size: int
    max_wait_seconds: float


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

    def publisher(self, name: str) -> PublisherPlan:
        return next(each for each in self.publishers if each.name == name)

    def decoder_of(self, camera: str) -> str:
        return next(each.name for each in self.decoders if camera in each.cameras)

    def publisher_of(self, camera: str) -> str:
        return next(each.name for each in self.publishers if camera in each.cameras)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the configuration asks for."""

    feeds: tuple[tuple[str, ...], ...]
    """Cameras by reader."""
    rates: Mapping[str, float]
    """Wanted pictures per second by camera."""
    decoders: int | None = None
    analyzers: int | None = None
    lanes: int | None = None
    publishers: int = 1
    batch: int | None = None


def make_plan(wish: Wish, offer: Offer) -> Plan:
    """Places readers, model workers and publishers.

    One analyzer per GPU; without a GPU one analyzer with a lane per core. Credits follow the owners' wanted rates, so
    that a small owner's cameras do not starve and a large one's are not slowed; every owner gets at least one.
    """
    decoders = _decoders(wish)
    analyzers = _analyzers(wish, offer)
    publishers = _publishers([camera for feed in wish.feeds for camera in feed], wish.publishers)
    return Plan(decoders, analyzers, publishers, _credits(decoders, analyzers, wish.rates))


def isolate(plan: Plan, feed: tuple[str, ...], rates: Mapping[str, float]) -> Plan:
    """The plan with a decode actor for this feed alone; all others stay where they are. The same plan if it is alone
    already.
    """
    crowded = next(each for each in plan.decoders if feed in each.feeds)
    if len(crowded.feeds) == 1:
        return plan
    rest = replace(crowded, feeds=tuple(each for each in crowded.feeds if each != feed))
    numbers = (int(each.name.removeprefix(DECODER)) for each in plan.decoders)
    alone = DecoderPlan(f"{DECODER}{max(numbers) + 1}", (feed,))
    decoders = (*(rest if each is crowded else each for each in plan.decoders), alone)
    return replace(plan, decoders=decoders, credits=_credits(decoders, plan.analyzers, rates))


def _decoders(wish: Wish) -> tuple[DecoderPlan, ...]:
    least = -(-len(wish.feeds) // READERS_PER_DECODER)
    count = max(1, least, min(wish.decoders or 1, len(wish.feeds)))
    loads = [0.0] * count
    members: list[list[tuple[str, ...]]] = [[] for _ in range(count)]
    heaviest_first = sorted(wish.feeds, key=lambda feed: (-sum(wish.rates.get(c, 1.0) for c in feed), feed))
    for feed in heaviest_first:
        lightest = min(range(count), key=lambda n: (len(members[n]) >= READERS_PER_DECODER, loads[n], n))
        members[lightest].append(feed)
        loads[lightest] += sum(wish.rates.get(camera, 1.0) for camera in feed)
    return tuple(DecoderPlan(f"{DECODER}{n}", tuple(feeds)) for n, feeds in enumerate(members) if feeds)


def _analyzers(wish: Wish, offer: Offer) -> tuple[AnalyzerPlan, ...]:
    if offer.gpus:
        count = min(wish.analyzers or offer.gpus, offer.gpus)
        return tuple(
            AnalyzerPlan(f"analyze-{n}", 1, 1, wish.batch or GPU_BATCH, GPU_WAIT_SECONDS) for n in range(count)
        )
    count = wish.analyzers or 1
    lanes = wish.lanes or max(1, offer.cpus // count)
    return tuple(AnalyzerPlan(f"analyze-{n}", lanes, 0, wish.batch or CPU_BATCH, 0.0) for n in range(count))


def _publishers(cameras: Sequence[str], count: int) -> tuple[PublisherPlan, ...]:
    members: list[list[str]] = [[] for _ in range(count)]
    for camera in cameras:
        members[publisher_index(camera, count)].append(camera)
    return tuple(PublisherPlan(f"publish-{n}", tuple(each)) for n, each in enumerate(members))


def publisher_index(camera: str, count: int) -> int:
    """Stable over restarts and machines: a camera's state lies with its publisher."""
    return int.from_bytes(hashlib.sha256(camera.encode()).digest()[:8], "big") % count


def _credits(
    decoders: Sequence[DecoderPlan], analyzers: Sequence[AnalyzerPlan], rates: Mapping[str, float]
) -> dict[tuple[str, str], int]:
    wanted = {each.name: sum(rates.get(camera, 1.0) for camera in each.cameras) for each in decoders}
    total = sum(wanted.values()) or 1.0
    given: dict[tuple[str, str], int] = {}
    for analyzer in analyzers:
        # One call more than there are lanes, so that a lane never waits for a hop and little waits for a lane.
        slots = analyzer.lanes + 1 if analyzer.gpus == 0 else 4
        for decoder in decoders:
            given[decoder.name, analyzer.name] = max(1, round(slots * wanted[decoder.name] / total))
    return given
