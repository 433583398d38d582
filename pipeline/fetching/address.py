"""An address of a file: `https://…`, `s3://bucket/x.pth` or whatever fsspec knows; `#sha256=…` pins its content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import fsspec

_PIN = "#sha256="
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HTTP = frozenset({"http", "https"})


def is_address(text: str) -> bool:
    """Whether it names a file by an address; anything else is a path or a name of ours."""
    return "://" in text


@dataclass(frozen=True, slots=True)
class Address:
    """One file somewhere."""

    url: str
    """As it is asked; its query may hold a signature, so it is never shown."""
    sha256: str = ""
    """What must come; empty: whatever comes first."""

    @classmethod
    def of(cls, text: str) -> Address:
        """What a configuration says."""
        url, pin, sha256 = text.partition(_PIN)
        return cls(url, sha256.lower()) if pin else cls(text)

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0].lower()

    @property
    def is_http(self) -> bool:
        return self.scheme in _HTTP

    @property
    def shown(self) -> str:
        """For people: without what may be a secret."""
        return self.url.partition("?")[0]

    @property
    def name(self) -> str:
        """Of the file."""
        path = unquote(urlsplit(self.url).path) if self.is_http else self.shown
        return re.sub(r"[^A-Za-z0-9_.-]", "_", path.rpartition("/")[2]).strip(".") or "file"


def mistakes(text: str) -> Iterator[str]:
    """What is wrong with an address as it is written, wherever it is read."""
    _, pin, sha256 = text.partition(_PIN)
    address = Address.of(text)
    if pin and not _SHA256.fullmatch(address.sha256):
        yield f"expected 64 hexadecimal digits after {_PIN}, got {sha256[:70]!r}"
    if not address.is_http and address.scheme not in fsspec.available_protocols():
        yield (
            f"unknown kind of address {address.scheme[:12]!r}: expected https://, http://, or one that fsspec knows "
            "such as s3://bucket/name"
        )
        return
    if "@" in address.url.partition("://")[2].partition("/")[0]:
        yield (
            "user and password do not belong in an address: take them out; for s3:// they are read from the "
            "environment, https:// takes a presigned address"
        )
    elif not address.url.partition("://")[2].strip("/"):
        yield "expected an address of a file such as https://host/name.pth, got none behind ://"


def lacking(text: str) -> str:
    """Why this machine cannot ask there at all, without a look at the network; empty: it can."""
    address = Address.of(text)
    if address.is_http:
        return ""
    try:
        fsspec.get_filesystem_class(address.scheme)
    except (ValueError, ImportError):
        return missing_library(address.scheme)
    return ""


def missing_library(scheme: str) -> str:
    """What to install."""
    what = "dinostream[s3]" if scheme in {"s3", "s3a"} else f"what fsspec needs for {scheme}://"
    return f"no library for {scheme}:// is installed. Install {what}"
