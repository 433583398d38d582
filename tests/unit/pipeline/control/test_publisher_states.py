"""Another number of publishers takes over what those before them kept: real publishers, before and after."""

from __future__ import annotations

import sqlite3
from collections import Counter

import msgspec
import pytest

from pipeline.control.publisher_states import check_publishers, finish_move, move_publishers, publisher_states
from pipeline.errors import PipelineError, PublishError
from pipeline.frame_path.publisher.state_deal import BY_CAMERA, deal
from pipeline.messages import Message
from tests.fakes_publisher import body, camera, publisher
from tests.fakes_publishers import CAMERAS, EPISODES, SINKS, Run, active, dump, ids, lived, near, waiting

LIVE = [name for name in CAMERAS if name != "archive"]


def test_a_run_goes_on_over_one_four_two_and_one_publishers_as_if_nothing_were(tmp_path):
    state_dir = tmp_path / "state"
    run = lived(tmp_path)
    views, started = run.made[0].snapshot().views, active(run.made)
    assert started == EPISODES
    assert views["gate"] == "view/gate@1"
    run.kill()  # what a clean end would still announce waits too
    before = dump(state_dir)
    assert len(before["wanted"]) == len(CAMERAS)
    for lease, count in ((18, 4), (19, 2), (20, 1)):
        move_publishers(state_dir, count)
        assert sorted(publisher_states(state_dir)) == list(range(count))
        assert dump(state_dir) == before
        run = Run(tmp_path, count)
        for sink in SINKS:
            assert ids(run.seen(sink)) == ids(waiting(before, sink))
        assert active(run.made) == EPISODES
        assert {name: run.of(name).snapshot().views[name] for name in CAMERAS} == views
        assert [name for each in run.made for name in each.snapshot().actions] == ["yard"]
        attached = {name: run.of(name).attach(name, lease) for name in CAMERAS}
        assert all(each.is_armed for each in attached.values())
        assert attached["archive"].settled_upto == ((0, 52),)  # what came after it waits for redis
        for name in LIVE:
            near(run, name, range(lease * 4, lease * 4 + 3), 2.4, lease)
        run.close()
        before = dump(state_dir)
    assert_the_rest_comes_once(tmp_path)


def assert_the_rest_comes_once(folder):
    """Kafka gets everything that ever was, redis the rest; each alert starts and ends once, that of yard muted."""
    run = Run(folder, 1)
    for name in LIVE:
        near(run, name, range(100, 103), 5.0, 21)
    run.settle("redis")
    run.settle("kafka")
    alerts = [each for each in run.seen("kafka") if each.kind == "alert"]
    counts = Counter(each.id for each in alerts)
    assert set(counts.values()) == {1}
    assert sorted(name for name in counts if name.endswith("/start")) == [f"{each}/start" for each in EPISODES]
    ends = [body(each) for each in alerts if each.type == "dinostream.alert.end.v1"]
    assert {each["camera"]: each["muted"] for each in ends} == {name: name == "yard" for name in LIVE}
    assert run.of("archive").attach("archive", 22).settled_upto == ((0, 55),)
    assert run.made[0].snapshot().outbox_rows == 0
    run.close()


def test_sinks_that_each_state_numbered_otherwise_are_met_by_name(tmp_path):
    states = [tmp_path / "state/publish-0/publisher.sqlite", tmp_path / "state/publish-1/publisher.sqlite"]
    lived(tmp_path, 2).close()
    with sqlite3.connect(states[1]) as database:  # as where kafka had come before redis
        database.execute("UPDATE sinks SET bit = bit + 8")
        database.execute("UPDATE outbox SET waiting = waiting << 8")
    database.close()
    before = dump(tmp_path / "state")
    move_publishers(tmp_path / "state", 1)
    assert dump(tmp_path / "state") == before


def test_messages_of_two_publishers_merge_in_the_order_of_their_publication(tmp_path):
    run = lived(tmp_path, 2)
    run.close()
    move_publishers(tmp_path / "state", 1)
    with sqlite3.connect(publisher_states(tmp_path / "state")[0]) as database:
        rows = [each for (each,) in database.execute("SELECT message FROM outbox ORDER BY row")]
    database.close()
    stamps = [msgspec.msgpack.decode(each, type=Message).attributes["time"] for each in rows]
    assert stamps == sorted(stamps)
    assert len(set(stamps)) >= len(CAMERAS)


