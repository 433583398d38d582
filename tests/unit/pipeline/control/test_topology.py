from dataclasses import replace

import pytest

from pipeline.control.planning.decoders import READERS_PER_DECODER
from pipeline.control.planning.plan import Node, Offer, Wish
from pipeline.control.planning.topology import isolate, make_plan, publisher_index


def wish(count, **more):
    cameras = [f"cam-{n:03}" for n in range(count)]
    return Wish(tuple((camera,) for camera in cameras), dict.fromkeys(cameras, 5.0), **more)


@pytest.mark.parametrize("count", [1, 16, 17, 100])
def test_every_camera_has_exactly_one_decoder_and_publisher_and_no_decoder_is_too_full(count):
    plan = make_plan(wish(count, publishers=3), Offer.of(2, 0))
    cameras = sorted(f"cam-{n:03}" for n in range(count))
    assert sorted(camera for each in plan.decoders for camera in each.cameras) == cameras
    assert sorted(camera for each in plan.publishers for camera in each.cameras) == cameras
    assert max(len(each.feeds) for each in plan.decoders) <= READERS_PER_DECODER


def test_without_a_gpu_one_analyzer_has_a_lane_per_core_and_does_not_wait():
    (analyzer,) = make_plan(wish(2), Offer.of(2, 0)).analyzers
    assert (analyzer.lanes, analyzer.gpus, analyzer.max_wait_seconds) == (2, 0, 0.0)


def test_with_gpus_there_is_one_analyzer_for_each():
    plan = make_plan(wish(2), Offer.of(16, 2))
    assert [(each.lanes, each.gpus) for each in plan.analyzers] == [(1, 1), (1, 1)]


def test_credits_follow_the_wanted_rates_and_nobody_gets_none():
    cameras = {"fast": 30.0, "slow": 0.2}
    plan = make_plan(Wish((("fast",), ("slow",)), cameras, decoders=2), Offer.of(4, 0))
    given = {plan.decoders[n].cameras[0]: plan.credits[plan.decoders[n].name, "analyze-0"] for n in range(2)}
    assert given["fast"] > given["slow"] >= 1


def test_a_camera_keeps_its_publisher_whoever_else_comes_and_goes():
    assert publisher_index("dock-03", 4) == publisher_index("dock-03", 4)
    few, many = (make_plan(wish(n, publishers=4), Offer.of(2)) for n in (5, 50))
    assert all(few.publisher_of(f"cam-{n:03}") == many.publisher_of(f"cam-{n:03}") for n in range(5))


def test_cameras_of_one_kafka_feed_stay_together():
    plan = make_plan(Wish((("a", "b", "c"), ("d",)), dict.fromkeys("abcd", 1.0), decoders=2), Offer.of(2))
    assert {plan.decoder_of(camera) for camera in "abc"} == {plan.decoder_of("a")}


def test_a_feed_that_is_isolated_reads_alone_and_moves_nobody_else():
    asked = wish(20)
    plan = make_plan(asked, Offer.of(2, 0))
    found = isolate(plan, ("cam-003",), asked)
    assert found.decoder(found.decoder_of("cam-003")).feeds == (("cam-003",),)
    assert found.decoder_of("cam-003") not in {each.name for each in plan.decoders}
    others = [f"cam-{n:03}" for n in range(20) if n != 3]
    assert [found.decoder_of(each) for each in others] == [plan.decoder_of(each) for each in others]
    assert found.publishers == plan.publishers
    assert {decoder for decoder, _ in found.credits} == {each.name for each in found.decoders}
    assert isolate(found, ("cam-003",), asked) is found


FOUR = Offer(tuple(Node(f"node-{n}", 4) for n in range(4)))


def without(offer, *gone):
    return Offer(tuple(node for node in offer.nodes if node.id not in gone))


def where(plan):
    """Node by camera."""
    return {camera: each.node for each in plan.decoders for camera in each.cameras}


def test_decoders_go_to_the_nodes_with_the_fewest_cores_in_use_and_say_why():
    costs = {"cam-000": 3.0, "cam-001": 0.5, "cam-002": 0.5, "cam-003": 0.5}
    small = Offer((Node("large", 8), Node("small", 2)))
    plan = make_plan(replace(wish(4), decoders=2, decode_cores=costs), small)
    assert {each.node for each in plan.decoders} == {"large", "small"}
    assert where(plan)["cam-000"] == "large"
    assert all("decoding of 2 nodes" in each.why for each in plan.decoders)


