import pytest

from pipeline.control.topology import READERS_PER_DECODER, Offer, Wish, isolate, make_plan, publisher_index


def wish(count, **more):
    cameras = [f"cam-{n:03}" for n in range(count)]
    return Wish(tuple((camera,) for camera in cameras), dict.fromkeys(cameras, 5.0), **more)


@pytest.mark.parametrize("count", [1, 16, 17, 100])
def test_every_camera_has_exactly_one_decoder_and_publisher_and_no_decoder_is_too_full(count):
    plan = make_plan(wish(count, publishers=3), Offer(cpus=2, gpus=0))
    cameras = sorted(f"cam-{n:03}" for n in range(count))
    assert sorted(camera for each in plan.decoders for camera in each.cameras) == cameras
    assert sorted(camera for each in plan.publishers for camera in each.cameras) == cameras
    assert max(len(each.feeds) for each in plan.decoders) <= READERS_PER_DECODER


def test_without_a_gpu_one_analyzer_has_a_lane_per_core_and_does_not_wait():
    (analyzer,) = make_plan(wish(2), Offer(cpus=2, gpus=0)).analyzers
    assert (analyzer.lanes, analyzer.gpus, analyzer.max_wait_seconds) == (2, 0, 0.0)


def test_with_gpus_there_is_one_analyzer_for_each():
    plan = make_plan(wish(2), Offer(cpus=16, gpus=2))
    assert [(each.lanes, each.gpus) for each in plan.analyzers] == [(1, 1), (1, 1)]


def test_credits_follow_the_wanted_rates_and_nobody_gets_none():
    cameras = {"fast": 30.0, "slow": 0.2}
    plan = make_plan(Wish((("fast",), ("slow",)), cameras, decoders=2), Offer(cpus=4, gpus=0))
    given = {plan.decoders[n].cameras[0]: plan.credits[plan.decoders[n].name, "analyze-0"] for n in range(2)}
    assert given["fast"] > given["slow"] >= 1


def test_a_camera_keeps_its_publisher_whoever_else_comes_and_goes():
    assert publisher_index("dock-03", 4) == publisher_index("dock-03", 4)
    few, many = (make_plan(wish(n, publishers=4), Offer(2, 0)) for n in (5, 50))
    assert all(few.publisher_of(f"cam-{n:03}") == many.publisher_of(f"cam-{n:03}") for n in range(5))


def test_cameras_of_one_kafka_feed_stay_together():
    plan = make_plan(Wish((("a", "b", "c"), ("d",)), dict.fromkeys("abcd", 1.0), decoders=2), Offer(2, 0))
    assert {plan.decoder_of(camera) for camera in "abc"} == {plan.decoder_of("a")}


def test_a_feed_that_is_isolated_reads_alone_and_moves_nobody_else():
    asked = wish(20)
    plan = make_plan(asked, Offer(cpus=2, gpus=0))
    found = isolate(plan, ("cam-003",), asked.rates)
    assert found.decoder(found.decoder_of("cam-003")).feeds == (("cam-003",),)
    assert found.decoder_of("cam-003") not in {each.name for each in plan.decoders}
    others = [f"cam-{n:03}" for n in range(20) if n != 3]
    assert [found.decoder_of(each) for each in others] == [plan.decoder_of(each) for each in others]
    assert found.publishers == plan.publishers
    assert {decoder for decoder, _ in found.credits} == {each.name for each in found.decoders}
    assert isolate(found, ("cam-003",), asked.rates) is found
