"""Events to an HTTP address, signed; one POST each."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import http.client
import logging
import select
import socket
import ssl
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

from pipeline.clock import Clock, SystemClock
from pipeline.errors import SinkError
from pipeline.messages import Message, Settlement
from pipeline.secrets import Secrets
from pipeline.sinks import envelope
from pipeline.sinks.config import WebhookSinkConfig
from pipeline.sinks.dead_letters import dead_letter
from pipeline.sinks.queued import Delivered
from pipeline.sinks.webhook_errors import is_worth_another_try, refused, translate

BATCH_MESSAGES = 32
"""Of one call: what is delivered is noted after so many requests at the latest."""
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_ANSWER_BYTES = 64 * 1024
"""More of an answer is not read: the connection goes instead."""
_LETTER_BYTES = 2**20
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64
_log = logging.getLogger(__name__)


def signing_keys(secret: str) -> list[bytes]:
    """The keys of a secret: one `whsec_` and base64, or several with spaces between, while one replaces the other.

    Source: Standard Webhooks 1.0.0, signature scheme.

    Raises:
        ValueError: it is none; the message does not repeat it.
    """
    keys: list[bytes] = []
    for part in secret.split():
        prefix, found, encoded = part.partition("_")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not found or prefix != "whsec" or not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
            keys = []
            break
        keys.append(key)
    if not keys:
        msg = f"expected whsec_ and base64 of {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} random bytes, got something else"
        raise ValueError(msg)
    return keys


def signature(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`. Source: Standard Webhooks 1.0.0, signature scheme and webhook headers."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


class Webhook:
    """A carrier for `QueuedSink`.

    Delivery: 2xx is an acknowledgement. A server that does not answer, 5xx, 408, 425 and 429 are tried again without
    end; every other answer, also a redirect, is a dead letter: it goes to the other sinks, since there is nowhere else
    to put it. A lost answer means that the event comes again with the same `webhook-id`.
    """

    def __init__(self, config: WebhookSinkConfig, site: str, secrets: Secrets, clock: Clock | None = None) -> None:
        self.name = "webhook"
        parts = urlsplit(config.url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._config = config
        self._site = site
        self._secrets = secrets
        self._clock = clock or SystemClock()
        self._connection: http.client.HTTPConnection | None = None
        self._close_at: float | None = None
        self._cutter: threading.Timer | None = None

    def check(self) -> None:
        self._keys()
        if self._connection is not None and _is_idle(self._connection):
            return
        self._drop()
        try:
            self._connect().connect()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise translate(error, self._origin) from None

    def deliver(self, messages: Sequence[Message]) -> Delivered:
        settled: list[Settlement] = []
        try:
            keys = self._keys()
            for message in messages[:BATCH_MESSAGES]:
                status = self._post(message, keys)
                if is_worth_another_try(status):
                    return Delivered(settled, refused(status, self._origin))
                settled.append(self._settlement(message, status))
        except SinkError as error:
            return Delivered(settled, error)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            return Delivered(settled, translate(error, self._origin))
        return Delivered(settled)

    def hurry(self, seconds: float) -> None:
        """A request that is still on its way then is cut off."""
        self._close_at = self._clock.monotonic() + seconds
        self._cutter = threading.Timer(seconds, self._cut)
        self._cutter.daemon = True
        self._cutter.start()

    def close(self) -> None:
        if self._cutter is not None:
            self._cutter.cancel()
        self._drop()

    # --- one request -------------------------------------------------------------------------------------------------

    def _post(self, message: Message, keys: Sequence[bytes]) -> int:
        """The status of the answer."""
        if self._connection is not None and not _is_idle(self._connection):
            self._drop()  # the server has closed it meanwhile, as it may
        connection = self._connection or self._connect()
        body, timestamp = envelope.line(message), self._clock.wall_ns() // 1_000_000_000
        headers = {
            "content-type": CONTENT_TYPE,
            "user-agent": f"dinostream/{self._site}",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(keys, message.id, timestamp, body),
        }
        connection.request("POST", self._target, body, headers)
        answer = connection.getresponse()
        answer.read(_ANSWER_BYTES)
        if not answer.isclosed() or answer.will_close:
            self._drop()
        return answer.status

    def _settlement(self, message: Message, status: int) -> Settlement:
        if http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
            return Settlement(self.name, message, "acknowledged")
        reason = f"http_{status}"
        _log.warning("sink webhook: %s will never be taken: %s", message.id, refused(status, self._origin).message)
        letter = dead_letter(message, f"webhook: {reason}", _LETTER_BYTES) if message.kind != "dead_letter" else None
        return Settlement(self.name, message, "dead_lettered", reason, letter)

    def _keys(self) -> list[bytes]:
        """Read anew each time, so that a secret in a file can be replaced while we run."""
        try:
            return signing_keys(self._secrets.resolve(self._config.secret))
        except KeyError as error:
            raise SinkError(str(error.args[0]), code="secret") from None
        except ValueError as error:
            raise SinkError(f"secret {self._config.secret!r}: {error}", code="secret") from None

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._config.url)
        timeout = self._config.timeout
        if self._close_at is not None:
            timeout = max(0.1, min(timeout, self._close_at - self._clock.monotonic()))
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self._config.ca_file)
            self._connection = http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=context)
        else:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=timeout)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _cut(self) -> None:
        """On the timer's thread: whoever waits for this connection is told that it is gone."""
        connection = self._connection
        sock: socket.socket | None = connection.sock if connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):  # it is gone already
                sock.shutdown(socket.SHUT_RDWR)


def _is_idle(connection: http.client.HTTPConnection) -> bool:
    """Open, and nothing to read: what a server sends unasked is its goodbye."""
    sock: socket.socket | None = connection.sock
    return sock is not None and not select.select([sock], [], [], 0)[0]
