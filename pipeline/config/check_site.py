"""Checks of `site:` and `runtime:`."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Sequence

from operators.spelling import did_you_mean
from pipeline.addresses import check_secret_name
from pipeline.config.problems import Place
from pipeline.config.schema import RuntimeConfig, SiteConfig, Span


def check_timezone(site: SiteConfig) -> Iterator[tuple[Place, str]]:
    """The time zone exists on this machine."""
    try:
        zoneinfo.ZoneInfo(site.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        yield (
            ("site", "timezone"),
            (
                f"unknown time zone {site.timezone!r}: expected a name of the tz database such as Europe/Berlin"
                f"{did_you_mean(site.timezone, known, cutoff=0.8)}"
            ),
        )


def check_runtime(runtime: RuntimeConfig, secrets: Sequence[str]) -> Iterator[tuple[Place, str]]:
    """Spans point up, the port is one, the token is named."""
    for key, span in (("decoders", runtime.decoders), ("analyzers", runtime.analyzers)):
        if isinstance(span, Span) and span.min > span.max:
            yield ("runtime", key), f"expected min of at most max, got min {span.min} and max {span.max}"
    if runtime.http is None:
        return
    port = runtime.http.bind.rpartition(":")[2]
    if int(port) > 65535:
        yield ("runtime", "http", "bind"), f"expected a port of at most 65535, got {port}"
    yield from check_secret_name(("runtime", "http", "token"), runtime.http.token, secrets)
