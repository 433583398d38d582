"""Where to begin in each partition of a topic, and what is committed. The reader's thread alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Literal

from kafka.structs import OffsetAndMetadata, TopicPartition

from pipeline.errors import ConnectError
from pipeline.kafka_client import ANSWER_SECONDS
from pipeline.sources.kafka_consumer import LOST
from pipeline.sources.kafka_position import KafkaPosition, Mark

_ANSWER_MS = int(ANSWER_SECONDS * 1000)
_PROOF_MS = 500
_MADE_ANEW = (
    "%s: partition %d was made anew: expected to go on from offset %d, got a topic that ends at %d. Its records before "
    "offset %d count as published already and are not published again. Read it under new camera names, or with a "
    "fresh state_dir."
)
_log = logging.getLogger(__name__)


class TopicOffsets:
    """One consumer, assigned every partition of one topic. Methods raise kafka-python's errors besides ours.

    The lease in the metadata is looked at before each commit. That is no compare-and-set: within one round trip two
    owners may both commit, and the frames between come twice.
    """

    def __init__(self, consumer: Any, topic: str, lease: int, cameras: str, where: str) -> None:
        self.consumer = consumer
        self.wanted: dict[int, int] = {}
        """Per partition the first `seq` that is not settled: those before it are decoded again but not told."""
        self._topic = topic
        self._lease = lease
        self._cameras = cameras
        self._where = where
        self._committed: dict[int, Mark] = {}

    def begin(self, resume: Iterable[str], start: Literal["earliest", "latest"]) -> dict[str, str | int | float]:
        """Assigns and seeks; returns details for people, such as `lost_0`: records of partition 0 that are gone.

        Raises:
            ConnectError: no such topic (`not_found`), or a higher lease is committed (`fenced`).
            ValueError: a position is not one of ours.
        """
        numbers = sorted(self.consumer.partitions_for_topic(self._topic) or ())
        if not numbers:
            message = f"{self._where}: expected a topic, got none of this name. Create it, or check the name."
            raise ConnectError(message, code="not_found", where=self._cameras)
        partitions = [TopicPartition(self._topic, number) for number in numbers]
        self.consumer.assign(partitions)
        first = self.consumer.beginning_offsets(partitions, timeout_ms=_ANSWER_MS)
        last = self.consumer.end_offsets(partitions, timeout_ms=_ANSWER_MS)
        resumed = _lowest(KafkaPosition.parse(text) for text in resume)
        details: dict[str, str | int | float] = {"partitions": len(numbers)}
        for partition in partitions:
            number = partition.partition
            begin = _further(self._look_up(number), resumed.get(number))
            if begin is None:
                begin = Mark((first if start == "earliest" else last)[partition], 0)
            if lost := self._lost(partition, begin, first[partition], last[partition]):
                details[f"lost_{number}"] = lost
                if begin.offset < first[partition]:
                    _log.warning("%s: partition %d: %d records are gone", self._where, number, lost)
                else:
                    details[f"made_anew_{number}"] = begin.offset
                    _log.error(_MADE_ANEW, self._where, number, begin.offset, last[partition], begin.offset)
                begin = Mark(first[partition], 0)
            if self._lease:  # fences lower leases from here on; who has none only looks
                self._write(number, Mark(begin.offset, begin.seq, self._lease))
            self.consumer.seek(partition, begin.offset)
            self.wanted[number] = begin.seq
        return details

    def commit(self, marks: dict[int, Mark]) -> None:
        """Commits what has moved on.

        Raises:
            ConnectError: a higher lease is committed (`fenced`); nothing is written then.
        """
        for number, mark in marks.items():
            known = self._committed.get(number)
            if known is None or mark.offset > known.offset or (mark.offset == known.offset and mark.seq > known.seq):
                self._look_up(number)
                self._write(number, mark)

    def check_alive(self, timeout_seconds: float) -> None:
        """Asks the broker a small question."""
        self.consumer.end_offsets(list(self.consumer.assignment()), timeout_ms=int(timeout_seconds * 1000))

    def close(self) -> None:
        self.consumer.close(autocommit=False, timeout_ms=1000)

    def _look_up(self, number: int) -> Mark | None:
        """What is committed, by whomever, unless it fences us."""
        found = self.consumer.committed(TopicPartition(self._topic, number), metadata=True, timeout_ms=_ANSWER_MS)
        if found is None:
            return None
        mark = Mark.read(found.offset, found.metadata)
        if self._lease and mark.lease > self._lease:
            message = f"{self._where}: another owner (lease {mark.lease}, ours {self._lease}) reads this topic now."
            raise ConnectError(message, code="fenced", where=self._cameras)
        self._committed[number] = mark
        return mark

    def _write(self, number: int, mark: Mark) -> None:
        record = OffsetAndMetadata(mark.offset, mark.metadata, -1)
        self.consumer.commit({TopicPartition(self._topic, number): record}, timeout_ms=_ANSWER_MS)
        self._committed[number] = mark

    def _lost(self, partition: TopicPartition, begin: Mark, first: int, last: int) -> int:
        """Records between the wanted and the first one that is left; all before the wanted in a topic made anew."""
        if begin.offset < first:
            return first - begin.offset
        if begin.offset <= last:
            return 0
        self.consumer.seek(partition, begin.offset)
        try:  # some brokers understate the end: only a refused fetch is proof
            self.consumer.poll(timeout_ms=_PROOF_MS, max_records=1)
        except LOST:
            return begin.offset
        return 0


def _lowest(positions: Iterable[KafkaPosition]) -> dict[int, Mark]:
    lowest: dict[int, Mark] = {}
    for each in positions:
        known = lowest.get(each.partition, Mark(each.offset, each.seq))
        lowest[each.partition] = Mark(min(known.offset, each.offset), min(known.seq, each.seq))
    return lowest


def _further(committed: Mark | None, resumed: Mark | None) -> Mark | None:
    """Both say that what lies before them is settled, so the later one holds."""
    known = [each for each in (committed, resumed) if each is not None]
    return max(known, key=lambda each: (each.offset, each.seq), default=None)
