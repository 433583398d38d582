"""What can be wrong with an address or the name of a secret, whoever is configured with it.

Each check yields where below the section it stands, and the sentence. What was written is repeated only where it cannot
be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from operators.spelling import did_you_mean

Place = tuple[str | int, ...]
Findings = Iterator[tuple[Place, str]]
Files = Iterator[tuple[Place, str, str]]
"""(place below the section, path, what it is) of what must be there."""

_BROKER = re.compile(r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$")
_TOPIC = re.compile(r"^[A-Za-z0-9._-]{1,200}$")


def check_secret_name(place: Place, name: str | None, secrets: Sequence[str]) -> Findings:
    """The name, if any, stands under `secrets:`. What was written is not repeated: it may be the secret itself."""
    if name is not None and name not in secrets:
        known = ", ".join(secrets) or "none"
        yield place, f"unknown secret: expected the name of one under `secrets:` ({known}){did_you_mean(name, secrets)}"


def check_broker(place: Place, broker: str) -> Findings:
    """`host:port`, nothing else."""
    if "@" in broker:
        yield place, "user and password do not belong in an address: expected host:port, and `security:` with a secret"
    elif not _BROKER.match(broker):
        yield place, f"expected host:port such as localhost:9092, got {broker!r}"


def check_url(place: Place, url: str, schemes: Sequence[str]) -> Findings:
    """One of the schemes, a host, and no password."""
    scheme, has_scheme, _ = url.partition("://")
    if not has_scheme or scheme.lower() not in schemes:
        expected = ", ".join(f"{each}://" for each in schemes)
        yield place, f"expected an address with one of {expected}, got {scheme[:12]!r}{did_you_mean(scheme, schemes)}"
        return
    if "@" in url:
        yield (
            place,
            (
                "user and password do not belong in an address: take them out, write `user:password` into a secret "
                "under `secrets:` and name it in `credentials`"
            ),
        )
        return
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme.lower() == "unix" or (bool(parts.hostname) and (parts.port is None or parts.port > 0))
    except ValueError:
        is_whole = False
    if not is_whole:
        yield place, "expected a host, and a port of 1 to 65535 if any"


def check_topic(place: Place, name: str) -> Findings:
    """A topic, or what the names of topics and streams begin with."""
    if not _TOPIC.match(name):
        yield place, f"expected letters, digits, '.', '_' and '-', got {name[:40]!r}"


def below(place: Place, findings: Findings) -> Findings:
    """The findings of a section that stands at `place`."""
    for inner, message in findings:
        yield (*place, *inner), message
