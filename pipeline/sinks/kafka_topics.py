"""Results and alerts into Kafka topics."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipeline import kafka_log
from pipeline.errors import SinkError
from pipeline.kafka_client import client_settings, closed_doors
from pipeline.messages import Message, Settlement
from pipeline.secrets import Secrets
from pipeline.sinks import envelope
from pipeline.sinks.config import KafkaSinkConfig
from pipeline.sinks.dead_letters import dead_letter
from pipeline.sinks.kafka_errors import MESSAGE_FAULTS, translate
from pipeline.sinks.names import destinations
from pipeline.sinks.queued import Delivered

DELIVERY_TIMEOUT_MS = 7 * 86_400_000
"""Never reached: a retried batch that passes it leaves the producer stuck for ever without a word."""
_METADATA_TIMEOUT_MS = 3000
"""How long `send` may block for a topic that it does not know yet; `hurry` cannot cut it short."""
_REQUEST_TIMEOUT_MS = 10_000
_BATCH_BYTES = 256 * 1024
_LINGER_MS = 2
_RECORD_OVERHEAD_BYTES = 128
"""Of one record besides key, value and headers: lengths, timestamps and the batch around it."""
_JOIN_SECONDS = 1.0
_CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Sent:
    message: Message
    reason: str
    """Why a dead letter went in its place; empty otherwise."""
    future: Any


class _Outstanding:
    """Waits until every future has an answer, a deadline passes or the sink hurries."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._batch = 0
        self._number = 0
        self._hurry_at = math.inf

    def restart(self) -> None:
        """Forgets the futures of the batch before, which an abandoned producer may still fail."""
        with self._changed:
            self._batch += 1
            self._number = 0

    def add(self, future: Any) -> None:
        with self._changed:
            self._number += 1
        future.add_both(self._answered, self._batch)

    def _answered(self, batch: int, _: object) -> None:
        with self._changed:
            if batch == self._batch:
                self._number -= 1
                self._changed.notify_all()

    def hurry(self, seconds: float) -> None:
        with self._changed:
            self._hurry_at = time.monotonic() + seconds
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._number > 0 and (left := min(deadline, self._hurry_at) - time.monotonic()) > 0:
                self._changed.wait(left)


