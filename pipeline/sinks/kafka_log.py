"""The Kafka client's log, made bearable: redacted, rate-limited, and kept for the reason that its errors hide.

Its constructors say `Unable to bootstrap` whatever went wrong; a wrong password or an unknown CA is only in the log.
"""

from __future__ import annotations

import logging
import re
import threading
import time

from pipeline.secrets import redact

_PERIOD_SECONDS = 30.0
_REASON_CHARACTERS = 200
_CAUSES = (
    re.compile(r"Sasl|Authentication|CERTIFICATE|SSL:|ECONNREFUSED|DNS|Invalid frame|not found in cluster"),
    re.compile(r"socket disconnected"),
    re.compile(r""),
)
"""Lines that say why, before those that say that it is so."""
_log = logging.getLogger(__name__)
_install_lock = threading.Lock()


class ClientLog(logging.Handler):
    """Takes everything that the logger `kafka` says from WARNING on; passes on one line per logger and period."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._passed_at: dict[str, float] = {}
        self._held_back: dict[str, int] = {}
        self._reason = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = redact(record.getMessage())
        if _rank(text) <= _rank(self._reason):
            self._reason = text[-_REASON_CHARACTERS:]
        now = time.monotonic()
        if now - self._passed_at.get(record.name, -_PERIOD_SECONDS) < _PERIOD_SECONDS:
            self._held_back[record.name] = self._held_back.get(record.name, 0) + 1
            return
        self._passed_at[record.name] = now
        held_back = self._held_back.pop(record.name, 0)
        more = f" ({held_back} lines held back)" if held_back else ""
        _log.log(record.levelno, "%s: %s%s", record.name, text, more)

    def take_reason(self) -> str:
        """What the client last complained of, once."""
        reason, self._reason = self._reason, ""
        return reason


def _rank(text: str) -> int:
    return next(rank for rank, pattern in enumerate(_CAUSES) if pattern.search(text))


_client_log = ClientLog()


def install() -> ClientLog:
    """Puts the handler in front of the root's, once for the process."""
    with _install_lock:
        logger = logging.getLogger("kafka")
        if _client_log not in logger.handlers:
            logger.addHandler(_client_log)
            logger.propagate = False
            logger.setLevel(logging.WARNING)
    return _client_log