def test_every_table_of_the_state_is_dealt_out(tmp_path):
    publisher(tmp_path, [camera()], []).close(1.0)
    with sqlite3.connect(tmp_path / "state/publisher.sqlite") as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert tables - {"sqlite_sequence"} == {*BY_CAMERA, "sinks", "outbox", "counters"}


def test_refusals_of_all_publishers_are_counted_on(tmp_path):
    lived(tmp_path, 2).close()
    for number, path in publisher_states(tmp_path / "state").items():
        with sqlite3.connect(path) as database:
            database.execute("INSERT INTO counters VALUES ('refused', ?)", (3 + number,))
        database.close()
    move_publishers(tmp_path / "state", 4)
    run = Run(tmp_path, 4)
    assert [each.snapshot().alerts_refused for each in run.made] == [7, 0, 0, 0]
    run.close()


def test_a_publisher_that_still_holds_its_state_stops_the_move_before_anything_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.frame_path.publisher.state_db.LOCK_SECONDS", 0.05)
    run = lived(tmp_path)
    with pytest.raises(PublishError) as caught:
        move_publishers(tmp_path / "state", 2)
    assert caught.value.code == "state_locked"
    assert list((tmp_path / "state").glob("publishers-*")) == []
    run.close()


def test_a_camera_that_lies_twice_is_told_and_not_chosen(tmp_path):
    for folder in ("one", "two"):
        publisher(tmp_path / folder, [camera("gate")], []).close(1.0)
    sources = [tmp_path / folder / "state/publisher.sqlite" for folder in ("one", "two")]
    with pytest.raises(PublishError, match=r"the state of camera gate lies twice: expected it in one of .*one.* and "):
        deal(sources, [tmp_path / "new.sqlite"], lambda _: 0)


def test_what_would_be_lost_is_noticed_before_it_counts(tmp_path, monkeypatch):
    lived(tmp_path).close()
    before = dump(tmp_path / "state")
    monkeypatch.setattr("pipeline.frame_path.publisher.state_deal.BY_CAMERA", ("cameras", "tallies", "wanted"))
    with pytest.raises(
        PipelineError, match="the moved state is not what the old one was, of gate: nothing was"
    ) as caught:
        move_publishers(tmp_path / "state", 2)
    assert caught.value.code == "state_move"
    monkeypatch.undo()
    assert dump(tmp_path / "state") == before
    assert finish_move(tmp_path / "state") == ""


def test_what_others_have_put_beside_a_state_stays(tmp_path):
    lived(tmp_path, 2).close()
    note = tmp_path / "state/publish-1/note.txt"
    note.write_text("mine")
    move_publishers(tmp_path / "state", 1)
    assert note.read_text() == "mine"
    assert list(publisher_states(tmp_path / "state")) == [0]
    move_publishers(tmp_path / "state", 4)
    assert list(publisher_states(tmp_path / "state")) == [0, 1, 2, 3]


def made_by(state_dir, count):
    for number in range(count):
        (state_dir / f"publish-{number}").mkdir()
        (state_dir / f"publish-{number}" / "publisher.sqlite").touch()
    (state_dir / "artefacts").mkdir()  # no publisher's
    return state_dir


def test_a_fresh_state_takes_any_number_of_publishers(tmp_path):
    check_publishers(tmp_path, 3, "cameras.yaml")
    check_publishers(tmp_path / "not-there-yet", 3, "cameras.yaml")


@pytest.mark.parametrize("count", [1, 2])
def test_the_number_that_made_the_state_goes_on(tmp_path, count):
    check_publishers(made_by(tmp_path, count), count, "cameras.yaml")


@pytest.mark.parametrize(("count", "wanted"), [(1, 2), (2, 1)])
def test_another_number_of_publishers_is_refused_with_both_numbers_and_the_command(tmp_path, count, wanted):
    with pytest.raises(PipelineError, match=rf"expected runtime\.publishers: {count}, got {wanted}\. ") as caught:
        check_publishers(made_by(tmp_path, count), wanted, "cameras.yaml")
    assert caught.value.code == "publishers"
    assert str(caught.value).endswith(f"python main.py state move cameras.yaml --publishers {wanted}")
    assert str(tmp_path) in str(caught.value)
