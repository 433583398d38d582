"""One camera whose pictures lie in several partitions, from a real broker through owner and publisher to the commit."""

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from pipeline.clock import SystemClock
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.owner.owner import Owner
from pipeline.frame_path.publisher.published import PublishedCamera
from tests.contract.source_contract import CAMERA
from tests.contract.test_source_kafka import create, feed_of, jpeg
from tests.fakes import FakeAnalyzer, owned
from tests.fakes_publisher import HandSink, publisher
from tests.waiting import until

LIMIT_SECONDS = 40.0
NUM_PARTITIONS, LENGTH = 3, 10


def spread(brokers: str, topic: str) -> None:
    """Pictures of one key by turns over the partitions, as a producer that ignores keys does it."""
    producer = KafkaProducer(bootstrap_servers=[brokers])
    for number in range(NUM_PARTITIONS * LENGTH):
        producer.send(topic, jpeg(number), key=CAMERA.encode(), partition=number % NUM_PARTITIONS).get(timeout=20)
    for number in range(2):
        producer.send(topic, jpeg(number), key=b"stranger", partition=number).get(timeout=20)
    producer.close()


def committed(brokers: str, topic: str) -> dict[int, int]:
    consumer = KafkaConsumer(bootstrap_servers=[brokers], group_id="dinostream", enable_auto_commit=False)
    found = {n: consumer.committed(TopicPartition(topic, n)) for n in range(NUM_PARTITIONS)}
    consumer.close()
    return {number: offset for number, offset in found.items() if offset is not None}


@pytest.mark.kafka
def test_each_partition_is_committed_up_to_its_own_lowest_open_offset(kafka_brokers, prefix, tmp_path):
    topic = f"{prefix}.spread"
    create(kafka_brokers, topic, NUM_PARTITIONS)
    spread(kafka_brokers, topic)
    camera = owned(CAMERA, lease=7, is_replayable=True, sample=SampleConfig(max_age=60.0))
    sink = HandSink()
    made = publisher(tmp_path, [PublishedCamera(camera.spec, is_replayable=True)], [sink], clock=SystemClock())
    made.name = "publish-0"
    owner = Owner(
        "decode-0",
        [FeedPlan((camera,), lambda: feed_of(kafka_brokers, topic, lease=7))],
        analyzers=[(FakeAnalyzer(), 2)],
        publisher_of=lambda _: made,
        clock=SystemClock(),
        state_dir=tmp_path,
        limits=BatchLimits(max_batch_size=4),
    )
    owner.start()
    try:
        count = NUM_PARTITIONS * LENGTH
        until("all results at the sink", lambda: sum(each.kind == "result" for each in sink.queue) == count)
        held = [each for each in sink.queue if each.ticket and each.ticket.epoch == 1 and each.ticket.seq >= 4]
        sink.queue = [each for each in sink.queue if each not in held]
        sink.settle()
        until("each partition's own offset", lambda: committed(kafka_brokers, topic) == {0: 9, 1: 4, 2: 9})
        sink.queue = held
        sink.settle()
        until("the rest", lambda: committed(kafka_brokers, topic) == {0: 9, 1: 9, 2: 9})
        assert owner.drain(LIMIT_SECONDS)
        (snapshot,) = owner.snapshot()
        ledger = snapshot.ledger
        assert snapshot.unrouted == {topic: 2}
        assert (ledger.analysed, ledger.in_flight, ledger.unaccounted) == (count, 0, 0)
    finally:
        owner.stop(5.0)
        made.close(1.0)
