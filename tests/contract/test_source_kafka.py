"""The Kafka source against Apache Kafka, which is believed, and against the demo's embedded broker."""

import socket
import threading
import time

import cv2
import pytest
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.structs import OffsetAndMetadata, TopicPartition

from pipeline.errors import ConnectError, SourceError
from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources.base import Decoded, Feed, Quiet, Undecodable, Unrouted
from pipeline.sources.config import SourceConfig
from pipeline.sources.kafka_position import Mark
from pipeline.sources.kafka_producer import RecordProducer
from pipeline.sources.kafka_topic import KafkaFeed
from pipeline.sources.video_packets import access_units
from tests.clips import LIVE, make_clip, numbered
from tests.contract.source_contract import CAMERA, ReplayableContract, opened, take

LENGTH = 40
EPOCH_NS = 1_700_000_000_000_000_000


def jpeg(number: int) -> bytes:
    return cv2.imencode(".jpg", numbered(number))[1].tobytes()


def create(brokers: str, topic: str, num_partitions: int = 1) -> None:
    admin = KafkaAdminClient(bootstrap_servers=[brokers])
    admin.create_topics([NewTopic(topic, num_partitions, 1)])
    admin.close()


def fill(brokers: str, topic: str, bodies, key: str = CAMERA) -> None:
    with RecordProducer((brokers,), topic) as producer:
        for number, body in enumerate(bodies):
            producer.send(key, body, EPOCH_NS + number * 40_000_000)


def feed_of(brokers: str, topic: str, *cameras: str, lease: int = 0, **fields) -> KafkaFeed:
    kafka = {"topic": topic, "start": "earliest", "timestamp_header": "capture_ns"} | fields
    config = SourceConfig(kafka=kafka, stall_after=2.0)
    named = cameras or (CAMERA,)
    return KafkaFeed(dict.fromkeys(named, config), Secrets({}), (brokers,), KafkaSecurity(), lease=lease)


def committed(brokers: str, topic: str, group: str = "dinostream"):
    """(offset, metadata) as a plain client reads it."""
    consumer = KafkaConsumer(bootstrap_servers=[brokers], group_id=group, enable_auto_commit=False)
    found = consumer.committed(TopicPartition(topic, 0), metadata=True)
    consumer.close()
    return found


def unreachable(**fields) -> Feed:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return feed_of(f"127.0.0.1:{free.getsockname()[1]}", "frames", **fields)


class KafkaContract(ReplayableContract):
    length = LENGTH
    form = "image"

    @pytest.fixture(autouse=True)
    def _topic(self, brokers, prefix, tmp_path):
        self.brokers, self.topic = brokers, f"{prefix}.frames"
        create(brokers, self.topic)
        bodies = [jpeg(number) for number in range(LENGTH)]
        if self.form == "bitstream":
            bodies = access_units(str(make_clip(tmp_path / "clip.mp4", LENGTH, options=LIVE)), fast=True)
        fill(brokers, self.topic, bodies)

    def make(self) -> Feed:
        self.num_feeds = getattr(self, "num_feeds", 0) + 1
        return feed_of(self.brokers, self.topic, format=self.form, group=f"group-{self.num_feeds}")

    def make_unreachable(self) -> Feed:
        return unreachable()

    def test_what_is_committed_is_where_the_next_owner_begins(self):
        first = feed_of(self.brokers, self.topic, lease=5, format=self.form)
        with opened(first):
            frames = take(first, 25)
            first.commit({CAMERA: frames[17].resume})
        second = feed_of(self.brokers, self.topic, lease=6, format=self.form)
        with opened(second):
            again = take(second, 5)
        positions = [(frame.epoch, frame.seq) for frame in again]
        wanted = [(frame.epoch, frame.seq) for frame in frames]
        assert positions == wanted[17:22] or (self.is_forgetful and positions == wanted[10:15])

    is_forgetful = False
    """The broker drops a commit's metadata: then a bitstream is repeated from its keyframe."""


