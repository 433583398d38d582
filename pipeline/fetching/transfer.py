"""Bytes from an address, and what a refusal means. Foreign errors end here: their texts may carry keys."""

from __future__ import annotations

import http.client
import urllib.error
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import fsspec

from operators.backbone.ranged_read import CHUNK_BYTES, Transfer, opened_http
from pipeline.errors import PipelineError
from pipeline.fetching.address import Address
from pipeline.fetching.refusals import FolderError, refusal

_BLOCK_BYTES = 8 << 20
"""Asked for at once where fsspec reads in blocks: what breaks off loses at most so much."""


@contextmanager
def opened(address: Address, start: int = 0) -> Generator[Transfer]:
    """The file from byte `start` on, not read yet.

    Raises:
        PipelineError: it cannot be had, also while it is read: one sentence that says why and what to do.
    """
    with (
        _translated(address),
        opened_http(address.url, start) if address.is_http else _opened_elsewhere(address, start) as found,
    ):
        yield found


@contextmanager
def _opened_elsewhere(address: Address, start: int) -> Generator[Transfer]:
    system: Any
    system, path = fsspec.core.url_to_fs(address.url)
    about = system.info(path)
    if about.get("type") == "directory":
        raise FolderError
    total = int(about["size"] or 0)
    with system.open(path, "rb", block_size=_BLOCK_BYTES) as file:
        if start:
            file.seek(start)
        yield Transfer(start, total, iter(lambda: file.read(CHUNK_BYTES), b""))


@contextmanager
def _translated(address: Address) -> Generator[None]:
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:  # noqa: BLE001 - urllib, botocore, aiohttp and others; translated
        raise PipelineError(f"{address.shown} {_why(address, error)}", code="not_fetched") from None


def _why(address: Address, error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return _refused(error.code)
    if not address.is_http:
        return refusal(address.scheme, error)
    if isinstance(error, http.client.IncompleteRead):
        return "broke off. Start again"
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
    return f"cannot be reached ({reason}). Look at the address and at the network"


def _refused(status: int) -> str:
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return f"is not there ({status}). Look at the address"
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return f"wants credentials ({status}). Give a presigned address, or s3:// with keys in the environment"
    return f"answers {status} instead of a file. Look at the address, or ask again later"
