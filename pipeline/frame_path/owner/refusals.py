"""What a living publisher always refuses: found, given up, and said, without holding up anybody else.

A joint delivery that fails is taken apart at once: each camera is sent alone. One that fails alone is tried again with
a growing pause; after `PATIENCE` failures its delivery is halved until a single entry is left that fails. A frame is
given up as `Gone`, which is lost as `publish_error` in the ledger; if that is refused too, its camera is stopped. So is
a camera that is never let in.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence

from pipeline.clock import Clock
from pipeline.errors import PublishError
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.doubts import LAST_PATIENCE, PATIENCE, Doubt
from pipeline.messages import Delivery, Entry, Gone, LostReason, Picture, Status, Tick
from pipeline.secrets import redact

log = logging.getLogger(__name__)

_GIVEN_UP: LostReason = "publish_error"


def is_refusal(error: PublishError) -> bool:
    """Whether a living publisher refuses what it was sent. Every other code says that it is lost, that its state cannot
    be written, or that it closes: then no entry is at fault.
    """
    return error.code in {"failed", "unknown_camera"}


class Refusals:
    """Of one lane and one publisher. Used by the lane's thread alone."""

    def __init__(self, guard: threading.Condition, clock: Clock) -> None:
        self._guard = guard
        self._clock = clock
        self._doubts: dict[str, Doubt] = {}
        self._picture: Doubt | None = None
        """Of the picture that goes out next."""

    def forget(self, camera: str) -> None:
        """It is gone; any thread."""
        self._doubts.pop(camera, None)

    # --- what to send --------------------------------------------------------------------------------------------

    def rests(self, camera: str) -> bool:
        """Whether the camera is in doubt and its next try is yet to come."""
        return camera in self._doubts and self._doubts[camera].rests(self._clock.monotonic())

    def due(self, flows: Iterable[CameraFlow]) -> Iterator[CameraFlow]:
        """Those in doubt that may be tried now, each alone."""
        return (flow for flow in flows if flow.camera in self._doubts and not self.rests(flow.camera))

    def innocent(self, flows: Iterable[CameraFlow]) -> Iterator[CameraFlow]:
        """All others."""
        return (flow for flow in flows if flow.camera not in self._doubts)

    def most(self, camera: str) -> int | None:
        """How many entries a camera in doubt may send at once; None: no bound."""
        return self._doubts[camera].most

    @property
    def is_picture_doubted(self) -> bool:
        return self._picture is not None

    @property
    def is_picture_due(self) -> bool:
        """The next picture is to be tried alone, now."""
        return self._picture is not None and not self._picture.rests(self._clock.monotonic())

    # --- what came of it -----------------------------------------------------------------------------------------

    def taken(self, sent: Sequence[CameraFlow], delivery: Delivery) -> bool:
        """What was sent is no longer in doubt; whether any of it was."""
        was_doubted = False
        if delivery.pictures:
            was_doubted, self._picture = self.is_picture_doubted, None
        for flow in sent:
            doubt = self._doubts.get(flow.camera)
            was_doubted = was_doubted or doubt is not None
            if doubt is not None and doubt.took(len(delivery.entries)):
                del self._doubts[flow.camera]
        return was_doubted

    def refused(self, sent: Sequence[CameraFlow], delivery: Delivery, error: PublishError) -> bool:
        """Takes a joint delivery apart, narrows that of one camera, gives up what was tried alone often enough.

        Returns:
            Whether the picture is given up.
        """
        log.info("refused (%s): %d cameras, %d entries", error.code, len(sent), len(delivery.entries))
        for flow in sent:
            self._doubts.setdefault(flow.camera, Doubt())
        if delivery.pictures and self._picture is None:
            self._picture = Doubt()
        if len(sent) + len(delivery.pictures) != 1:
            return False
        if delivery.pictures:
            return self._picture_refused(delivery.pictures[0], error)
        (flow,), first = sent, delivery.entries[0]
        patience = LAST_PATIENCE if isinstance(first, Gone) and first.reason == _GIVEN_UP else PATIENCE
        if self._doubts[flow.camera].failed(len(delivery.entries), self._clock.monotonic(), patience):
            self._give_up(flow, first, error)
        return False

    def attach_refused(self, flow: CameraFlow, error: PublishError) -> None:
        """Tried again with a growing pause, while a camera that is not attached holds up nobody; after `LAST_PATIENCE`
        tries the camera is stopped.
        """
        doubt = self._doubts.setdefault(flow.camera, Doubt())
        is_over = doubt.failed(1, self._clock.monotonic(), LAST_PATIENCE)
        reason = f"the publisher does not let it in: {redact(error.message)}"
        if is_over:
            with self._guard:
                flow.refuse(reason)
                self._guard.notify_all()
            self._doubts[flow.camera] = Doubt()
            log.error("%s: stopped, %s", flow.camera, reason)
        elif doubt.failures == PATIENCE:
            log.warning("%s: %s; trying again", flow.camera, reason)
            with self._guard:
                flow.change(flow.status.state, code=_GIVEN_UP, reason=reason)

    def _give_up(self, flow: CameraFlow, entry: Entry, error: PublishError) -> None:
        why = redact(error.message)
        if isinstance(entry, Tick):  # the next one is another; no frame waits behind it
            if self._doubts[flow.camera].failures == PATIENCE:
                log.warning("%s: the publisher refuses its ticks: %s", flow.camera, why)
            return
        with self._guard:
            is_given_up = flow.book.give_up(_GIVEN_UP)
            if not is_given_up:
                flow.refuse(f"the publisher refuses everything of this camera: {why}")
            self._guard.notify_all()
        self._doubts[flow.camera] = Doubt()
        if not is_given_up:
            log.error("%s: stopped, the publisher refuses everything of it: %s", flow.camera, why)
        else:
            what = f"status {entry.state}" if isinstance(entry, Status) else f"frame {entry.ticket.id}"
            log.warning("%s: %s is given up, the publisher always refuses it: %s", flow.camera, what, why)

    def _picture_refused(self, picture: Picture, error: PublishError) -> bool:
        """The alert keeps its preview."""
        assert self._picture is not None
        is_given_up = self._picture.failed(1, self._clock.monotonic())
        if is_given_up:
            self._picture = None
            why = redact(error.message)
            log.warning("the picture of %s is given up, the publisher always refuses it: %s", picture.event_id, why)
        return is_given_up
