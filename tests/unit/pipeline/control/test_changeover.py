"""Cameras come, go and change at a supervisor over fake actors: who is told what, when, and what a death in between
changes of that.
"""

import threading
from dataclasses import replace

import pytest

from pipeline.control.planning.plan import Offer
from pipeline.messages import LedgerSnapshot
from tests.fakes_actors import dead, steps

CAMERAS = """\
version: 1
cameras:
  a: {source: {url: "rtsp://127.0.0.1/a"}}
  b: {source: {url: "rtsp://127.0.0.1/b"}}
  c: {source: {url: "rtsp://127.0.0.1/c"}}
sinks: {jsonl: {path: out}}
"""
NEW = '  d: {source: {url: "rtsp://127.0.0.1/d"}}\n'


@pytest.fixture
def running(supervise, starters):
    """Two decoders over three cameras, started."""
    from pipeline.control.planning.plan import DecoderPlan, Plan, PublisherPlan
    from tests.unit.pipeline.control.conftest import PLAN

    plan = Plan(
        (DecoderPlan("decode-0", (("a",), ("b",)), "here"), DecoderPlan("decode-1", (("c",),), "here")),
        PLAN.analyzers,
        (PublisherPlan("publish-0", ("a", "b", "c")),),
        PLAN.credits,
    )
    found = supervise(plan, look=lambda: Offer.of(2), cameras=CAMERAS)
    found.start(lambda _: None, threading.Event())
    found.step()
    starters.diary.clear()
    return found


@pytest.fixture
def reload(running, clock):
    """Applies a text as the file."""
    from pipeline.control.changes.reload import Reload

    made = Reload(running, clock, threading.Event())

    def apply(text, **options):
        rest = made.path.read_text().partition("sinks:")
        made.path.write_text(text.partition("sinks:")[0] + "".join(rest[1:]))
        found = []
        thread = threading.Thread(target=lambda: found.append(made.apply(**options)), daemon=True)
        clock.wait = lambda event, _: event.wait(0.002)  # time stands still while the two talk
        thread.start()
        while thread.is_alive():
            running.step()
            thread.join(0.002)
        return {camera: each.did or each.outcome for camera, each in found[0].cameras.items()}

    return apply


def told(starters, method):
    """(actor's name, first argument) of each call."""
    return [(actor.partition("#")[0], args[0]) for actor, args in starters.did(method)]


def names(things):
    return sorted(each.camera for each in things)


def test_a_removed_an_added_and_an_edited_camera_while_the_fourth_is_told_nothing(running, reload, starters):
    leases = {each.camera: each.lease for each in running.snapshot().cameras}
    text = CAMERAS.replace('  a: {source: {url: "rtsp://127.0.0.1/a"}}\n', "").replace('/b"}}', '/b"}, priority: 3}')
    assert reload(text.replace("sinks:", NEW + "sinks:")) == {
        "a": "removed",
        "b": "changed",
        "c": "unchanged",
        "d": "added",
    }
    order = [(actor.partition("#")[0], method) for actor, method, _ in starters.diary if method != "replace_analyzers"]
    assert order == [
        ("analyze-0", "change"),
        ("publish-0", "change"),
        ("decode-0", "change"),
        ("decode-0", "add_feeds"),
        ("decode-0", "remove_feeds"),
        ("publish-0", "change"),
        ("analyze-0", "change"),
    ]
    analysed, published, owned, published_last, analysed_last = [args for _, args in told(starters, "change")]
    assert (names(analysed), names(analysed_last)) == (list("abcd"), list("bcd")), "they know whoever may still come"
    assert [sorted(each.spec.camera for each in args) for args in (published, published_last)] == [
        list("abcd"),
        list("bcd"),
    ]
    assert [(each.camera, each.weight) for each in owned] == [("b", 4.0)]
    ((_, feeds),) = told(starters, "add_feeds")
    assert names(feeds[0].cameras) == ["d"]
    running.step()
    seen = {each.camera: each.lease for each in running.snapshot().cameras}
    assert (seen["b"], seen["c"], set(seen)) == (leases["b"], leases["c"], {"b", "c", "d"})
    assert [each.lease for each in running.snapshot().closed["a"]] == [leases["a"]]
    assert starters.did("kill") == []


