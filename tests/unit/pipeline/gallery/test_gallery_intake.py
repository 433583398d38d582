from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipeline.errors import SinkError
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.consumer import Consumer
from pipeline.gallery.intake import Intake
from pipeline.gallery.search import Gallery
from pipeline.gallery.store import GalleryStore
from tests.fakes_gallery import BEGAN_NS, FRAME_SPACE, SECOND, SUBJECT_SPACE, ListTopic, direction, result, subject
from tests.fakes_publisher import HandClock


@pytest.fixture
def config(tmp_path: Path) -> GalleryConfig:
    return GalleryConfig(store=str(tmp_path))


def take(config: GalleryConfig, *bodies: bytes) -> tuple[dict[str, int], Gallery]:
    """What was done, and what is there then."""
    store = GalleryStore(config)
    done = Intake(config, store).take(bodies, {}, BEGAN_NS)
    store.close()
    return dict(done), Gallery.open(Path(config.store))


def test_nothing_in_front_of_the_view_is_counted_and_not_kept(config: GalleryConfig) -> None:
    done, gallery = take(config, result(1, embedding=direction(1)), result(2, subject(direction(2), is_held=True)))
    assert done == {"empty": 2}
    assert gallery.shelves() == []


def test_what_sank_below_the_picture_s_edge_is_no_record(config: GalleryConfig) -> None:
    done, _ = take(config, result(1, subject(direction(1)), subject(direction(2), is_held=True)))
    assert done == {"kept": 1}


def test_a_record_names_the_episodes_that_are_on(config: GalleryConfig) -> None:
    alerting = result(1, subject(direction(1)), episodes={"too_close": ("active", 12), "seen": ("pending", 3)})
    _, gallery = take(config, alerting)
    assert gallery.records_of("dock-1/17/1")[0].episodes == [("too_close", 12)]


def test_each_subject_is_a_record(config: GalleryConfig) -> None:
    done, gallery = take(config, result(1, subject(direction(1)), subject(direction(2), "truck")))
    assert done == {"kept": 2}
    records = gallery.records_of("dock-1/17/1")
    assert [(each.part, each.label, each.tap) for each in records] == [
        (0, "vehicles: forklift", "subject"),
        (1, "vehicles: truck", "subject"),
    ]
    assert records[0].box == (0.2, 0.2, 0.6, 0.8)


def test_a_camera_without_a_view_is_kept_by_its_class_token(config: GalleryConfig) -> None:
    done, gallery = take(config, result(1, view=None, embedding=direction(1)))
    assert done == {"kept": 1}
    (shelf,) = gallery.shelves()
    assert (shelf.space, shelf.tap) == (FRAME_SPACE, "frame")


def test_frames_alone_where_that_is_asked_for(config: GalleryConfig) -> None:
    config = config.model_copy(update={"vector": "frame"})
    done, gallery = take(config, result(1, subject(direction(1)), embedding=direction(2)))
    assert done == {"kept": 1}
    assert [shelf.space for shelf in gallery.shelves()] == [FRAME_SPACE]


def test_words_vectors_are_records_beside_the_others(config: GalleryConfig) -> None:
    words = {"scene": ("w" * 64, direction(7, 32)), "other": ("w" * 64, direction(7, 32))}
    done, gallery = take(
        config,
        result(1, subject(direction(1)), subject(direction(2)), words=words),
        result(2, subject(direction(3)), words={"scene": ("w" * 64, direction(7, 32))}),
        result(3, view=None, words={"scene": ("v" * 64, direction(8, 32))}),
        result(4, words=words),
    )
    assert done == {"kept": 5, "same_again": 1, "empty": 1}, "one of equal towers; none of an empty scene"
    assert {shelf.space[0]: (shelf.tap, shelf.num_records) for shelf in gallery.shelves()} == {
        SUBJECT_SPACE[0]: ("subject", 3),
        "w": ("words", 1),
        "v": ("words", 1),
    }
    (found,) = gallery.search(direction(7, 32), "w" * 64, 9)
    assert (found.record.frame, found.times, found.record.box) == ("dock-1/17/1", 2, None)
    assert len(gallery.search(direction(1), SUBJECT_SPACE, 9, apart_ns=0)) == 3, "spaces do not meet"
    assert [(each.frame, each.tap) for each in gallery.records_of("dock-1/17/2")] == [
        ("dock-1/17/1", "words"),
        ("dock-1/17/2", "subject"),
    ]


