"""Secrets cross the system by name; their values are registered here and replaced in everything printed.

Two layers, since each alone leaks: user, password and query are dropped from addresses by their structure, and every
registered value is replaced wherever it turns up (some cameras carry the password in the path).
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

from operators.spelling import did_you_mean

MASK = "***"
_MIN_LITERAL = 3
_lock = threading.Lock()
_literals: set[str] = set()
_pattern: re.Pattern[str] | None = None

_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*):(?:\\?/){2}(\S*)", re.IGNORECASE)
_QUOTED_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*)%3a%2f%2f\S*", re.IGNORECASE)
_TRAILING = re.compile(r"[\s'\"<>)\]},.;:!]*$")
_HOST = re.compile(r"(?:\[[0-9a-f:.%]+\]|[a-z0-9._-]*)(?::\d{1,5})?(?=[/?#]|$)", re.IGNORECASE)
_BARE_LOGIN = re.compile(r"[^\s/@'\"=,;(\[{]*:(?!//)\S+@(?=[a-z0-9-]+(?:\.[a-z0-9-]+)+|localhost|\[)", re.IGNORECASE)
_NAMED_VALUE = re.compile(
    r"(?P<name>\b[a-z_]*(?:password|passwd|passphrase|pwd|token|api_?key))"
    r"(?P<sign>\s*=\s*|['\"]\s*:\s*b?(?=['\"]))(?:'[^']*'|\"[^\"]*\"|[^\s&,;'\"]+)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"^\$\{(env|file):([^}]+)\}$")


def register(value: str) -> None:
    """Remembers a secret, `password` or `user:password`: it, the password and their encoded forms are masked from now
    on. The user name alone is not: it may be any word. Values shorter than three characters cannot be told from text.
    """
    global _pattern  # noqa: PLW0603 - one registry a process: what is printed has one standard
    parts = {value, value.partition(":")[2], *value.splitlines()}
    forms = {form for part in parts for form in _forms(part) if len(form) >= _MIN_LITERAL}
    with _lock:
        if forms <= _literals:
            return
        _literals.update(forms)
        longest_first = sorted(_literals, key=len, reverse=True)
        _pattern = re.compile("|".join(re.escape(form) for form in longest_first))


def _forms(part: str) -> set[str]:
    """As it stands in addresses, headers, JSON and Python's own quoting."""
    quoted = {quote(part), quote_plus(part), quote(part, safe="")}
    lowered = {re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in quoted}
    encoded = base64.b64encode(part.encode()).decode() if len(part) >= _MIN_LITERAL else ""
    return quoted | lowered | {part, unquote(part), encoded, json.dumps(part)[1:-1], repr(part)[1:-1]}


def registered() -> frozenset[str]:
    """Everything that is masked, to hand to child processes."""
    with _lock:
        return frozenset(_literals)


def redact_url(url: str) -> str:
    """Scheme, host, port and path; user, password, query, fragment and registered values masked.

    Where it cannot be told what is the host (a password may hold any character), all but the scheme is masked.
    """
    scheme, found, rest = _replace_literals(url).partition("://")
    return _masked(scheme, rest) if found and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) else MASK


def redact(text: str) -> str:
    """Masks registered values, the credentials of every address and values named password or token in `text`."""
    text = _ADDRESS.sub(_masked_match, _replace_literals(text))
    text = _QUOTED_ADDRESS.sub(lambda found: f"{found[1]}://{MASK}", text)
    text = _BARE_LOGIN.sub(f"{MASK}@", text)
    return _NAMED_VALUE.sub(lambda found: f"{found['name']}{found['sign']}{MASK}", text)


def _masked_match(found: re.Match[str]) -> str:
    rest = found[2]
    end = _TRAILING.search(rest)
    cut = end.start() if end else len(rest)
    return _masked(found[1], rest[:cut].replace("\\/", "/")) + rest[cut:]


def _masked(scheme: str, rest: str) -> str:
    """`rest` is what follows `://`. The last `@` ends the login, since a password may hold `/` and `@`."""
    login, at, place = rest.rpartition("@")
    host = _HOST.match(place)
    if host is None or "?" in login or "#" in login:
        return f"{scheme}://{MASK}"
    path, _, query = place[host.end() :].partition("#")[0].partition("?")
    path = "/".join(MASK if "=" in segment else segment for segment in path.split("/"))
    return f"{scheme}://{MASK + at if at else ''}{host[0]}{path}{'?' + MASK if query else ''}"


def _replace_literals(text: str) -> str:
    pattern = _pattern
    return pattern.sub(MASK, text) if pattern else text


class Secrets:
    """The `secrets:` map. Actors get it whole but resolve a value only where it is used.

    Values are `${env:NAME}` or `${file:PATH}`.
    """

    def __init__(self, references: dict[str, str]) -> None:
        self._references = dict(references)

    def names(self) -> tuple[str, ...]:
        return tuple(self._references)

    def missing(self) -> list[tuple[str, str]]:
        """(name, why) of those that cannot be resolved on this machine now."""
        gone: list[tuple[str, str]] = []
        for name in self._references:
            try:
                self.resolve(name)
            except KeyError as error:
                gone.append((name, str(error.args[0])))
        return gone

    def resolve(self, name: str) -> str:
        """The value; registers it for redaction.

        Raises:
            KeyError: no such secret, or its variable or file is not there; the message names it, never the value.
        """
        if name not in self._references:
            known = ", ".join(self._references) or "none"
            msg = f"unknown secret {name!r}: expected one of {known}{did_you_mean(name, self._references)}"
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
