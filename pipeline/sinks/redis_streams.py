"""Results and alerts into Redis Streams and hashes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.errors import SinkError
from pipeline.messages import Message, Settlement
from pipeline.secrets import Secrets
from pipeline.sinks import envelope
from pipeline.sinks.config import RedisSinkConfig
from pipeline.sinks.dead_letters import dead_letter
from pipeline.sinks.names import destinations
from pipeline.sinks.queued import Delivered
from pipeline.sinks.redis_errors import translate
from pipeline.sinks.trimming import ByteBudget

CONNECT_TIMEOUT_SECONDS = 2.0
SOCKET_TIMEOUT_SECONDS = 3.0
_READ_BACK_MARGIN = 64
"""Entries that others may have added to a shared stream meanwhile."""
_DEAD_LETTER_BYTES = 2**20


def connect(config: RedisSinkConfig, secrets: Secrets, client_name: str) -> redis.Redis:
    """A client with one connection that never tries again by itself: only the sink knows what is safe to repeat.

    RESP2 is spoken, so that Redis 6, Redis 7, Valkey and proxies are all alike.

    Raises:
        SinkError: the secret named by `credentials` is not there.
    """
    user, password = None, None
    if config.credentials is not None:
        try:
            user, _, password = secrets.resolve(config.credentials).rpartition(":")
        except KeyError as error:
            raise SinkError(str(error.args[0]), code="secret") from None
    return redis.Redis.from_url(
        config.url,
        username=user or None,
        password=password,
        protocol=2,
        client_name=client_name,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=1,
    )


class RedisStreams:
    """A carrier for `QueuedSink`.

    Delivery: a batch is one transaction, so that a server out of memory takes all of it or nothing and order holds.
    When the answer to one is lost, the old connection is killed at the server, the newest entries are read back and
    what is there is not written again. An entry can still repeat (the server forgot it, or was written to by a process
    that died): consumers remove duplicates by `ce_id`. Streams are trimmed by bytes; hashes hold what is true now.
    """

    def __init__(self, config: RedisSinkConfig, site: str, secrets: Secrets) -> None:
        self.name = "redis"
        self._config = config
        self._client_name = f"dinostream-{site}"
        self._secrets = secrets
        self._budget = ByteBudget(config.max_bytes)
        self._client: redis.Redis | None = None
        self._client_id: int | None = None
        self._is_ambiguous = True
        """Whether the newest batch may be there already; at start too, since a process before us may have died."""

    def check(self) -> None:
        try:
            (self._client or self._connect()).ping()
        except (redis.RedisError, OSError) as error:
            self.close()
            raise translate(error, self._config.url) from None

    def hurry(self, seconds: float) -> None:
        """Nothing to do: every call here is bounded by `SOCKET_TIMEOUT_SECONDS`."""

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(redis.RedisError, OSError):  # it is gone either way
                self._client.close()
            self._client = None

    def deliver(self, messages: Sequence[Message]) -> Delivered:
        try:
            client = self._client or self._connect()
            present = self._read_back(client, messages) if self._is_ambiguous else frozenset[tuple[str, bytes]]()
            self._is_ambiguous = True
            refused = self._write(client, messages, present)
            self._is_ambiguous = False
            letters = [dead_letter(message, "refused", _DEAD_LETTER_BYTES) for message in refused.values()]
            if self._write(client, letters, frozenset()):
                return Delivered(
                    [], SinkError("Redis refuses the dead letters: is their key a stream?", code="refused")
                )
        except redis.ResponseError as error:  # the transaction was refused as a whole; the connection is good
            return Delivered([], translate(error, self._config.url))
        except (redis.RedisError, OSError) as error:
            self.close()
            return Delivered([], translate(error, self._config.url))
        except SinkError as error:
            return Delivered([], error)
        return Delivered([self._settlement(message, is_refused=id(message) in refused) for message in messages])

    def _settlement(self, message: Message, *, is_refused: bool) -> Settlement:
        if is_refused:
            return Settlement(self.name, message, "dead_lettered", "refused")
        return Settlement(self.name, message, "acknowledged")

    def _connect(self) -> redis.Redis:
        """Opens the connection, and kills the one before it, whose last batch the server may still have to read."""
        client = connect(self._config, self._secrets, self._client_name)
        try:
            own_id = int(_sync(client.client_id()))
            if self._client_id is not None:
                with contextlib.suppress(redis.ResponseError):  # it may be gone, or our user may not kill
                    client.client_kill_filter(_id=str(self._client_id))
        except (redis.RedisError, OSError):
            client.close()
            raise
        self._client_id = own_id
        self._client = client
        return client

    def _read_back(self, client: redis.Redis, messages: Sequence[Message]) -> frozenset[tuple[str, bytes]]:
        """(stream, ce_id) of the newest entries of every stream that `messages` go to."""
        per_stream: dict[str, int] = {}
        for message in messages:
            for stream in destinations(self._config.prefix, message.kind, message.camera).streams:
                per_stream[stream] = per_stream.get(stream, 0) + 1
        present: set[tuple[str, bytes]] = set()
        for stream, number in per_stream.items():
            try:
                entries = _sync(client.xrevrange(stream, count=number + _READ_BACK_MARGIN))
            except redis.ResponseError:  # no stream, or not ours to read: the write to come says what is wrong
                continue
            present.update((stream, fields.get(b"ce_id", b"")) for _, fields in entries)
        return frozenset(present)

    def _write(
        self, client: redis.Redis, messages: Sequence[Message], present: frozenset[tuple[str, bytes]]
    ) -> dict[int, Message]:
        """One transaction; returns the messages (by `id()`) that the server refused one by one, such as WRONGTYPE."""
        pipeline = client.pipeline(transaction=True)
        writers: list[Message] = []
        for message in messages:
            before = len(pipeline)
            self._add(pipeline, message, present)
            writers += [message] * (len(pipeline) - before)
        if not writers:
            return {}
        replies = pipeline.execute(raise_on_error=False)
        pairs = zip(writers, replies, strict=True)
        return {id(message): message for message, reply in pairs if isinstance(reply, redis.ResponseError)}

    def _add(self, pipeline: Any, message: Message, present: frozenset[tuple[str, bytes]]) -> None:
        where = destinations(self._config.prefix, message.kind, message.camera)
        fields = envelope.fields(message)
        size = sum(map(len, fields.values()))
        for stream in where.streams:
            if (stream, message.id.encode()) not in present:
                maxlen = self._budget.max_length(stream, size, is_result=message.kind == "result")
                pipeline.xadd(stream, fields, maxlen=maxlen, approximate=True)
        if where.hash is None:
            return
        if not where.hash_per_key:
            pipeline.hset(where.hash, mapping=fields)
        elif message.body:
            pipeline.hset(where.hash, message.key, message.body)
        else:
            pipeline.hdel(where.hash, message.key)


def _sync(reply: Any) -> Any:
    """What the blocking client returned; its annotations also name the awaitable of the other client."""
    return reply
