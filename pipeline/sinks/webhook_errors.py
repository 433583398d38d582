"""What can go wrong between us and a webhook, as ours: the one place that looks at it."""

from __future__ import annotations

import http
import socket
import ssl

from pipeline.errors import SinkError
from pipeline.secrets import redact_url

_AGAIN = frozenset({408, 425, 429})
"""Refusals that pass: too slow, too early, too many."""


def is_worth_another_try(status: int) -> bool:
    """Whether the same request may be taken later."""
    return status in _AGAIN or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR


def refused(status: int, origin: str) -> SinkError:
    """An answer that is no acknowledgement."""
    phrase = next((each.phrase for each in http.HTTPStatus if each.value == status), "").strip()
    said = f"{status} {phrase}".strip()
    hint = ""
    if http.HTTPStatus.MULTIPLE_CHOICES <= status < http.HTTPStatus.BAD_REQUEST:
        hint = ": redirects are not followed, write the address that it leads to into `url`"
    elif status in {401, 403}:
        hint = ": does it know our secret?"
    return SinkError(f"webhook at {redact_url(origin)} answers {said}{hint}", code=f"http_{status}")


def translate(error: Exception, origin: str) -> SinkError:
    """What `error` means; its text is not repeated, it may quote addresses."""
    code, sentence = _meaning(error)
    return SinkError(f"webhook at {redact_url(origin)} {sentence} [{type(error).__name__}]", code=code)


def _meaning(error: Exception) -> tuple[str, str]:
    match error:
        case ssl.SSLCertVerificationError():
            return "tls", "shows a certificate that no known authority vouches for: check `ca_file`"
        case ssl.SSLError():
            return "tls", "fails the TLS handshake"
        case TimeoutError():
            return "timeout", "did not answer in time"
        case socket.gaierror():
            return "dns", "has no address that can be found"
        case FileNotFoundError():
            return "tls", "cannot be trusted: there is no file at `ca_file`"
        case ConnectionRefusedError():
            return "refused", "refuses the connection"
        case OSError():
            return "unreachable", "cannot be reached, or closed the connection"
        case _:
            return "protocol", "does not speak HTTP"
