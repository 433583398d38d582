"""Independent subscribers: read both brokers with plain clients, knowing nothing of what the sinks did.

Ids are the only thing compared; a repeated id is counted, not an error (delivery is at least once).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import redis
from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from pipeline.sinks.names import destinations

Event = dict[str, Any]
OnEvent = Callable[[str, Event], None]
"""(CloudEvents type, body)."""

KINDS = ("result", "alert", "status")


class Tally:
    """What one subscriber has seen. Written by its thread, read by the demo after `close`."""

    def __init__(self) -> None:
        self.ids: dict[str, set[str]] = {}
        """By CloudEvents type."""
        self.repeated = 0
        self.results: dict[str, set[str]] = {}
        """Result ids by camera, ticks left out."""

    def add(self, kind: str, event_id: str, body: Event) -> bool:
        """Counts one event; False where its id was there already."""
        ids = self.ids.setdefault(kind, set())
        if event_id in ids:
            self.repeated += 1
            return False
        ids.add(event_id)
        if kind == "dinostream.result.v1" and not body["tick"]:
            self.results.setdefault(body["camera"], set()).add(event_id)
        return True


class RedisWatcher:
    """Reads every stream of every camera from its first entry on; hands each new event to `on_event`."""

    def __init__(self, url: str, prefix: str, cameras: Sequence[str], on_event: OnEvent) -> None:
        self.tally = Tally()
        self._client = redis.Redis.from_url(url, decode_responses=True)
        names = {stream for c in cameras for kind in KINDS for stream in destinations(prefix, kind, c).streams}
        self._cursors = dict.fromkeys(sorted(names - {f"{prefix}:alerts:{camera}" for camera in cameras}), "0")
        self._on_event = on_event
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis-watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> Tally:
        """Reads what is left and answers with the counts."""
        self._stop.set()
        self._thread.join()
        self._client.close()
        return self.tally

    def _run(self) -> None:
        while True:
            is_last = self._stop.is_set()
            cursors: Any = self._cursors
            found: Any = self._client.xread(cursors, count=200, block=None if is_last else 250)
            for stream, entries in found or []:
                for entry_id, fields in entries:
                    self._cursors[stream] = entry_id
                    body = json.loads(fields["data"])
                    if self.tally.add(fields["ce_type"], fields["ce_id"], body):
                        self._on_event(fields["ce_type"], body)
            if is_last and not found:
                return


class KafkaWatcher:
    """Reads every partition of the three topics from its first record on."""

    def __init__(self, brokers: Sequence[str], prefix: str) -> None:
        self.tally = Tally()
        self._topics = sorted({destinations(prefix, kind, "any").topic for kind in KINDS})
        self._consumer = KafkaConsumer(
            bootstrap_servers=list(brokers),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
        )
        parts = [TopicPartition(t, p) for t in self._topics for p in self._consumer.partitions_for_topic(t) or ()]
        self._consumer.assign(parts)
        self._consumer.seek_to_beginning(*parts)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> Tally:
        """Reads what is left and answers with the counts."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()
        return self.tally

    def _run(self) -> None:
        quiet = 0
        while not (self._stop.is_set() and quiet > 1):
            found = self._consumer.poll(timeout_ms=500)
            quiet = 0 if found else quiet + 1
            for records in found.values():
                for record in records:
                    headers = {name: value.decode() for name, value in record.headers}
                    if record.value:
                        self.tally.add(headers["ce_type"], headers["ce_id"], json.loads(record.value))
