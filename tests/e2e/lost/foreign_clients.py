"""What a site's own programs see of a run: a plain Redis client and a plain Kafka consumer, each from the beginning."""

from __future__ import annotations

import json
from dataclasses import dataclass

import redis

from tests.e2e.pipeline_process import stream
from tests.kafka_records import records


@dataclass(frozen=True, slots=True)
class Seen:
    """One event, as it came."""

    id: str
    kind: str
    """Such as `result` or `alert.start`."""
    body: dict

    @property
    def position(self) -> tuple[int, int]:
        return self.body["epoch"], self.body["seq"]


@dataclass(frozen=True, slots=True)
class Brokers:
    """Both, under one prefix."""

    redis_url: str
    kafka: str
    prefix: str

    def in_redis(self, camera: str, stream_kind: str) -> list[Seen]:
        """`results` or `alerts`, oldest first."""
        with redis.Redis.from_url(self.redis_url) as client:
            found = stream(client, f"{self.prefix}:{stream_kind}:{camera}")
        return [Seen(id_, _kind(type_), body) for id_, type_, body in found]

    def in_kafka(self, camera: str, topic: str) -> list[Seen]:
        """The same from `PREFIX.results.v1` or `PREFIX.alerts.v1`: a camera has one partition, so its order is kept."""
        found = []
        for record in records(self.kafka, f"{self.prefix}.{topic}.v1"):
            headers = {name: value.decode() for name, value in record.headers() or ()}
            if record.key() == camera.encode():
                found.append(Seen(headers["ce_id"], _kind(headers["ce_type"]), json.loads(record.value())))
        return found

    def results(self, camera: str) -> list[Seen]:
        """In Redis, without what is not a result."""
        return [each for each in self.in_redis(camera, "results") if each.kind == "result"]

    def alerts(self, camera: str, kind: str) -> list[Seen]:
        """`start` or `end`, in Redis."""
        return [each for each in self.in_redis(camera, "alerts") if each.kind == f"alert.{kind}"]


def _kind(ce_type: str) -> str:
    return ce_type.removeprefix("dinostream.").removesuffix(".v1")
