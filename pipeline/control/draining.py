"""The clean end of a run: nothing that was read is left behind."""

from __future__ import annotations

import logging
from typing import Any

from pipeline.clock import Clock
from pipeline.control.crew import Crew
from pipeline.errors import PipelineError

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
"""Longer than it may take to drain, an answer may."""
CLOSE_SECONDS = 15.0


def drain(
    decoders: Crew,
    publishers: Crew,
    *,
    beats: dict[str, Any],
    published: dict[str, Any],
    timeout_seconds: float,
    clock: Clock,
) -> bool:
    """Readers stop, what is in flight is published and settled, then publishers deliver and close.

    Args:
        decoders: The owners.
        publishers: Who is closed after them.
        beats: By decoder, takes its last words.
        published: By publisher, likewise.
        timeout_seconds: For owners and publishers together.
        clock: Says how much of it is left.

    Returns:
        Whether nothing is left behind.
    """
    deadline = clock.monotonic() + timeout_seconds
    answers = [(owner, owner.begin("drain", timeout_seconds)) for owner in decoders.running]
    is_clean = decoders.are_all_running
    for owner, answer in answers:
        left = max(1.0, deadline - clock.monotonic() + ANSWER_SECONDS)
        try:
            is_clean = owner.collect(answer, left) and is_clean
            beats[owner.name] = owner.call("beat")
        except PipelineError as error:
            log.warning("drain: %s", error)
            is_clean = False
    for publisher in publishers.running:
        left = max(ANSWER_SECONDS, deadline - clock.monotonic())
        try:
            published[publisher.name] = publisher.call("close", left, timeout_seconds=left + CLOSE_SECONDS)
        except PipelineError as error:
            log.warning("drain: %s", error)
            is_clean = False
    return is_clean
