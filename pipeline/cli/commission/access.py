"""Who may use the page: the one browser that was first to open its address, on this machine."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

COOKIE = "commission"
_HOSTS = frozenset({"127.0.0.1", "localhost"})


class Access:
    """A token that opens the page once and is then exchanged for a cookie."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)
        self._cookie = secrets.token_urlsafe(24)
        self._is_spent = False
        self._lock = threading.Lock()

    def exchange(self, token: str) -> str | None:
        """The cookie for the token, once; None: it is another token, or spent."""
        with self._lock:
            if self._is_spent or not hmac.compare_digest(token.encode(), self.token.encode()):
                return None
            self._is_spent = True
            return self._cookie

    def is_known(self, cookies: Mapping[str, str]) -> bool:
        """Whether a request comes from the browser that has the cookie."""
        return hmac.compare_digest(cookies.get(COOKIE, "").encode(), self._cookie.encode())


def is_here(host: str) -> bool:
    """Whether a request was addressed to this machine by name: else a foreign page may stand behind it."""
    return urlsplit(f"//{host}").hostname in _HOSTS
