"""The publisher on real brokers, read back by foreign clients."""

from __future__ import annotations

import msgspec
import pytest
import redis

from pipeline.clock import SystemClock
from pipeline.frame_path.publisher.wire import decode_array
from pipeline.messages import Delivery, Status
from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSinkConfig, OutboxConfig, RedisSinkConfig, SinksConfig
from pipeline.sinks.registry import build_sinks
from pipeline.sinks.topics import create_topics, planned_topics
from tests.fakes_publisher import CAMERA, START_NS, camera, frame, publisher
from tests.kafka_records import records
from tests.waiting import until

pytestmark = [pytest.mark.redis, pytest.mark.kafka]


def built(tmp_path, redis_url, brokers, prefix):
    config = SinksConfig(
        redis=RedisSinkConfig(url=redis_url, prefix=prefix),
        kafka=KafkaSinkConfig(brokers=(brokers,), prefix=prefix),
    )
    sinks, required = build_sinks(config, "north-quay", Secrets({}))
    return publisher(
        tmp_path, [camera()], sinks, required=required, clock=SystemClock(), outbox_bytes=OutboxConfig().max_bytes
    )


def kafka_ids(brokers, topic):
    return [(dict(record.headers())["ce_id"].decode(), record.value()) for record in records(brokers, topic)]


def redis_ids(client, stream):
    return [(fields[b"ce_id"].decode(), fields[b"data"]) for _, fields in client.xrange(stream)]


def test_a_lost_redis_neither_stops_kafka_nor_loses_an_alert(tmp_path, redis_server, tansu_brokers, prefix):
    settings = KafkaSinkConfig(brokers=(tansu_brokers,), prefix=prefix)
    create_topics(settings, Secrets({}), planned_topics(settings))
    redis_server.kill()
    made = built(tmp_path, redis_server.url, tansu_brokers, prefix)
    made.attach(CAMERA, 17)
    made.publish(Delivery((Status(CAMERA, 17, "live", START_NS), *(frame(n, 2.5) for n in range(5)))))

    def ledger(sink):
        return next(each for each in made.snapshot().ledgers if each.sink == sink)

    until("Kafka has all", lambda: ledger("kafka").acknowledged == 5)
    assert ledger("redis").queued == 5
    assert [name for name, _ in kafka_ids(tansu_brokers, f"{prefix}.alerts.v1")] == ["dock-03/too_close/1/start"]
    assert made.publish(Delivery((frame(5, 2.5),))).of(CAMERA).settled_upto == ()

    redis_server.start()
    until("Redis caught up", lambda: ledger("redis").acknowledged == 6)
    client = redis.Redis.from_url(redis_server.url)
    assert list(client.hgetall(f"{prefix}:alerts:active")) == [b"dock-03/too_close"]
    made.publish(Delivery(tuple(frame(n, 5.0) for n in range(6, 9))))
    until("all is delivered", lambda: ledger("redis").acknowledged == 9 and made.snapshot().outbox_rows == 0)

    alerts = redis_ids(client, f"{prefix}:alerts")
    assert [name for name, _ in alerts] == ["dock-03/too_close/1/start", "dock-03/too_close/1/end"]
    assert alerts == redis_ids(client, f"{prefix}:alerts:{CAMERA}")
    assert alerts == kafka_ids(tansu_brokers, f"{prefix}.alerts.v1")
    results = redis_ids(client, f"{prefix}:results:{CAMERA}")
    assert results == kafka_ids(tansu_brokers, f"{prefix}.results.v1")
    assert decode_array(msgspec.json.decode(results[0][1])["embedding"]).shape == (384,)
    assert client.hgetall(f"{prefix}:alerts:active") == {}
    assert client.hget(f"{prefix}:status:{CAMERA}", "ce_id") == b"dock-03/status/1"
    for each in made.snapshot().ledgers:
        assert (each.acknowledged, each.dropped, each.dead_lettered, each.queued) == (9, {}, 0, 0)
    made.close(5.0)
    client.close()
