"""RTSP 1.0 as far as a relay needs it: requests, replies, interleaved packets, Basic and Digest. No sockets here.

Source: RFC 2326 (RTSP), sections 10.12 (interleaving) and 14 (authentication, by way of RFC 2617).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import struct
from dataclasses import dataclass, field

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
}
_MAX_REQUEST_BYTES = 1 << 20
_DOLLAR = 0x24


@dataclass(frozen=True, slots=True)
class Request:
    """One request with its body."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""

    @property
    def path(self) -> str:
        """Name of the stream, without host, query and track."""
        name = re.sub(r"^rtsps?://[^/]+/?", "", self.url).split("?")[0].rstrip("/")
        return re.sub(r"/?(?:streamid|trackID)=\d+$", "", name)

    @property
    def track(self) -> int:
        """Index of the media stream that a SETUP names."""
        found = re.search(r"(?:streamid|trackID)=(\d+)/?$", self.url.split("?")[0])
        return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class Interleaved:
    """One RTP or RTCP packet inside the RTSP connection."""

    channel: int
    payload: bytes

    def encode(self) -> bytes:
        return struct.pack(">cBH", b"$", self.channel, len(self.payload)) + self.payload


class MalformedRequest(ValueError):
    """The peer does not speak RTSP."""


def take(buffer: bytearray) -> Request | Interleaved | None:
    """Removes the next whole message from `buffer`, which is not empty; None: more bytes are needed.

    Raises:
        MalformedRequest: what lies there is neither a request nor a packet.
    """
    if buffer[0] == _DOLLAR:
        if len(buffer) < 4:
            return None
        channel, length = struct.unpack_from(">BH", buffer, 1)
        if len(buffer) < 4 + length:
            return None
        packet = Interleaved(channel, bytes(buffer[4 : 4 + length]))
        del buffer[: 4 + length]
        return packet
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > _MAX_REQUEST_BYTES:
            raise MalformedRequest("expected an RTSP request, got an endless header")
        return None
    lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    words = lines[0].split(" ")
    length = headers.get("content-length", "0")
    if len(words) != 3 or not length.isdigit() or int(length) > _MAX_REQUEST_BYTES:
        raise MalformedRequest(f"expected 'METHOD URL RTSP/1.0', got {len(words)} words")
    whole = end + 4 + int(length)
    if len(buffer) < whole:
        return None
    request = Request(words[0], words[1], headers, bytes(buffer[end + 4 : whole]))
    del buffer[:whole]
    return request


def reply(
    request: Request, code: int = 200, headers: dict[str, str | list[str]] | None = None, body: bytes = b""
) -> bytes:
    """The answer to `request`; a header with a list is repeated."""
    lines = [f"RTSP/1.0 {code} {_REASONS[code]}", f"CSeq: {request.headers.get('cseq', '0')}", "Server: dinostream"]
    for name, value in (headers or {}).items():
        lines += [f"{name}: {each}" for each in (value if isinstance(value, list) else [value])]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Authentication:
    """Who may read. `schemes` are offered in order; no users: everyone."""

    def __init__(self, users: dict[str, str], schemes: tuple[str, ...] = ("digest", "basic")) -> None:
        self._users = users
        self._schemes = schemes
        self._realm = "dinostream"
        self._nonce = secrets.token_hex(16)

    def challenge(self) -> dict[str, str | list[str]]:
        offers = {
            "digest": f'Digest realm="{self._realm}", nonce="{self._nonce}"',
            "basic": f'Basic realm="{self._realm}"',
        }
        return {"WWW-Authenticate": [offers[scheme] for scheme in self._schemes]}

    def admits(self, request: Request) -> bool:
        if not self._users:
            return True
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in self._schemes:
            return False
        return self._basic(value) if scheme.lower() == "basic" else self._digest(request.method, value)

    def _basic(self, value: str) -> bool:
        user, _, password = base64.b64decode(value).decode("utf-8", "replace").partition(":")
        return user in self._users and hmac.compare_digest(self._users[user].encode(), password.encode())

    def _digest(self, method: str, value: str) -> bool:
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', value))
        user = fields.get("username", "")
        if user not in self._users or fields.get("nonce") != self._nonce:
            return False
        owner = _md5(f"{user}:{self._realm}:{self._users[user]}")
        asked = _md5(f"{method}:{fields.get('uri', '')}")
        expected = _md5(f"{owner}:{self._nonce}:{asked}")
        return hmac.compare_digest(expected, fields.get("response", ""))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
