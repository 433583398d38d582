import pytest

from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources.config import SourceConfig
from pipeline.sources.kafka_topic import KafkaFeed
from pipeline.sources.registry import build_feed, group_feeds
from pipeline.sources.simulated import SimulatedFeed
from pipeline.sources.video_file import FileFeed
from pipeline.sources.video_live import LiveFeed


def kafka(**fields):
    return SourceConfig(kafka={"topic": "frames"} | fields)


def build(**cameras):
    return build_feed(cameras, Secrets({}), ("localhost:9092",), KafkaSecurity())


@pytest.mark.parametrize(
    ("config", "kind", "is_replayable"),
    [
        (SourceConfig(url="rtsp://camera.example/main"), LiveFeed, False),
        (SourceConfig(file="clip.mp4"), FileFeed, True),
        (SourceConfig(simulated="dock"), SimulatedFeed, False),
        (kafka(), KafkaFeed, True),
    ],
)
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
