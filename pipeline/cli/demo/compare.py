"""`--compare random`: the recorded frames again through weights that know nothing."""

from __future__ import annotations

from pipeline.cli.demo.live import Live, Played


def compare_random(live: Live, played: Played) -> list[str]:
    """Lines that put both side by side."""
    del live, played
    return []