def test_a_camera_that_is_pointed_elsewhere_is_read_anew_where_it_was_under_a_higher_lease(running, reload, starters):
    before = {each.camera: each.lease for each in running.snapshot().cameras}
    assert reload(CAMERAS.replace("/b", "/other"))["b"] == "reopened"
    assert [actor.partition("#")[0] for actor, _ in starters.did("remove_feeds")] == ["decode-0"]
    ((name, (feed,)),) = told(starters, "add_feeds")
    assert (name, feed.cameras[0].camera, feed.cameras[0].lease > before["b"]) == ("decode-0", "b", True)
    running.step()
    after = {each.camera: each.lease for each in running.snapshot().cameras}
    assert (after["a"], after["c"]) == (before["a"], before["c"])
    assert running.snapshot().total("b").unaccounted == 0


def test_the_last_camera_of_a_decoder_is_settled_before_the_decoder_ends(running, reload, starters):
    starters.newest("decode-1").ledgers["c"] = LedgerSnapshot("c", 7, received=9, decoded=9, analysed=9)
    reload(CAMERAS.replace('  c: {source: {url: "rtsp://127.0.0.1/c"}}\n', ""))
    did = [(actor.partition("#")[0], method) for actor, method, _ in starters.diary]
    assert did.index(("decode-1", "remove_feeds")) < did.index(("decode-1", "kill"))
    assert [each.name for each in running.plan.decoders] == ["decode-0"]
    assert [(each.analysed, each.lost) for each in running.snapshot().closed["c"]] == [(9, {})]
    running.step()
    assert [each.name for each in running.snapshot().actors if each.kind == "decode"] == ["decode-0"]


def test_a_dry_run_and_a_file_that_says_the_same_tell_nobody_anything(reload, starters):
    assert reload(CAMERAS.replace("sinks:", NEW + "sinks:"), is_dry_run=True)["d"] == "added"
    assert set(reload(CAMERAS).values()) == {"unchanged"}
    assert starters.diary == []


def test_a_refused_camera_goes_on_as_before_beside_one_that_is_applied(running, reload, starters):
    wrong = CAMERAS.replace('/b"}}', '/b"}, heads: [depht]}').replace('/a"}}', '/a"}, priority: 1}')
    assert reload(wrong) == {"a": "changed", "b": "refused", "c": "unchanged"}
    assert running.spec.cameras["b"].heads == ("embedding",)
    assert [names(args) for name, args in told(starters, "change") if name == "decode-0"] == [["a"]]


def test_a_shared_feed_that_gets_another_camera_is_let_go_before_it_is_read_anew(supervise, starters, clock):
    """Else two readers would have the same camera, in one process or in two."""
    from pipeline.control.changes.changeover import Order
    from pipeline.control.planning.plan import DecoderPlan, Plan, PublisherPlan
    from tests.unit.pipeline.control.conftest import PLAN

    kafka = '{source: {kafka: {topic: t, brokers: ["127.0.0.1:9092"]}}}'
    text = f"version: 1\ncameras:\n  a: {kafka}\n  b: {kafka}\n  c: {kafka}\nsinks: {{jsonl: {{path: out}}}}\n"
    decoders = (DecoderPlan("decode-0", (("a", "b"),), "here"),)
    plan = Plan(decoders, PLAN.analyzers, (PublisherPlan("publish-0", ("a", "b")),), {("decode-0", "analyze-0"): 2})
    everybody = supervise(plan, cameras=text).spec
    found = supervise(plan, look=lambda: Offer.of(2), cameras=text.replace(f"  c: {kafka}\n", ""))
    found.start(lambda _: None, threading.Event())
    found.step()
    starters.diary.clear()
    change = found.change(Order(everybody, frozenset(), frozenset({"a", "b"})))
    steps(found, clock, 8)
    assert change.done.is_set()
    did = [method for actor, method, _ in starters.diary if actor.startswith("decode")]
    assert did.index("remove_feeds") < did.index("add_feeds")
    ((_, (feed,)),) = told(starters, "add_feeds")
    assert names(feed.cameras) == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["decode-0", "analyze-0", "publish-0"])
