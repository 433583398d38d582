"""A foreign client's view of a Kafka topic: librdkafka, from the beginning to where it ends now."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from confluent_kafka import Consumer, Message, TopicPartition

PATIENCE_SECONDS = 30.0


def records(brokers: str, topic: str) -> Iterator[Message]:
    """Every record, in the order of each partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"read-{uuid.uuid4().hex}",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        left = set(partitions)
        while left:
            record = consumer.poll(PATIENCE_SECONDS)
            assert record is not None, f"{topic} did not end within {PATIENCE_SECONDS:g} s"
            if record.error() is not None:  # the only one expected: the end of a partition
                assert record.error().name() == "_PARTITION_EOF", record.error()
                left.discard(record.partition())
            else:
                yield record
    finally:
        consumer.close()
