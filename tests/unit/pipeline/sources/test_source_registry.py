import pytest

from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources.config import KINDS, SourceConfig
from pipeline.sources.kafka_topic import KafkaFeed
from pipeline.sources.registry import build_feed, group_feeds
from pipeline.sources.simulated import SimulatedFeed
from pipeline.sources.video_file import FileFeed
from pipeline.sources.video_live import LiveFeed


def kafka(**fields):
    return SourceConfig(kafka={"topic": "frames"} | fields)


def build(**cameras):
    return build_feed(cameras, Secrets({}), ("localhost:9092",), KafkaSecurity())


SOURCES = [
    (SourceConfig(url="rtsp://camera.example/main"), LiveFeed, False),
    (SourceConfig(file="clip.mp4"), FileFeed, True),
    (kafka(), KafkaFeed, True),
    (SourceConfig(simulated="dock"), SimulatedFeed, False),
]


def test_every_kind_is_tried_here():
    assert [config.kind for config, _, _ in SOURCES] == list(KINDS)


@pytest.mark.parametrize(("config", "kind", "is_replayable"), SOURCES)
def test_each_kind_has_its_feed(config, kind, is_replayable):
    feed = build(camera=config)
    assert type(feed) is kind
    assert feed.cameras == ("camera",)
    assert feed.is_replayable is is_replayable is config.is_replayable


def test_cameras_of_one_topic_and_group_share_a_feed():
    cameras = {
        "a": kafka(),
        "yard": SourceConfig(url="rtsp://camera.example/main"),
        "b": kafka(key="bee"),
        "other_group": kafka(group="second"),
        "other_brokers": kafka(brokers=("elsewhere:9092",)),
        "archive": SourceConfig(file="clip.mp4"),
        "c": kafka(format="bitstream"),
    }
    assert group_feeds(cameras) == [
        ("a", "b", "c"),
        ("yard",),
        ("other_group",),
        ("other_brokers",),
        ("archive",),
    ]


def test_strangers_do_not_share_a_feed():
    with pytest.raises(ValueError, match="one feed"):
        build(a=kafka(), b=kafka(group="second"))
    with pytest.raises(ValueError, match="one feed"):
        build()


def test_mistakes_and_files_say_where_below_the_source_they_stand():
    wrong = SourceConfig(
        kafka={"topic": "with space", "brokers": ["b"]},
        credentials="unnamed",
        loop=True,
        backoff={"first": "9s", "max": "1s"},
    )
    assert [place for place, _ in wrong.mistakes(["known"], [])] == [
        ("credentials",),
        ("credentials",),
        ("kafka", "brokers", 0),
        ("kafka", "topic"),
        ("loop",),
        ("backoff",),
    ]
    assert [place for place, _ in kafka().mistakes([], [])] == [("kafka",)]
    assert list(kafka().mistakes([], ["localhost:9092"])) == []
    assert [place for place, _ in SourceConfig(url="rtps://host", stall_after="0s").mistakes([], [])] == [
        ("url",),
        ("stall_after",),
    ]
    assert list(SourceConfig(file="clip.mp4", ca_file="ca.pem").files()) == [
        (("file",), "clip.mp4", "video"),
        (("ca_file",), "ca.pem", "certificate"),
    ]


@pytest.mark.parametrize(
    ("config", "shown", "is_patient", "known_fps"),
    [
        (SourceConfig(url="rtsp://alice:sesame@camera.example/main"), "rtsp://***@camera.example/main", False, None),
        (SourceConfig(file="clip.mp4"), "file clip.mp4", True, None),
        (SourceConfig(file="clip.mp4", pace="realtime"), "file clip.mp4", False, None),
        (kafka(format="bitstream"), "kafka frames (bitstream)", True, None),
        (SourceConfig(simulated="dock", seed=3, fps=2), "simulated dock, seed 3", False, 2.0),
    ],
)
def test_each_kind_says_how_it_is_shown_and_at_what_pace_it_sends(config, shown, is_patient, known_fps):
    assert (config.shown, config.is_patient, config.known_fps) == (shown, is_patient, known_fps)
