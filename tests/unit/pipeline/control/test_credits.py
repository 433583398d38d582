"""Calls at some analyzers only: what every table of credits must hold, over many clusters by chance."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from pipeline.control.planning.credits import GPU_CALLS, LEAST, share_credits
from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan, Node, Offer, Wish
from pipeline.control.planning.topology import make_plan


def wish(count, rate=5.0, **more):
    cameras = [f"cam-{n:05}" for n in range(count)]
    return Wish(tuple((camera,) for camera in cameras), dict.fromkeys(cameras, rate), **more)


def cluster(nodes, cpus=16, gpus=1):
    return Offer(tuple(Node(f"node-{n:02d}", cpus, gpus) for n in range(nodes)))


def at(plan):
    """Calls by analyzer."""
    found = Counter({each.name: 0 for each in plan.analyzers})
    for (_, analyzer), count in plan.credits.items():
        found[analyzer] += count
    return found


def of(plan):
    """Calls by owner."""
    found = Counter()
    for (owner, _), count in plan.credits.items():
        found[owner] += count
    return found


def callers(plan, analyzer):
    return {owner for owner, name in plan.credits if name == analyzer}


def changed(before, after):
    """Owners whose calls at analyzers that both plans have are others."""
    both = {each.name for each in before.analyzers} & {each.name for each in after.analyzers}
    pairs = [pair for pair in before.credits.keys() | after.credits.keys() if pair[1] in both]
    return {pair[0] for pair in pairs if before.credits.get(pair, 0) != after.credits.get(pair, 0)}


@pytest.fixture(scope="module")
def many():
    """A thousand cameras on seven nodes with a GPU each."""
    return make_plan(wish(1000), cluster(7))


def test_where_owners_are_few_each_calls_every_analyzer():
    plan = make_plan(wish(48), cluster(3))
    assert len(plan.decoders) <= GPU_CALLS
    assert set(plan.credits) == {(owner.name, each.name) for owner in plan.decoders for each in plan.analyzers}


def test_two_analyzers_are_called_by_everybody_however_many_there_are():
    plan = make_plan(wish(500), cluster(2))
    assert all(len(callers(plan, each.name)) == len(plan.decoders) for each in plan.analyzers)


def test_many_owners_do_not_crowd_an_analyzer(many):
    assert len(many.decoders) == 63
    assert set(of(many).values()) == {LEAST}
    assert set(at(many).values()) == {63 * LEAST // 7}


def test_lanes_of_a_cpu_are_called_as_often_as_they_need_and_a_little_more():
    plan = make_plan(wish(1000), cluster(46, gpus=0))
    assert all(16 <= count <= 18 for count in at(plan).values())
    assert max(of(plan).values()) - min(of(plan).values()) <= 1


def test_half_of_an_owners_calls_stay_on_its_node(many):
    node = {each.name: each.node for each in (*many.decoders, *many.analyzers)}
    for owner in of(many):
        names = [name for who, name in many.credits if who == owner]
        assert [node[name] == node[owner] for name in names].count(True) == 1


def test_owners_of_one_node_have_different_second_analyzers(many):
    """If both of an owner's are slow, its neighbours' are not."""
    node = {each.name: each.node for each in (*many.decoders, *many.analyzers)}
    for here in {each.node for each in many.decoders}:
        second = Counter(name for owner, name in many.credits if node[owner] == here and node[name] != here)
        assert max(second.values()) <= 3


def test_the_same_question_has_the_same_answer(many):
    assert make_plan(wish(1000), cluster(7), many) == many


def test_the_loss_of_an_analyzer_is_news_to_those_alone_that_called_it(many):
    after = make_plan(wish(1000), Offer(cluster(7).nodes[1:]), many)
    there = next(each.name for each in many.analyzers if each.node == "node-00")
    assert changed(many, after) <= callers(many, there)
    assert max(at(after).values()) - min(at(after).values()) <= 2


def test_an_analyzer_that_comes_takes_its_share_and_no_more(many):
    less = make_plan(wish(1000), Offer(cluster(7).nodes[1:]), many)
    after = make_plan(wish(1000), cluster(7), less)
    fair = 63 * LEAST / 7
    assert max(at(after).values()) - min(at(after).values()) <= 2
    assert len(changed(less, after)) <= fair + 1


def test_a_camera_more_reshuffles_nothing(many):
    after = make_plan(wish(1001), cluster(7), many)
    assert len(changed(many, after)) <= 2


def table(rates, analyzers, before=None):
    """Calls by pair, of owners that ask for so many pictures a second with 16 cameras each."""
    cameras = {f"decode-{n}": tuple((f"c-{n}-{k}",) for k in range(16)) for n in range(len(rates))}
    owners = [DecoderPlan(name, feeds) for name, feeds in cameras.items()]
    asked = {camera: rates[n] / 16 for n, each in enumerate(owners) for camera in each.cameras}
    return share_credits(owners, analyzers, Wish((), asked), before or {})


def test_calls_follow_what_owners_ask_of_lanes():
    lanes = [AnalyzerPlan(f"analyze-{n}", 16, 0, 1, 0.0) for n in range(12)]
    found = table([200.0] * 2 + [40.0] * 30, lanes)
    calls = Counter()
    for (owner, _), count in found.items():
        calls[owner] += count
    assert [calls[f"decode-{n}"] for n in range(4)] == [26, 26, 5, 5]


def test_an_owner_that_has_lost_all_but_one_analyzer_gets_another_though_it_has_calls_enough():
    gpus = [AnalyzerPlan(f"analyze-{n}", 1, 1, 32, 0.02) for n in range(3)]
    found = table([40.0] * 12, gpus, {("decode-0", "analyze-0"): 2, ("decode-0", "analyze-9"): 1})
    names = [name for owner, name in found if owner == "decode-0"]
    assert "analyze-0" in names
    assert len(names) == LEAST


def test_where_batches_are_taken_many_cameras_need_no_more_calls_than_few():
    """A call takes a frame of each: what counts is how often an owner must call."""
    owners = [DecoderPlan(f"decode-{n}", tuple((f"c-{n}-{k}",) for k in range(8 if n else 2))) for n in range(40)]
    analyzers = [AnalyzerPlan(f"analyze-{n}", 1, 1, 32, 0.02) for n in range(40)]
    rates = {camera: 5.0 for each in owners for camera in each.cameras}
    found = share_credits(owners, analyzers, Wish((), rates))
    calls = Counter()
    for (owner, _), count in found.items():
        calls[owner] += count
    assert calls["decode-0"] == calls["decode-1"] == GPU_CALLS


def check(plan, asked, offer):
    """What holds for every plan."""
    needed = {each.name: GPU_CALLS if each.gpus else each.lanes + 1 for each in plan.analyzers}
    calls, owners = at(plan), {each.name for each in plan.decoders}
    distinct = Counter(owner for owner, _ in plan.credits)
    assert set(distinct) == owners
    assert min(distinct.values()) >= min(LEAST, len(plan.analyzers))
    assert all(count >= 1 for count in plan.credits.values())
    assert min(calls.values()) >= 1, "an analyzer that nobody calls"
    total = sum(calls.values())
    if len(plan.analyzers) > LEAST and len(owners) > max(needed.values()):
        wanted = max(sum(needed.values()), LEAST * len(owners))
        assert total <= wanted + 1.5 * len(owners)
        fair = {name: total * slots / sum(needed.values()) for name, slots in needed.items()}
        if max(fair.values()) <= len(owners):  # else not even a call of everybody fills it
            assert all(calls[name] < fair[name] + 3 for name in calls)
    assert make_plan(asked, offer, plan) == plan


@pytest.mark.parametrize("seed", range(25))
def test_every_plan_of_a_cluster_that_changes_is_a_good_one(seed):
    chance = random.Random(seed)
    gpus = chance.choice([0, 0, 1, 2])
    nodes = list(cluster(chance.randint(3, 12), chance.choice([2, 4, 16]), gpus).nodes)
    count = chance.randint(20, 600)
    asked = wish(count)
    asked = replace(asked, rates={name: chance.choice([0.2, 1.0, 5.0, 5.0, 5.0, 25.0]) for name in asked.rates})
    plan = None
    for step in range(6):
        offer = Offer(tuple(nodes))
        plan = make_plan(asked, offer, plan)
        check(plan, asked, offer)
        if len(nodes) > 3 and chance.random() < 0.5:
            nodes.remove(chance.choice(nodes))
        else:
            nodes.append(Node(f"more-{step}", chance.choice([2, 16]), gpus))
