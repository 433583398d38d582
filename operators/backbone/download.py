"""Brings one official file into the cache: resumed where it broke off, checked before it gets its name.

The one place in `operators` that opens a connection, and only when someone asked for weights that are not here.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from operators.backbone.errors import WeightsError
from operators.backbone.official import Official

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all or 0)."""

_CHUNK_BYTES = 1 << 20
_TIMEOUT_SECONDS = 30.0


def official_file(row: Official, cache_dir: Path, progress: Progress | None = None, url: str | None = None) -> Path:
    """The file of `row` in `cache_dir`, downloaded if it is not there.

    Args:
        row: Which file.
        cache_dir: Folder of weights; made if missing.
        progress: Told about every mebibyte.
        url: Another place that serves the same file (a mirror).

    Raises:
        WeightsError: the file cannot be had, or what came is not it.
    """
    path = cache_dir / row.file
    if path.exists():
        check_file(path, row, full=False)
        return path
    if row.is_gated and url is None:
        raise WeightsError(
            f"no official weights: {row.file} is given out only to who accepts its licence ({row.licence}). Ask for it "
            f"at {row.url}, put {row.file} into {cache_dir} and start again."
        )
    cache_dir.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".pth.part")
    source = url or row.url
    try:
        _append(source, part, progress)
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        raise WeightsError(
            f"no official weights: {source} cannot be reached ({why}). Put {row.file} into {cache_dir} and start again."
        ) from None
    try:
        check_file(part, row)
    except WeightsError:
        part.unlink()
        raise
    part.replace(path)
    return path


def _append(url: str, part: Path, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 - the table's https address, or one that the user wrote
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310 - the same
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # all of it is here; the check decides
        raise
    with answer:
        if have and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server starts over
        length = int(answer.headers.get("Content-Length") or 0)
        total = have + length if length else 0
        with part.open("ab" if have else "wb") as file:
            while chunk := answer.read(_CHUNK_BYTES):
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, total)
    if total and have != total:
        raise http.client.IncompleteRead(b"", total - have)


def check_file(path: Path, row: Official, *, full: bool = True) -> None:
    """Compares size and (with `full`) sha256 with the table, as far as the table knows them.

    Raises:
        WeightsError: another size or hash.
    """
    size = path.stat().st_size
    if row.size_bytes is not None and size != row.size_bytes:
        raise WeightsError(
            f"{path} is not {row.file}: expected {row.size_bytes} bytes, got {size}. Delete it and retry."
        )
    if full and row.sha256 is not None:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != row.sha256:
            raise WeightsError(
                f"{path} is not {row.file}: expected sha256 {row.sha256}, got {found}. Delete it and retry."
            )