def test_without_a_number_each_node_gets_a_decoder_and_an_analyzer_with_its_cores():
    plan = make_plan(wish(8), FOUR)
    assert sorted(each.node for each in plan.decoders) == [node.id for node in FOUR.nodes]
    assert [(each.node, each.lanes) for each in plan.analyzers] == [(node.id, 4) for node in FOUR.nodes]


def test_a_node_that_is_lost_moves_what_ran_there_and_nothing_else():
    before = make_plan(wish(8), FOUR)
    after = make_plan(wish(8), without(FOUR, "node-1"), before)
    assert {camera for camera, node in where(before).items() if where(after)[camera] != node} == {
        camera for camera, node in where(before).items() if node == "node-1"
    }
    assert list(after.analyzers) == [each for each in before.analyzers if each.node != "node-1"]
    moved = next(each for each in after.decoders if each not in before.decoders)
    assert moved.why.startswith("its node is gone")
    assert {decoder for decoder, _ in after.credits} == {each.name for each in after.decoders}


def test_a_node_that_joins_gets_an_analyzer_and_moves_no_camera():
    before = make_plan(wish(8), without(FOUR, "node-3"))
    after = make_plan(wish(8), FOUR, before)
    assert after.decoders == before.decoders
    assert next(each for each in after.analyzers if each not in before.analyzers).node == "node-3"
    assert make_plan(wish(8), FOUR, after) == after


def test_a_camera_that_names_a_place_is_read_from_there_or_waits_and_says_so():
    there = Offer((*without(FOUR, "node-3").nodes, Node("node-y", 2, place="yard")))
    asked = replace(wish(6), places={"cam-002": "yard", "cam-004": "yard"})
    plan = make_plan(asked, there)
    assert {camera for camera, node in where(plan).items() if node == "node-y"} >= {"cam-002", "cam-004"}
    lost = make_plan(asked, without(there, "node-y"), plan)
    waiting = lost.decoder(lost.decoder_of("cam-002"))
    assert (waiting.node, set(waiting.cameras)) == (None, {"cam-002", "cam-004"})
    assert "place=yard" in waiting.why
    back = make_plan(asked, there, lost)
    assert {where(back)[camera] for camera in waiting.cameras} == {"node-y"}
    assert {camera for camera, node in where(lost).items() if where(back)[camera] != node} == set(waiting.cameras)


def test_a_camera_that_comes_joins_the_decoder_with_the_fewest_readers_and_one_that_goes_leaves_no_empty_one():
    before = make_plan(wish(8), FOUR)
    more = make_plan(wish(9), FOUR, before)
    assert {camera: more.decoder_of(camera) for camera in where(before)} == {
        camera: before.decoder_of(camera) for camera in where(before)
    }
    assert len(more.decoders) == len(before.decoders)
    gone = before.decoders[1].cameras
    left = [(camera,) for camera in where(before) if camera not in gone]
    fewer = make_plan(replace(wish(8), feeds=tuple(left)), FOUR, before)
    assert fewer.decoders == tuple(each for each in before.decoders if each.cameras != gone)


def test_a_full_decoder_takes_no_more():
    full = make_plan(wish(READERS_PER_DECODER), Offer.of(2))
    more = make_plan(wish(READERS_PER_DECODER + 1), Offer.of(2), full)
    assert [len(each.feeds) for each in more.decoders] == [READERS_PER_DECODER, 1]


def test_an_analyzer_whose_node_is_lost_moves_only_where_cores_are_free():
    two = Offer((Node("a", 4), Node("b", 8)))
    before = make_plan(replace(wish(2), analyzers=2, lanes=4), two)
    assert [(each.node, each.lanes) for each in before.analyzers] == [("a", 4), ("b", 4)]
    after = make_plan(replace(wish(2), analyzers=2, lanes=4), without(two, "a"), before)
    assert [(each.name, each.node) for each in after.analyzers] == [("analyze-0", "b"), ("analyze-1", "b")]
    full = make_plan(replace(wish(2), analyzers=2), without(two, "a"), make_plan(replace(wish(2), analyzers=2), two))
    assert [(each.name, each.node, each.lanes) for each in full.analyzers] == [("analyze-1", "b", 8)]