def test_whoever_dies_after_a_change_comes_back_with_it(running, reload, starters, clock, name):
    text = CAMERAS.replace('  a: {source: {url: "rtsp://127.0.0.1/a"}}\n', "").replace('/b"}}', '/b"}, priority: 3}')
    reload(text)
    del clock.wait
    starters.newest(name).failure = dead()
    steps(running, clock, 3)
    found = starters.newest(name)
    assert starters.count(name) == 2
    if name == "decode-0":
        assert set(found.leases) == {"b"}
    elif name == "analyze-0":
        assert names(found.spec.cameras) == ["b", "c"]
    else:
        assert sorted(each.spec.camera for each in found.spec.cameras) == ["b", "c"]


def test_an_owner_that_dies_while_it_settles_is_started_with_the_new_cameras_and_counted_once(running, starters, clock):
    from pipeline.control.changes.changeover import Order

    spec = running.spec
    owner = starters.newest("decode-0")
    owner.ledgers["a"] = LedgerSnapshot("a", owner.leases["a"], received=5, decoded=5, analysed=3, in_flight=2)
    running.step()
    cameras = {name: each for name, each in spec.cameras.items() if name != "a"}
    model = replace(spec.model, cameras=tuple(each for each in spec.model.cameras if each.camera != "a"))
    order = Order(replace(spec, config=replace(spec.config, cameras=cameras), model=model), frozenset(), frozenset())
    change = running.change(order)
    owner.is_answered = lambda _: False
    steps(running, clock, 4)
    assert not change.done.is_set()
    owner.failure = dead()
    steps(running, clock, 8)
    assert change.done.is_set()
    assert set(starters.newest("decode-0").leases) == {"b"}
    closed = running.snapshot().closed["a"]
    assert [(each.analysed, each.lost, each.in_flight) for each in closed] == [(3, {"unknown": 2}, 0)]


def test_an_owner_that_does_not_let_go_is_ended_and_replaced(running, starters, clock):
    from pipeline.control.changes.changeover import Order

    spec = running.spec
    starters.newest("decode-0").is_answered = lambda _: False
    change = running.change(Order(spec, frozenset(), frozenset({"a"})))
    steps(running, clock, 45)
    assert change.done.is_set()
    assert starters.count("decode-0") == 2
    (status,) = [each for each in running.snapshot().actors if each.name == "decode-0"]
    assert "does not let go" in status.reason


def test_actors_that_were_on_their_way_while_cameras_changed_are_told_when_they_are_up(
    running, reload, starters, clock
):
    slow = []

    def prepare(actor):
        actor.is_hung = actor.number >= 4
        slow.append(actor)

    starters.prepare = prepare
    for name in ("analyze-0", "publish-0", "decode-0"):
        starters.newest(name).failure = dead()
    steps(running, clock, 3)
    reload(CAMERAS.replace('/b"}}', '/b"}, priority: 3}').replace("sinks:", NEW + "sinks:"))
    del clock.wait
    for actor in slow:
        actor.is_hung = False
    starters.prepare = lambda _: None
    starters.diary.clear()
    steps(running, clock, 3)
    (analyzer,) = [args for name, args in told(starters, "change") if name == "analyze-0"]
    (publisher,) = [args for name, args in told(starters, "change") if name == "publish-0"]
    assert names(analyzer) == sorted(each.spec.camera for each in publisher) == list("abcd")
    assert starters.count("decode-0") == 3, "the one on its way had the feeds of before"


def test_a_hung_analyzer_holds_up_a_change_for_seconds_alone(running, reload, starters):
    starters.newest("analyze-0").is_hung = True
    assert reload(CAMERAS.replace('/b"}}', '/b"}, priority: 3}'))["b"] == "changed"
    assert [each.state for each in running.snapshot().actors if each.name == "analyze-0"] == ["backoff"]
