"""Who reads which feeds, and where. Pure; what runs stays where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.control.planning.memory import MIB
from pipeline.control.planning.plan import DecoderPlan, Feed, Node, Offer, Wish

DECODER = "decode-"
"""Decode actors are called so, with a number."""
READERS_PER_DECODER = 16
"""At most this many reader threads a process. Source: measured, 24 cameras 720p25 took 1.56 cores in threads."""
FLOATING_CORES = 1
"""What a decoder that follows the load claims: 16 readers of 720p25 take about as much."""


def plan_decoders(wish: Wish, offer: Offer, before: Sequence[DecoderPlan]) -> tuple[DecoderPlan, ...]:
    """Decoders with their feeds; those that were there `before` stay where their node is there."""
    if not before:
        return tuple(_first_decoders(wish, offer))
    kept = _kept(wish, before)
    homeless = [each for each in kept if not each.is_floating and (each.node is None or not offer.has(each.node))]
    decoders = [each for each in kept if each not in homeless]
    for each in sorted(homeless, key=lambda each: -wish.cores_of(each.feeds)):
        decoders.append(_at_home(each, wish, offer, decoders))
    _float(decoders, wish)
    placed = {feed for each in decoders for feed in each.feeds}
    for feed in heaviest_first([feed for feed in wish.feeds if feed not in placed], wish):
        _join(decoders, feed, wish, offer)
    return tuple(sorted(decoders, key=_number))


def next_name(decoders: Sequence[DecoderPlan]) -> str:
    """Of one more."""
    return f"{DECODER}{max(map(_number, decoders), default=-1) + 1}"


def heaviest_first(feeds: Sequence[Feed], wish: Wish) -> list[Feed]:
    """By wanted rate."""
    return sorted(feeds, key=lambda feed: (-wish.rate_of([feed]), feed))


def _kept(wish: Wish, before: Sequence[DecoderPlan]) -> list[DecoderPlan]:
    """With the feeds that are still wanted, from the same place; a decoder that has none left is gone, unless it
    follows the load.
    """
    wanted = set(wish.feeds)
    found = [
        replace(each, feeds=tuple(feed for feed in each.feeds if feed in wanted and wish.place_of(feed) == each.place))
        for each in before
    ]
    return [each for each in found if each.feeds or each.is_floating]


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
    for feed in heaviest_first(feeds, wish):
        lightest = min(range(count), key=lambda n: (len(members[n]) >= READERS_PER_DECODER, loads[n], n))
        members[lightest].append(feed)
        loads[lightest] += wish.rate_of([feed])
    return [tuple(each) for each in members if each]


def _join(decoders: list[DecoderPlan], feed: Feed, wish: Wish, offer: Offer) -> None:
    """One more feed beside others: in the decoder with the fewest readers that has room, else in one of its own."""
    place = wish.place_of(feed)
    open_ = [each for each in decoders if each.place == place and _is_open(each, wish, offer, decoders)]
    if open_:
        chosen = min(open_, key=lambda each: (len(each.feeds), wish.rate_of(each.feeds), each.name))
        decoders[decoders.index(chosen)] = replace(chosen, feeds=(*chosen.feeds, feed))
        return
    alone = DecoderPlan(next_name(decoders), (feed,), place=place)
    decoders.append(_at_home(alone, wish, offer, decoders))


def _is_open(decoder: DecoderPlan, wish: Wish, offer: Offer, others: Sequence[DecoderPlan]) -> bool:
    """For one reader more."""
    if len(decoder.feeds) >= READERS_PER_DECODER:
        return False
    if decoder.is_floating:
        return decoder.name in (wish.ready or ()) and bool(decoder.feeds)
    node = next((node for node in offer.nodes if node.id == decoder.node), None)
    return node is not None and wish.memory.has_room(node, wish.memory.reader_bytes, others)


def _at_home(decoder: DecoderPlan, wish: Wish, offer: Offer, others: Sequence[DecoderPlan]) -> DecoderPlan:
    """On the node that reaches its cameras, has memory for them, and whose cores decode the least of what it has."""
    reaching = _reaching(offer, decoder.place)
    if not reaching:
        why = f"no node has the label place={decoder.place}. Start one with `ray start --labels place={decoder.place}`"
        return replace(decoder, node=None, why=why)
    needed = wish.memory.of_decoder(len(decoder.feeds))
    nodes = [node for node in reaching if wish.memory.has_room(node, needed, others)]
    if not nodes:
        why = f"no node has {needed // MIB} MiB of memory left for its {len(decoder.feeds)} cameras. Add a node"
        return replace(decoder, node=None, why=why)

    def load(node: Node) -> tuple[float, float]:
        there = [feed for each in others if each.node == node.id for feed in each.feeds]
        return wish.cores_of(there) / node.cpus, len(there) / node.cpus

    chosen = min(nodes, key=lambda node: (*load(node), nodes.index(node)))
    reach = "" if decoder.place is None else f" in place {decoder.place}"
    moved = "" if decoder.node is None else "its node is gone; "
    full = "" if len(nodes) == len(reaching) else f" ({len(reaching) - len(nodes)} more have no memory for it)"
    why = f"{moved}least decoding of {len(nodes)} nodes{reach}: {load(chosen)[0]:.0%} of its {chosen.cpus} cores{full}"
    return replace(decoder, node=chosen.id, why=f"{moved}the only node" if len(offer.nodes) == 1 else why)


def _reaching(offer: Offer, place: str | None) -> list[Node]:
    return [node for node in offer.nodes if place is None or place == node.place]


def _number(actor: DecoderPlan) -> int:
    """Of `decode-12`, 12."""
    return int(actor.name.rpartition("-")[2])


# --- decoders that follow the load ----------------------------------------------------------------------------------


def _float(decoders: list[DecoderPlan], wish: Wish) -> None:
    """As many as wanted. Where cameras may move, one that is up takes half of the busiest one's, and those of one that
    is down or leaves are read by others.
    """
    floating = sorted((each for each in decoders if each.is_floating), key=_number, reverse=True)
    surplus = len(floating) - wish.floating
    for each in floating if wish.ready is not None else ():
        if surplus > 0 and _num_free(decoders, each, wish) >= len(each.feeds):
            decoders.remove(each)
            surplus -= 1
        elif each.name not in (wish.ready or ()):
            decoders[decoders.index(each)] = replace(each, feeds=())
        elif not each.feeds:
            _take_half(decoders, each, wish)
    why = "wherever a core is free: their number follows the load"
    for _ in range(wish.floating - len(floating)):
        decoders.append(DecoderPlan(next_name(decoders), (), why=why, cores=FLOATING_CORES))


def _num_free(decoders: Sequence[DecoderPlan], leaving: DecoderPlan, wish: Wish) -> int:
    """Readers that the others may still have."""
    others = [each for each in decoders if each is not leaving and (each.node or each.name in (wish.ready or ()))]
    return sum(READERS_PER_DECODER - len(each.feeds) for each in others if each.place is None)


def _take_half(decoders: list[DecoderPlan], taker: DecoderPlan, wish: Wish) -> None:
    """Of the cores that the busiest decoder's feeds take; cameras that only some nodes reach stay."""
    many = [each for each in decoders if each.place is None and len(each.feeds) > 1]
    if not many:
        return
    busiest = max(many, key=lambda each: (wish.cores_of(each.feeds), len(each.feeds), each.name))
    stay: list[Feed] = []
    go: list[Feed] = []
    for feed in sorted(busiest.feeds, key=lambda feed: (-wish.cores_of([feed]), feed)):
        lighter = go if (wish.cores_of(go), len(go)) < (wish.cores_of(stay), len(stay)) else stay
        lighter.append(feed)
    cores = wish.cores_of(busiest.feeds)
    whose = f"{busiest.name}, whose reading took {cores:.2f} cores"
    why = f"it took {len(go)} of {len(busiest.feeds)} cameras over from {whose}"
    decoders[decoders.index(busiest)] = replace(busiest, feeds=tuple(feed for feed in busiest.feeds if feed in stay))
    decoders[decoders.index(taker)] = replace(taker, feeds=tuple(go), why=why)
