"""A Kafka topic of pictures or of encoded video, all its partitions and all cameras whose keys we know."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from kafka.errors import KafkaError

from pipeline import kafka_log
from pipeline.clock import Clock, SystemClock
from pipeline.errors import SourceError
from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources.base import Event, Quiet, SourceInfo, Unrouted
from pipeline.sources.config import KafkaSourceConfig, SourceConfig
from pipeline.sources.kafka_consumer import connect, translate
from pipeline.sources.kafka_offsets import TopicOffsets
from pipeline.sources.kafka_position import KafkaPosition, SettledLine
from pipeline.sources.kafka_records import RecordReader, reader_of

_POLL_SECONDS = 0.5
_ALIVE_SECONDS = 1.0
_COMMIT_SECONDS = 1.0
_MAX_UNROUTED_KEYS = 1000
_log = logging.getLogger(__name__)
T = TypeVar("T")


class KafkaFeed:
    """The cameras that name one topic and group. Implements `pipeline.sources.base.Feed`.

    Partitions are assigned by hand: a group's own balancing would be a second master beside ours. `epoch` is the
    partition; `seq` the offset, or `offset << 16 | frame in chunk` of a bitstream. Committed, by the reader's thread
    about once a second and at `close`, is the lowest offset that is not settled, with our lease in its metadata.

    Args:
        brokers: used where the cameras name none.
        lease: of the owner; a higher one in the committed metadata means stop. 0: not known, never stop.
    """

    is_replayable = True

    def __init__(
        self,
        cameras: dict[str, SourceConfig],
        secrets: Secrets,
        brokers: tuple[str, ...],
        security: KafkaSecurity,
        *,
        lease: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.cameras = tuple(cameras)
        configs = {camera: _kafka(config) for camera, config in cameras.items()}
        self._config = next(iter(configs.values()))
        self._brokers = self._config.brokers or brokers
        self._cameras = {config.key or camera: camera for camera, config in configs.items()}
        self._readers: dict[str, RecordReader] = {}
        self._configs = configs
        self._secrets = secrets
        self._security = security
        self._lease = lease
        self._clock = clock or SystemClock()
        self._stall_after = next(iter(cameras.values())).stall_after
        self._offsets: TopicOffsets | None = None
        self._line = SettledLine()
        self._lock = threading.Lock()
        """Guards `_line`: `commit` is called by another thread."""
        self._committed_at = 0.0
        self._complaint = kafka_log.listen()
        self.unrouted: Counter[str] = Counter()
        """Records by key that no camera names; keys beyond a thousand are counted under `...`."""

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self._config.topic} on {','.join(self._brokers)}"

    def open(self, resume: dict[str, str]) -> SourceInfo:
        """Finds where to begin: what is committed, or `resume` where that is further, or `start` where nothing is.

        Raises:
            ConnectError: no broker, no such topic, not allowed (`unauthorized`), or a higher lease (`fenced`).
        """
        self.close()
        label = ",".join(self.cameras)
        self._complaint = kafka_log.listen()
        consumer = connect(label, self._brokers, self._config.group, self._security, self._secrets)
        self._offsets = TopicOffsets(consumer, self._config.topic, self._lease, label, self.where)
        try:
            details = self._offsets.begin(resume.values(), self._config.start)
        except SourceError:
            self._abandon()
            raise
        except (KafkaError, ValueError) as error:
            self._abandon()
            raise translate(error, label, self.where, self._complaint.take()) from None
        with self._lock:
            self._line = SettledLine()
        self._readers = {camera: reader_of(camera, config) for camera, config in self._configs.items()}
        self._committed_at = self._clock.monotonic()
        return SourceInfo(self._config.format, None, None, details)

    def events(self, stop: threading.Event) -> Iterator[Event]:
        """Frames of all cameras, in order within each partition.

        Raises:
            ConnectError: records that were not read are gone (`lost`), or another owner took over (`fenced`).
            StreamStalled: the broker does not answer.
        """
        assert self._offsets is not None, "open comes before events"
        heard = self._clock.monotonic()
        while not stop.is_set():
            records = self._ask(lambda offsets: offsets.consumer.poll(timeout_ms=int(_POLL_SECONDS * 1000)))
            for partition, batch in records.items():
                for event in self._events_of(partition.partition, batch):
                    if stop.is_set():
                        return
                    yield event
            self._commit_if_due()
            now = self._clock.monotonic()
            if records:
                heard = now
                self._complaint.take()  # whatever it was, it is over
            else:
                if now - heard > self._stall_after:
                    self._ask(lambda offsets: offsets.check_alive(_ALIVE_SECONDS))
                    heard = now
                yield Quiet()

    def commit(self, positions: dict[str, str]) -> None:
        """Notes the positions; the reader's thread commits them."""
        with self._lock:
            for camera, text in positions.items():
                self._line.settled(camera, KafkaPosition.parse(text))

    def close(self) -> None:
        """Commits what is settled, if the broker answers, and closes."""
        offsets = self._offsets
        if offsets is None:
            return
        try:
            self._commit(offsets)
        except (KafkaError, SourceError) as error:
            _log.warning("%s: the last commit was lost, frames will come again: %s", self.where, type(error).__name__)
        self._abandon()

    def _abandon(self) -> None:
        if self._offsets is not None:
            self._offsets.close()
            self._offsets = None

    # --- reading ------------------------------------------------------------------------------------------------

    def _ask(self, question: Callable[[TopicOffsets], T]) -> T:
        assert self._offsets is not None
        try:
            return question(self._offsets)
        except (KafkaError, OSError) as error:
            raise translate(error, ",".join(self.cameras), self.where, self._complaint.take()) from None

    def _events_of(self, partition: int, batch: Iterable[Any]) -> Iterator[Event]:
        assert self._offsets is not None
        for record in batch:
            camera = self._camera_of(record.key)
            if camera is None:
                yield Unrouted(self._config.topic)
                continue
            for event in self._readers[camera].read(record):
                if event.seq is not None and event.seq < self._offsets.wanted[partition]:
                    continue  # settled before we came; decoded again on the way from its keyframe
                if event.resume is not None:
                    with self._lock:
                        self._line.reading(camera, KafkaPosition.parse(event.resume))
                yield event

    def _camera_of(self, key: bytes | None) -> str | None:
        name = "(no key)" if key is None else key.decode("utf-8", "replace")
        camera = self._cameras.get(name)
        if camera is None:
            if name not in self.unrouted:
                if len(self.unrouted) >= _MAX_UNROUTED_KEYS:
                    name = "..."
                else:
                    _log.warning("%s: no camera has the key %.100r; its records are passed over", self.where, name)
            self.unrouted[name] += 1
        return camera

    # --- committing ---------------------------------------------------------------------------------------------

    def _commit_if_due(self) -> None:
        now = self._clock.monotonic()
        if now - self._committed_at >= _COMMIT_SECONDS:
            self._committed_at = now
            self._ask(self._commit)

    def _commit(self, offsets: TopicOffsets) -> None:
        with self._lock:
            marks = self._line.marks(self._lease)
        offsets.commit(marks)


def _kafka(config: SourceConfig) -> KafkaSourceConfig:
    if config.kafka is None:
        raise ValueError("expected cameras with `source.kafka`")
    return config.kafka
