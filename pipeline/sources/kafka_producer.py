"""Video into a topic, one message at a time: for `publish` and for tests. The sink for results is another thing."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka import errors as foreign
from kafka.admin import KafkaAdminClient, NewTopic

from pipeline import kafka_log
from pipeline.errors import ConnectError, SourceError
from pipeline.kafka_client import ANSWER_SECONDS, KafkaSecurity, client_settings
from pipeline.secrets import Secrets
from pipeline.sources.kafka_consumer import knock, translate

MAX_MESSAGE_BYTES = 16 << 20
_DEADLINE_SECONDS = 30.0
_OPEN, _NO_SECRETS = KafkaSecurity(), Secrets({})


class RecordProducer:
    """A context manager. Each `send` waits for the broker, so that nothing queues up here."""

    def __init__(
        self,
        brokers: tuple[str, ...],
        topic: str,
        *,
        security: KafkaSecurity = _OPEN,
        secrets: Secrets = _NO_SECRETS,
        is_created: bool = False,
    ) -> None:
        """`is_created`: make the topic, with one partition, where it is missing. `secrets` has the password's name."""
        self._brokers = brokers
        self._security = security
        self._secrets = secrets
        self._topic = topic
        self._is_created = is_created
        self._producer: Any = None
        self._complaint = kafka_log.listen()

    @property
    def where(self) -> str:
        return f"{self._topic} on {','.join(self._brokers)}"

    def __enter__(self) -> Self:
        """Raises:
        ConnectError: no broker.
        """
        knock("publish", self._brokers)
        self._complaint.take()
        try:
            if self._is_created:
                self._create()
            settings: dict[str, Any] = {
                **self._settings(),
                "max_block_ms": int(ANSWER_SECONDS * 1000),
                "max_request_size": MAX_MESSAGE_BYTES,
                "enable_idempotence": False,  # a refused message must not poison those after it
                "acks": "all",
            }
            self._producer = KafkaProducer(**settings)
        except (foreign.KafkaError, OSError, ValueError) as error:
            raise translate(error, "publish", self.where, self._complaint.take()) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._producer is not None:
            self._producer.close(timeout=ANSWER_SECONDS)

    def send(self, key: str, body: bytes, capture_ns: int) -> int:
        """The record's offset.

        Raises:
            SourceError: not taken; `too_large` where the topic's `max.message.bytes` is smaller.
        """
        headers = [("capture_ns", str(capture_ns).encode())]
        try:
            future = self._producer.send(self._topic, body, key=key.encode(), headers=headers)
            return future.get(timeout=_DEADLINE_SECONDS).offset
        except foreign.MessageSizeTooLargeError:
            message = f"{self.where}: {len(body)} bytes are more than a message may hold. Raise max.message.bytes."
            raise SourceError(message, code="too_large", where="publish") from None
        except foreign.KafkaTimeoutError as error:
            if "metadata" in str(error):
                message = f"{self.where}: expected a topic, got none of this name. Create it, or use --create."
                raise ConnectError(message, code="not_found", where="publish") from None
            raise translate(error, "publish", self.where, self._complaint.take()) from None
        except (foreign.KafkaError, OSError) as error:
            raise translate(error, "publish", self.where, self._complaint.take()) from None

    def _settings(self) -> dict[str, Any]:
        return client_settings(self._brokers, self._security, self._secrets, "dinostream-publish", ConnectError)

    def _create(self) -> None:
        admin = KafkaAdminClient(**self._settings())
        limit = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        try:
            admin.create_topics([NewTopic(self._topic, 1, 1, topic_configs=limit)])
        except foreign.TopicAlreadyExistsError:
            return
        finally:
            admin.close()
