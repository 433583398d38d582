"""Secrets cross the system by name; their values are registered here and replaced in everything printed.

Two layers, since each alone leaks: user, password and query are dropped from addresses structurally, and every
registered value is replaced wherever it turns up (some cameras carry the password in the path).
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, urlsplit, urlunsplit

MASK = "***"
_MIN_LITERAL = 3
_lock = threading.Lock()
_literals: set[str] = set()
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_REFERENCE = re.compile(r"^\$\{(env|file):([^}]+)\}$")


def register(value: str) -> None:
    """Remembers a secret; it, its parts around `:`, and their URL-quoted forms are masked from now on."""
    parts = {value, *value.split(":", 1)}
    forms = {f(part) for part in parts for f in (str, quote, quote_plus, lambda x: quote(x, safe=""), unquote)}
    with _lock:
        _literals.update(form for form in forms if len(form) >= _MIN_LITERAL)


def registered() -> frozenset[str]:
    """Everything that is masked, to hand to child processes."""
    with _lock:
        return frozenset(_literals)


def redact_url(url: str) -> str:
    """Scheme, host, port and path; user, password, query and registered values masked."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return MASK
    netloc = f"{MASK}@{host}" if "@" in parts.netloc else host
    query = MASK if parts.query else ""
    return _replace_literals(urlunsplit((parts.scheme, netloc, parts.path, query, "")))


def redact(text: str) -> str:
    """Masks registered values and the credentials of every address in `text`."""
    return _ADDRESS.sub(lambda found: redact_url(found[0]), _replace_literals(text))


def _replace_literals(text: str) -> str:
    with _lock:
        literals = sorted(_literals, key=len, reverse=True)
    for literal in literals:
        text = text.replace(literal, MASK)
    return text


class Secrets:
    """The `secrets:` map. Actors get it whole but resolve a value only where it is used.

    Values are `${env:NAME}` or `${file:PATH}`.
    """

    def __init__(self, references: dict[str, str]) -> None:
        self._references = dict(references)

    def names(self) -> tuple[str, ...]:
        return tuple(self._references)

    def resolve(self, name: str) -> str:
        """The value; registers it for redaction.

        Raises:
            KeyError: no such secret, or its variable or file is not there; the message names it, never the value.
        """
        if name not in self._references:
            known = ", ".join(self._references) or "none"
            msg = f"unknown secret {name!r}: expected one of {known}"
            raise KeyError(msg)
        found = _REFERENCE.match(self._references[name])
        if found is None:
            msg = f"secret {name!r}: expected ${{env:NAME}} or ${{file:PATH}}"
            raise KeyError(msg)
        kind, place = found[1], found[2]
        value = os.environ.get(place) if kind == "env" else _read(place)
        if value is None:
            what = "environment variable" if kind == "env" else "file"
            msg = f"secret {name!r}: {what} {place} is not there"
            raise KeyError(msg)
        register(value)
        return value


def _read(place: str) -> str | None:
    path = Path(place)
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None