def test_what_gives_no_vector_is_counted_by_why(config: GalleryConfig) -> None:
    done, gallery = take(
        config,
        result(1, subject(None)),
        result(2, reused_of="dock-1/17/1"),
        result(3, tick=True),
        b"{not json",
        b'{"id": "a result of another time"}',
    )
    assert done == {"without_vector": 1, "unchanged": 1, "ticks": 1, "unreadable": 2}
    assert gallery.shelves() == []


def test_the_same_again_is_a_sighting(config: GalleryConfig) -> None:
    near = direction(1) + 0.05 * direction(2)
    done, gallery = take(
        config,
        result(1, subject(direction(1))),
        result(2, subject(near)),
        result(3, subject(direction(3))),
        result(4, subject(near)),
        result(1, subject(near), camera="dock-2"),
    )
    assert done == {"kept": 3, "same_again": 2}
    (first,) = gallery.search(direction(1), SUBJECT_SPACE, 1)
    assert (first.record.frame, first.times) == ("dock-1/17/1", 3)
    assert first.until_ns == BEGAN_NS + 4 * SECOND
    assert [each.frame for each in gallery.records_of("dock-1/17/4")] == ["dock-1/17/1"]
    assert [each.frame for each in gallery.records_of("dock-2/17/1")] == ["dock-2/17/1"]


def test_the_same_again_is_known_after_a_restart(config: GalleryConfig) -> None:
    take(config, result(1, subject(direction(1))))
    done, _ = take(config, result(2, subject(direction(1))))
    assert done == {"same_again": 1}


def test_a_result_that_comes_again_changes_nothing(config: GalleryConfig) -> None:
    bodies = [result(1, subject(direction(1))), result(2, subject(direction(1))), result(3)]
    done, _ = take(config, *bodies, bodies[0])
    assert done == {"kept": 1, "same_again": 1, "empty": 1, "repeated": 1}
    done, gallery = take(config, *bodies)
    assert done == {"repeated": 3}
    (answer,) = gallery.search(direction(1), SUBJECT_SPACE, 9)
    assert answer.times == 2


def test_a_result_of_a_sealed_segment_is_known_too(config: GalleryConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.gallery.store.SEAL_RECORDS", 2)
    bodies = [result(1, subject(direction(1))), result(2, subject(direction(1))), result(3, subject(direction(3)))]
    take(config, *bodies)
    assert len(list((Path(config.store) / "segments").iterdir())) == 1
    done, _ = take(config, *bodies)
    assert done == {"repeated": 3}


def consumer(config: GalleryConfig, topic: ListTopic) -> tuple[Consumer, GalleryStore]:
    store = GalleryStore(config)
    return Consumer(topic, Intake(config, store), store, HandClock()), store


def test_a_consumer_goes_on_where_the_store_is(config: GalleryConfig) -> None:
    topic = ListTopic([result(seq, subject(direction(seq))) for seq in range(10)])
    reader, store = consumer(config, topic)
    reader.run(threading.Event(), is_catching_up=True)
    assert store.position == {"topic/0": "10"}
    store.close()
    topic.bodies += [result(seq, subject(direction(seq))) for seq in range(10, 14)]
    reader, store = consumer(config, topic)
    done: list[int] = []
    reader.run(threading.Event(), is_catching_up=True, told=lambda counts: done.append(counts["kept"]))
    assert sum(done) == 4
    assert store.status().num_records == 14
    store.close()


def test_a_broker_that_goes_away_is_tried_again(config: GalleryConfig, caplog: pytest.LogCaptureFixture) -> None:
    topic = ListTopic([result(seq, subject(direction(seq))) for seq in range(10)])
    topic.failures = [SinkError("the broker is gone", code="unreachable")] * 2
    reader, store = consumer(config, topic)
    reader.run(threading.Event(), is_catching_up=True)
    assert store.counts["kept"] == 10
    assert store.counts["repeated"] == 0
    assert caplog.text.count("the broker is gone; trying again in") == 2
    store.close()


def test_a_broker_that_was_never_there_is_an_error(config: GalleryConfig) -> None:
    def nobody(_: object) -> None:
        raise SinkError("nobody answers", code="unreachable")

    store = GalleryStore(config)
    reader = Consumer(nobody, Intake(config, store), store, HandClock())  # pyright: ignore[reportArgumentType]
    with pytest.raises(SinkError, match="nobody answers"):
        reader.run(threading.Event())
    store.close()
