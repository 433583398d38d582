"""Turns (configuration, what the nodes offer, what runs now) into a plan. Pure: the supervisor carries it out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from pipeline.control.planning.credits import share_credits
from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan, Feed, Node, Offer, Plan, PublisherPlan, Wish

DECODER = "decode-"
"""Decode actors are called so, with a number."""
ANALYZER = "analyze-"
READERS_PER_DECODER = 16
"""At most this many reader threads a process. Source: measured, 24 cameras 720p25 took 1.56 cores in threads."""
GPU_BATCH = 32
GPU_WAIT_SECONDS = 0.020
CPU_BATCH = 1
"""On a CPU a larger batch is not faster, and one picture a lane keeps the age low."""


def make_plan(wish: Wish, offer: Offer, before: Plan | None = None) -> Plan:
    """Places readers, model workers and publishers.

    One analyzer per GPU; without a GPU one a node, with a lane per core. Credits follow the owners' wanted rates, see
    `credits.py`. What ran `before` stays where it was while its node is there: only what is new, or has lost its node,
    is placed.
    """
    decoders = _decoders(wish, offer, () if before is None else before.decoders)
    analyzers = _analyzers(wish, offer, () if before is None else before.analyzers)
    publishers = _publishers([camera for feed in wish.feeds for camera in feed], wish.publishers)
    had = {} if before is None else before.credits
    return Plan(decoders, analyzers, publishers, share_credits(decoders, analyzers, wish, had))


def moves(before: Plan, after: Plan) -> list[str]:
    """What changes, for people."""
    was = {each.name: each for each in (*before.decoders, *before.analyzers)}
    now = {each.name: each for each in (*after.decoders, *after.analyzers)}
    found = [f"{name} ends" for name in was if name not in now]
    for name, each in now.items():
        if name not in was:
            found.append(f"{name} begins ({each.why})")
        elif was[name].node != each.node:
            found.append(f"{name} moves ({each.why})")
    return found


def isolate(plan: Plan, feed: Feed, wish: Wish) -> Plan:
    """The plan with a decode actor for this feed alone; all others stay where they are. The same plan if it is alone
    already.
    """
    crowded = next(each for each in plan.decoders if feed in each.feeds)
    if len(crowded.feeds) == 1:
        return plan
    rest = replace(crowded, feeds=tuple(each for each in crowded.feeds if each != feed))
    why = "it crashed its decoder twice, so it is read alone"
    alone = replace(crowded, name=_next_name(plan.decoders), feeds=(feed,), why=why)
    decoders = (*(rest if each is crowded else each for each in plan.decoders), alone)
    return replace(plan, decoders=decoders, credits=share_credits(decoders, plan.analyzers, wish, plan.credits))


# --- decoders -------------------------------------------------------------------------------------------------------


def _decoders(wish: Wish, offer: Offer, before: Sequence[DecoderPlan]) -> tuple[DecoderPlan, ...]:
    if not before:
        return tuple(_first_decoders(wish, offer))
    kept = _kept(wish, before)
    homeless = [each for each in kept if each.node is None or not offer.has(each.node)]
    decoders = [each for each in kept if each not in homeless]
    for each in sorted(homeless, key=lambda each: -wish.cores_of(each.feeds)):
        decoders.append(_at_home(each, wish, offer, decoders))
    placed = {feed for each in kept for feed in each.feeds}
    for feed in _heaviest_first([feed for feed in wish.feeds if feed not in placed], wish):
        _join(decoders, feed, wish, offer)
    return tuple(sorted(decoders, key=_number))


def _kept(wish: Wish, before: Sequence[DecoderPlan]) -> list[DecoderPlan]:
    """With the feeds that are still wanted, from the same place; a decoder that has none left is gone."""
    wanted = set(wish.feeds)
    found = [
        replace(each, feeds=tuple(feed for feed in each.feeds if feed in wanted and wish.place_of(feed) == each.place))
        for each in before
    ]
    return [each for each in found if each.feeds]


def _first_decoders(wish: Wish, offer: Offer) -> list[DecoderPlan]:
    """Feeds in even groups by wanted rate, apart by place; the heaviest group to the emptiest node first."""
    groups: list[tuple[str | None, tuple[Feed, ...]]] = []
    places = sorted({wish.place_of(feed) for feed in wish.feeds}, key=str)
    for place in places:
        feeds = [feed for feed in wish.feeds if wish.place_of(feed) == place]
        least = -(-len(feeds) // READERS_PER_DECODER)
        wanted = wish.decoders or len(_reaching(offer, place))
        groups += [(place, each) for each in _even(feeds, max(1, least, min(wanted, len(feeds))), wish)]
    decoders: list[DecoderPlan] = []
    order = sorted(range(len(groups)), key=lambda n: (-wish.cores_of(groups[n][1]), n))
    for n in order:
        place, feeds = groups[n]
        fresh = DecoderPlan(f"{DECODER}{n}", feeds, place=place)
        decoders.append(_at_home(fresh, wish, offer, decoders))
    return sorted(decoders, key=_number)


def _even(feeds: Sequence[Feed], count: int, wish: Wish) -> list[tuple[Feed, ...]]:
    loads = [0.0] * count
    members: list[list[Feed]] = [[] for _ in range(count)]
    for feed in _heaviest_first(feeds, wish):
        lightest = min(range(count), key=lambda n: (len(members[n]) >= READERS_PER_DECODER, loads[n], n))
        members[lightest].append(feed)
        loads[lightest] += wish.rate_of([feed])
    return [tuple(each) for each in members if each]


def _join(decoders: list[DecoderPlan], feed: Feed, wish: Wish, offer: Offer) -> None:
    """One more feed beside others: in the decoder with the fewest readers that has room, else in one of its own."""
    place = wish.place_of(feed)
    open_ = [each for each in decoders if each.place == place and len(each.feeds) < READERS_PER_DECODER and each.node]
    if open_:
        chosen = min(open_, key=lambda each: (len(each.feeds), wish.rate_of(each.feeds), each.name))
        decoders[decoders.index(chosen)] = replace(chosen, feeds=(*chosen.feeds, feed))
        return
    alone = DecoderPlan(_next_name(decoders), (feed,), place=place)
    decoders.append(_at_home(alone, wish, offer, decoders))


def _at_home(decoder: DecoderPlan, wish: Wish, offer: Offer, others: Sequence[DecoderPlan]) -> DecoderPlan:
    """On the node that reaches its cameras and whose cores decode the least of what it has."""
    nodes = _reaching(offer, decoder.place)
    if not nodes:
        why = f"no node has the label place={decoder.place}. Start one with `ray start --labels place={decoder.place}`"
        return replace(decoder, node=None, why=why)

    def load(node: Node) -> tuple[float, float]:
        there = [feed for each in others if each.node == node.id for feed in each.feeds]
        return wish.cores_of(there) / node.cpus, len(there) / node.cpus

    chosen = min(nodes, key=lambda node: (*load(node), nodes.index(node)))
    reach = "" if decoder.place is None else f" in place {decoder.place}"
    moved = "" if decoder.node is None else "its node is gone; "
    why = f"{moved}least decoding of {len(nodes)} nodes{reach}: {load(chosen)[0]:.0%} of its {chosen.cpus} cores"
    return replace(decoder, node=chosen.id, why=f"{moved}the only node" if len(offer.nodes) == 1 else why)


def _reaching(offer: Offer, place: str | None) -> list[Node]:
    return [node for node in offer.nodes if place is None or place == node.place]


def _heaviest_first(feeds: Sequence[Feed], wish: Wish) -> list[Feed]:
    return sorted(feeds, key=lambda feed: (-wish.rate_of([feed]), feed))


def _next_name(decoders: Sequence[DecoderPlan]) -> str:
    return f"{DECODER}{max(map(_number, decoders), default=-1) + 1}"


def _number(actor: DecoderPlan | AnalyzerPlan) -> int:
    """Of `decode-12`, 12."""
    return int(actor.name.rpartition("-")[2])


# --- analyzers, publishers ------------------------------------------------------------------------------------------


def _analyzers(wish: Wish, offer: Offer, before: Sequence[AnalyzerPlan]) -> tuple[AnalyzerPlan, ...]:
    """Those whose node is there stay; others take what is free beside them."""
    if not wish.are_placed:
        return _floating(wish, offer, before)
    seats = _seats(wish, offer)
    kept: list[AnalyzerPlan] = []
    for each in before:
        seat = next((seat for seat in seats if (seat.node, seat.gpus) == (each.node, each.gpus)), None)
        if seat is not None:
            seats.remove(seat)
            kept.append(each)
    names = [name for n in range(len(kept) + len(seats)) if (name := f"{ANALYZER}{n}") not in {k.name for k in kept}]
    fresh: list[AnalyzerPlan] = []
    for seat, name in zip(seats, names, strict=False):
        node = next(node for node in offer.nodes if node.id == seat.node)
        free = node.cpus - sum(each.lanes for each in kept if each.node == seat.node and not each.gpus)
        if seat.gpus or free > 0 or not kept:
            fresh.append(replace(seat, name=name, lanes=seat.lanes if seat.gpus or not kept else min(seat.lanes, free)))
    return tuple(sorted((*kept, *fresh), key=_number))


def _floating(wish: Wish, offer: Offer, before: Sequence[AnalyzerPlan]) -> tuple[AnalyzerPlan, ...]:
    """As many as wanted, the newest go first; one that fits no node is what an autoscaler answers with a node."""
    count = wish.analyzers or 1
    lanes = wish.lanes or max(node.cpus for node in offer.nodes)
    size = (1, 1, wish.batch or GPU_BATCH, GPU_WAIT_SECONDS) if offer.gpus else (lanes, 0, wish.batch or CPU_BATCH, 0.0)
    why = "wherever there is room: their number follows the load"
    fresh = [AnalyzerPlan(f"{ANALYZER}{n}", *size, why=why) for n in range(len(before), count)]
    return (*before[:count], *fresh)


def _seats(wish: Wish, offer: Offer) -> list[AnalyzerPlan]:
    """Where analyzers may run, without names."""
    if offer.gpus:
        slots = [node for node in offer.nodes for _ in range(node.gpus)][: wish.analyzers or offer.gpus]
        batch = wish.batch or GPU_BATCH
        return [AnalyzerPlan("", 1, 1, batch, GPU_WAIT_SECONDS, node.id, "one for each GPU") for node in slots]
    count = wish.analyzers or len(offer.nodes)
    slots = [offer.nodes[n % len(offer.nodes)] for n in range(count)]
    why = "one a node" if wish.analyzers is None else f"runtime.analyzers: {count}, spread over the nodes"
    batch = wish.batch or CPU_BATCH
    lanes = [wish.lanes or max(1, node.cpus // slots.count(node)) for node in slots]
    return [AnalyzerPlan("", n, 0, batch, 0.0, node.id, why) for node, n in zip(slots, lanes, strict=True)]


def _publishers(cameras: Sequence[str], count: int) -> tuple[PublisherPlan, ...]:
    members: list[list[str]] = [[] for _ in range(count)]
    for camera in cameras:
        members[publisher_index(camera, count)].append(camera)
    return tuple(PublisherPlan(f"publish-{n}", tuple(each)) for n, each in enumerate(members))


def publisher_index(camera: str, count: int) -> int:
    """Stable over restarts and machines: a camera's state lies with its publisher."""
    return int.from_bytes(hashlib.sha256(camera.encode()).digest()[:8], "big") % count
