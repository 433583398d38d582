"""Turns (configuration, what the nodes offer, what runs now) into a plan. Pure: the supervisor carries it out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from pipeline.control.planning.credits import share_credits
from pipeline.control.planning.decoders import next_name, plan_decoders
from pipeline.control.planning.memory import MIB
from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan, Feed, Offer, Plan, PublisherPlan, Wish

ANALYZER = "analyze-"
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
    decoders = plan_decoders(wish, offer, () if before is None else before.decoders)
    analyzers = _analyzers(wish, offer, decoders, () if before is None else before.analyzers)
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
    already, or with a decoder that follows the load: others read those of one that dies.
    """
    crowded = next(each for each in plan.decoders if feed in each.feeds)
    if len(crowded.feeds) == 1 or crowded.is_floating:
        return plan
    rest = replace(crowded, feeds=tuple(each for each in crowded.feeds if each != feed))
    why = "it crashed its decoder twice, so it is read alone"
    alone = replace(crowded, name=next_name(plan.decoders), feeds=(feed,), why=why)
    decoders = (*(rest if each is crowded else each for each in plan.decoders), alone)
    return replace(plan, decoders=decoders, credits=share_credits(decoders, plan.analyzers, wish, plan.credits))


# --- analyzers, publishers ------------------------------------------------------------------------------------------


def _analyzers(
    wish: Wish, offer: Offer, decoders: Sequence[DecoderPlan], before: Sequence[AnalyzerPlan]
) -> tuple[AnalyzerPlan, ...]:
    """Those whose node is there stay; others take what is free beside them, where there is memory for one."""
    if not wish.are_placed:
        return _floating(wish, offer, before)
    seats = _seats(wish, offer)
    kept: list[AnalyzerPlan] = []
    for each in before:
        seat = next((seat for seat in seats if (seat.node, seat.gpus) == (each.node, each.gpus)), None)
        if seat is not None:
            seats.remove(seat)
            kept.append(each)
    seats = _with_memory(seats, wish, offer, decoders, kept)
    names = [name for n in range(len(kept) + len(seats)) if (name := f"{ANALYZER}{n}") not in {k.name for k in kept}]
    fresh: list[AnalyzerPlan] = []
    for seat, name in zip(seats, names, strict=False):
        node = next(node for node in offer.nodes if node.id == seat.node)
        free = node.cpus - sum(each.lanes for each in kept if each.node == seat.node and not each.gpus)
        if seat.gpus or free > 0 or not kept:
            fresh.append(replace(seat, name=name, lanes=seat.lanes if seat.gpus or not kept else min(seat.lanes, free)))
    return tuple(sorted((*kept, *fresh), key=_number))


def _with_memory(
    seats: Sequence[AnalyzerPlan],
    wish: Wish,
    offer: Offer,
    decoders: Sequence[DecoderPlan],
    kept: Sequence[AnalyzerPlan],
) -> list[AnalyzerPlan]:
    """Those whose node has room for one; where no analyzer would be left, the first one all the same."""
    nodes = {node.id: node for node in offer.nodes}
    found: list[AnalyzerPlan] = []
    for seat in seats:
        needed = wish.memory.analyzer_bytes
        if wish.memory.has_room(nodes[seat.node or ""], needed, decoders, (*kept, *found)):
            found.append(seat)
    if len(found) < len(seats):
        why = f"{len(seats) - len(found)} more have no {wish.memory.analyzer_bytes // MIB} MiB of memory left for one"
        chosen = found if found or kept else seats[:1]
        return [replace(each, why=f"{each.why}; {why}") for each in chosen]
    return found


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


def _number(actor: AnalyzerPlan) -> int:
    """Of `analyze-12`, 12."""
    return int(actor.name.rpartition("-")[2])