@pytest.mark.kafka
class TestApacheImages(KafkaContract):
    @pytest.fixture
    def brokers(self, kafka_brokers):
        return kafka_brokers

    def test_the_commit_names_the_lease_and_the_settled_frame(self):
        feed = feed_of(self.brokers, self.topic, lease=5)
        with opened(feed):
            frames = take(feed, 25)
            feed.commit({CAMERA: frames[17].resume})
        found = committed(self.brokers, self.topic)
        assert Mark.read(found.offset, found.metadata) == Mark(17, 17, 5)

    def test_nothing_settled_is_nothing_committed(self):
        feed = feed_of(self.brokers, self.topic, lease=5)
        with opened(feed):
            take(feed, 25)
        assert committed(self.brokers, self.topic).offset == 0

    def test_commits_go_out_while_it_reads(self):
        feed, stop = feed_of(self.brokers, self.topic, lease=5), threading.Event()
        with opened(feed):
            events = feed.events(stop)
            frames = [event for event in (next(events) for _ in range(25)) if isinstance(event, Decoded)]
            feed.commit({CAMERA: frames[9].resume})
            deadline = time.monotonic() + 20
            while committed(self.brokers, self.topic).offset != 9:
                next(events)
                assert time.monotonic() < deadline

    def test_a_superseded_owner_cannot_open_and_cannot_commit(self):
        old, new = feed_of(self.brokers, self.topic, lease=5), feed_of(self.brokers, self.topic, lease=6)
        with opened(old):
            frames = take(old, 25)
            with opened(new):
                old.commit({CAMERA: frames[20].resume})
                with pytest.raises(ConnectError) as caught:
                    take(old, 1000)
                assert caught.value.code == "fenced"
        assert committed(self.brokers, self.topic).offset == 0
        with pytest.raises(ConnectError) as caught:
            old.open({})
        assert caught.value.code == "fenced"

    def test_no_group_is_joined(self):
        feed = feed_of(self.brokers, self.topic)
        with opened(feed):
            take(feed, 3)
            admin = KafkaAdminClient(bootstrap_servers=[self.brokers])
            groups = admin.describe_groups(["dinostream"])
            admin.close()
        assert "members': [{" not in str(groups)

    def test_other_keys_are_counted_and_garbage_is_told(self):
        fill(self.brokers, self.topic, [jpeg(1), jpeg(2)], key="stranger")
        fill(self.brokers, self.topic, [b"garbage", jpeg(7)])
        feed = feed_of(self.brokers, self.topic)
        with opened(feed):
            events = feed.events(threading.Event())
            told = [event for event in (next(events) for _ in range(LENGTH + 4)) if not isinstance(event, Quiet)]
        bad = [event for event in told if isinstance(event, Undecodable)]
        assert [(event.epoch, event.seq) for event in bad] == [(0, LENGTH + 2)]
        assert dict(feed.unrouted) == {"stranger": 2}
        assert [event for event in told if isinstance(event, Unrouted)] == [Unrouted(self.topic)] * 2

    def test_cameras_of_one_topic_stay_apart(self):
        fill(self.brokers, self.topic, [jpeg(500 + number) for number in range(5)], key="yard")
        feed = feed_of(self.brokers, self.topic, CAMERA, "yard")
        with opened(feed):
            frames = take(feed, LENGTH + 5)
        assert [frame.seq for frame in frames if frame.camera == "yard"] == list(range(LENGTH, LENGTH + 5))

    def test_records_that_retention_took_are_reported(self):
        feed = feed_of(self.brokers, self.topic, lease=5)
        with opened(feed):
            frames = take(feed, 10)
            feed.commit({CAMERA: frames[4].resume})
        admin = KafkaAdminClient(bootstrap_servers=[self.brokers])
        admin.delete_records({TopicPartition(self.topic, 0): 30})
        admin.close()
        with opened(feed) as info:
            assert info.details["lost_0"] == 26
            assert take(feed, 1)[0].seq == 30

    def test_a_position_beyond_the_end_is_a_topic_made_anew_and_says_what_to_do(self, caplog):
        consumer = KafkaConsumer(bootstrap_servers=[self.brokers], group_id="dinostream", enable_auto_commit=False)
        consumer.commit({TopicPartition(self.topic, 0): OffsetAndMetadata(1000, "", -1)})
        consumer.close()
        feed = feed_of(self.brokers, self.topic, lease=5)
        with opened(feed) as info:
            assert (info.details["lost_0"], info.details["made_anew_0"]) == (1000, 1000)
            frames = take(feed, 20)
            feed.commit({CAMERA: frames[10].resume})
        (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert "made anew: expected to go on from offset 1000" in error
        assert "fresh state_dir" in error
        assert [frame.seq for frame in frames[:3]] == [0, 1, 2]
        assert committed(self.brokers, self.topic).offset == 10

    def test_a_look_without_a_lease_leaves_no_trace(self):
        feed = feed_of(self.brokers, self.topic)
        with opened(feed):
            take(feed, 3)
        assert committed(self.brokers, self.topic) is None

    def test_latest_means_from_now_on_even_over_a_restart(self):
        feed = feed_of(self.brokers, self.topic, lease=1, start="latest")
        with opened(feed):
            pass
        fill(self.brokers, self.topic, [jpeg(number) for number in range(3)])
        with opened(feed):
            assert [frame.seq for frame in take(feed, 3)] == [LENGTH, LENGTH + 1, LENGTH + 2]


@pytest.mark.kafka
class TestApacheBitstream(KafkaContract):
    form = "bitstream"

    @pytest.fixture
    def brokers(self, kafka_brokers):
        return kafka_brokers


@pytest.mark.kafka
class TestTansuImages(KafkaContract):
    @pytest.fixture
    def brokers(self, tansu_brokers):
        return tansu_brokers


@pytest.mark.kafka
class TestTansuBitstream(KafkaContract):
    form = "bitstream"
    is_forgetful = True

    @pytest.fixture
    def brokers(self, tansu_brokers):
        return tansu_brokers


@pytest.mark.kafka
def test_a_broker_that_dies_is_a_failure_and_its_return_is_noticed(kafka_server, prefix):
    kafka_server.start()
    topic = f"{prefix}.frames"
    create(kafka_server.brokers, topic)
    fill(kafka_server.brokers, topic, [jpeg(number) for number in range(5)])
    feed = feed_of(kafka_server.brokers, topic, lease=1)
    with opened(feed):
        take(feed, 5)
        kafka_server.kill()
        with pytest.raises(SourceError) as caught:
            take(feed, 1)
        assert caught.value.code in {"timeout", "refused"}
    with pytest.raises(ConnectError) as caught:
        feed.open({})
    assert caught.value.code == "refused"
    kafka_server.start()
    with opened(feed):
        assert [frame.seq for frame in take(feed, 5)] == [0, 1, 2, 3, 4]


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_not_found(kafka_brokers, prefix):
    with pytest.raises(ConnectError) as caught:
        feed_of(kafka_brokers, f"{prefix}.nix").open({})
    assert caught.value.code == "not_found"


def test_failed_attempts_leave_no_threads():
    feed = unreachable()
    before = threading.active_count()
    for _ in range(5):
        with pytest.raises(ConnectError):
            feed.open({})
    with socket.socket() as mute:  # takes connections, is no broker
        mute.bind(("127.0.0.1", 0))
        mute.listen(8)
        with pytest.raises(SourceError):
            feed_of(f"127.0.0.1:{mute.getsockname()[1]}", "frames").open({})
    assert threading.active_count() == before
