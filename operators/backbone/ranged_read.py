"""A file over HTTP, from some byte on. The one place in `operators` that opens a connection: for weights asked for."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

CHUNK_BYTES = 1 << 20
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """A file on its way."""

    start: int
    """Where its bytes begin: what was asked for, or 0 where the other side starts over."""
    total: int
    """Bytes of the whole file; 0: nobody says."""
    chunks: Iterator[bytes]
    """May end before `total`: who reads them counts."""


@contextmanager
def opened_http(url: str, start: int = 0) -> Generator[Transfer]:
    """The file behind an http(s) address from byte `start` on, not read yet.

    Raises:
        OSError: it cannot be had (`urllib.error.HTTPError`: the server says why), also while it is read.
        http.client.HTTPException: the other side does not speak HTTP, or breaks off.
    """
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - a table's https address, or as a person wrote it
    try:
        opening = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310 - the same
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise
        yield Transfer(start, start, iter(()))  # all of it was here; its hash decides
        return
    with opening as answer:
        begin = start if answer.status == HTTPStatus.PARTIAL_CONTENT else 0
        length = answer.headers.get("Content-Length")
        yield Transfer(begin, begin + int(length) if length else 0, iter(lambda: answer.read(CHUNK_BYTES), b""))
