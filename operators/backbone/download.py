"""Brings one official file into the cache: resumed where it broke off, checked before it gets its name."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable
from pathlib import Path

from operators.backbone.errors import WeightsError
from operators.backbone.official import Official
from operators.backbone.ranged_read import opened_http

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all or 0)."""


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
    with opened_http(url, have) as coming:
        have = coming.start
        with part.open("ab" if have else "wb") as file:
            for chunk in coming.chunks:
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, coming.total)
    if coming.total and have != coming.total:
        raise http.client.IncompleteRead(b"", coming.total - have)


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
