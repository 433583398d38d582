"""The Kafka client's log, made bearable: redacted, rate-limited, and kept for the reason that its errors hide.

Its constructors say `Unable to bootstrap` whatever went wrong; a wrong password or an unknown CA is only in the log.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import weakref

from pipeline.secrets import redact

_PERIOD_SECONDS = 30.0
_REASON_CHARACTERS = 200
_CAUSES = (
    re.compile(r"Sasl|Authentication|CERTIFICATE|SSL:|Invalid frame|not found in cluster"),
    re.compile(r"ECONNREFUSED|DNS|Name or service not known|getaddrinfo"),
    re.compile(r"socket disconnected"),
    re.compile(r""),
)
"""Lines that say why, before those that say that it is so."""
_log = logging.getLogger(__name__)
_install_lock = threading.Lock()


class Complaint:
    """The most telling line that the client logged since it was last taken, redacted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text = ""

    def hear(self, text: str) -> None:
        with self._lock:
            if _rank(text) <= _rank(self._text):
                self._text = text[-_REASON_CHARACTERS:]

    def take(self) -> str:
        """What the client last complained of, once."""
        with self._lock:
            text, self._text = self._text, ""
        return text


class ClientLog(logging.Handler):
    """Takes everything that the logger `kafka` says from WARNING on; passes on one line per logger and period."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._passed_at: dict[str, float] = {}
        self._held_back: dict[str, int] = {}
        self._listeners: weakref.WeakSet[Complaint] = weakref.WeakSet()
        self._listeners_lock = threading.Lock()

    def listen(self) -> Complaint:
        """Hears every line from now on, for as long as the caller keeps it."""
        complaint = Complaint()
        with self._listeners_lock:
            self._listeners.add(complaint)
        return complaint

    def emit(self, record: logging.LogRecord) -> None:
        text = redact(record.getMessage())
        with self._listeners_lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.hear(text)
        now = time.monotonic()
        if now - self._passed_at.get(record.name, -_PERIOD_SECONDS) < _PERIOD_SECONDS:
            self._held_back[record.name] = self._held_back.get(record.name, 0) + 1
            return
        self._passed_at[record.name] = now
        held_back = self._held_back.pop(record.name, 0)
        more = f" ({held_back} lines held back)" if held_back else ""
        _log.log(record.levelno, "%s: %s%s", record.name, text, more)


def _rank(text: str) -> int:
    return next(rank for rank, pattern in enumerate(_CAUSES) if pattern.search(text))


_client_log = ClientLog()


def listen() -> Complaint:
    """Puts the handler in front of the root's, once for the process, and listens to it."""
    with _install_lock:
        logger = logging.getLogger("kafka")
        if _client_log not in logger.handlers:
            logger.addHandler(_client_log)
            logger.propagate = False
            logger.setLevel(logging.WARNING)
    return _client_log.listen()


def keep_quiet() -> None:
    """Passes nothing on any more: for a command whose answer says what the client complained of."""
    _log.setLevel(logging.CRITICAL)