class KafkaTopics:
    """A carrier for `QueuedSink`.

    Delivery: at least once, per key in order, through an idempotent producer that settles one batch before the next,
    which bounds what is in flight. The producer is abandoned when `deadline` passes without an answer, or when the
    broker refuses anything, since it then refuses everything after it; what is unsettled goes through a new one, in
    order. Messages that the broker refuses for their own sake are found by sending one at a time, and dead-lettered.
    """

    def __init__(self, config: KafkaSinkConfig, site: str, secrets: Secrets) -> None:
        self.name = "kafka"
        self._config = config
        self._client_id = f"dinostream-{site}"
        self._secrets = secrets
        self._producer: Any = None
        self._outstanding = _Outstanding()
        self._num_alone = 0
        """Messages that are still sent one at a time, to find the one that poisons."""
        self._refused: dict[str, str] = {}
        """Reasons, by message id, why the broker refused messages that were sent alone."""
        self._complaint = kafka_log.listen()

    def check(self) -> None:
        if self._producer is None:
            self._connect()
        elif closed_doors(self._config.brokers, _CONNECT_SECONDS):  # the client itself cannot say
            raise SinkError(f"Kafka at {','.join(self._config.brokers)} cannot be reached", code="unreachable")

    def hurry(self, seconds: float) -> None:
        self._outstanding.hurry(seconds)

    def close(self) -> None:
        """Ends the producer and its thread at once; what it still holds is not sent."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        sender = producer._sender  # noqa: SLF001  no public way ends the thread of a stuck producer
        sender.force_close()
        sender.join(_JOIN_SECONDS)
        with contextlib.suppress(KafkaError):  # flushing finds its records failed, which we know
            producer.close(timeout=0)

    def deliver(self, messages: Sequence[Message]) -> Delivered:
        batch = messages[:1] if self._num_alone else messages
        try:
            if self._producer is None:
                self._connect()
        except SinkError as error:
            return Delivered([], error)
        self._outstanding.restart()
        sent, error = self._send(batch)
        self._outstanding.wait(self._config.deadline)
        settled = [self._settlement(each) for each in sent if each.future.succeeded()]
        error = self._fault(sent) or error
        if error is not None:
            self.close()
        self._num_alone = max(0, self._num_alone - len(settled))
        for settlement in settled:
            self._refused.pop(settlement.message.id, None)
        if error is not None and error.code in MESSAGE_FAULTS:
            return self._isolate(batch, settled, error)
        return Delivered(settled, error)

    def _settlement(self, sent: _Sent) -> Settlement:
        outcome = "dead_lettered" if sent.reason else "acknowledged"
        return Settlement(self.name, sent.message, outcome, sent.reason)

    def _isolate(self, batch: Sequence[Message], settled: list[Settlement], error: SinkError) -> Delivered:
        """A message of `batch` is at fault: alone, it is known; among others, each goes alone from now on."""
        if len(batch) > 1:
            self._num_alone = len(batch) - len(settled)
        elif batch[0].id not in self._refused:
            self._refused[batch[0].id] = error.code
            return Delivered(settled)
        return Delivered(settled, error)

    def _fault(self, sent: list[_Sent]) -> SinkError | None:
        """The first thing that went wrong with `sent`, if any."""
        for each in sent:
            if each.future.failed():
                return self._translate(each.future.exception)
            if not each.future.is_done:
                said = self._complaint.take()
                where, limit = ",".join(self._config.brokers), self._config.deadline
                text = f"Kafka at {where} did not answer in time (deadline {limit:g} s)"
                return SinkError(f"{text}: {said}" if said else text, code="timeout")
        return None

    def _send(self, batch: Sequence[Message]) -> tuple[list[_Sent], SinkError | None]:
        """Hands `batch` to the producer in order, up to the first message that it does not take."""
        sent: list[_Sent] = []
        for message in batch:
            outgoing, reason = self._outgoing(message)
            where = destinations(self._config.prefix, outgoing.kind, outgoing.camera)
            value = outgoing.body or None
            try:
                future = self._producer.send(
                    where.topic, key=outgoing.key.encode(), value=value, headers=envelope.headers(outgoing)
                )
            except KafkaError as error:
                return sent, self._translate(error)
            self._outstanding.add(future)
            sent.append(_Sent(message, reason, future))
        return sent, None

    def _outgoing(self, message: Message) -> tuple[Message, str]:
        """`message`, or its dead letter and the reason: asked before sending, as a refusal poisons the producer."""
        if message.id in self._refused:
            reason = self._refused[message.id]
            return dead_letter(message, reason, 0), reason
        if _record_bytes(message) > self._config.max_message:
            return dead_letter(message, "too_large", self._config.max_message), "too_large"
        return message, ""

    def _connect(self) -> None:
        settings = client_settings(
            self._config.brokers, self._config.security, self._secrets, self._client_id, SinkError
        )
        self._complaint.take()
        try:
            self._producer = KafkaProducer(
                **settings,
                enable_idempotence=True,
                acks="all",
                allow_auto_create_topics=False,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                request_timeout_ms=_REQUEST_TIMEOUT_MS,
                max_block_ms=_METADATA_TIMEOUT_MS,
                max_request_size=self._config.max_message + 2**20,
                batch_size=min(_BATCH_BYTES, self._config.max_message),
                linger_ms=_LINGER_MS,
            )
        except (KafkaError, OSError, ValueError) as error:
            raise self._translate(error) from None

    def _translate(self, error: BaseException) -> SinkError:
        return translate(error, self._config.brokers, self._complaint.take())


def _record_bytes(message: Message) -> int:
    """At most what `message` takes in a topic."""
    headers = sum(len(name) + len(value) + 10 for name, value in envelope.headers(message))
    return len(message.key) + len(message.body) + headers + _RECORD_OVERHEAD_BYTES
