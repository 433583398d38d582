"""Brings results to one publisher, in camera order, and carries its answers back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import TypeVar

from pipeline.backoff import Backoff
from pipeline.clock import Clock
from pipeline.errors import PublishError
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.clips import Clips
from pipeline.frame_path.owner.full_size import evidence
from pipeline.frame_path.owner.handles import PublisherHandle
from pipeline.frame_path.owner.refusals import Refusals, is_refusal
from pipeline.messages import Attachment, CameraReceipt, Delivery, Entry, Picture, Receipt

log = logging.getLogger(__name__)
T = TypeVar("T")

MAX_DELIVERY_BYTES = 2_000_000
"""What travels inline in one hop."""
_IDLE_SECONDS = 1.0


class PublishLane:
    """One thread for the cameras of one publisher.

    While the publisher is lost, results are kept and the lane tries again with a growing pause; a new publisher can be
    offered at any time. Nothing is sent before the camera is attached. What a living publisher always refuses is found
    and given up (`refusals.py`), and holds up its own camera alone meanwhile.
    """

    def __init__(
        self,
        handle: PublisherHandle,
        guard: threading.Condition,
        clock: Clock,
        on_receipt: Callable[[dict[str, list[str]]], None],
    ) -> None:
        """`on_receipt` is told, after each receipt, the positions of replayable cameras that are newly settled: one for
        each epoch that moved, last the one to begin from.
        """
        self.name = handle.name
        self.wake = threading.Event()
        """Set whenever there may be something to publish."""
        self._offered = handle
        self._handle: PublisherHandle | None = None
        self._guard = guard
        self._clock = clock
        self._on_receipt = on_receipt
        self._flows: list[CameraFlow] = []
        self._attached: set[tuple[str, int]] = set()
        """(camera, lease)."""
        self._last_publisher: dict[tuple[str, int], PublisherHandle] = {}
        self._pictures: list[Picture] = []
        self._clips = Clips(clock, self.wake.set)
        self._refusals = Refusals(guard, clock)
        self._backoff = Backoff(first=0.25, maximum=5.0)
        self._rests_until = 0.0
        self._turn = 0
        self._is_stepping = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"publish-{handle.name}", daemon=True)

    def add(self, flow: CameraFlow) -> None:
        """One more camera. The caller holds the guard."""
        self._flows.append(flow)
        self.wake.set()

    def remove(self, cameras: Collection[str]) -> None:
        """Nothing more of these is sent; what is asked of a picture already is. The caller holds the guard."""
        self._flows = [flow for flow in self._flows if flow.camera not in cameras]
        for camera in cameras:
            self._refusals.forget(camera)

    def await_turn(self, timeout_seconds: float) -> bool:
        """Whether the delivery that is under way has been answered, and all that follows from it is done."""
        if not self._is_stepping.acquire(timeout=max(0.0, timeout_seconds)):
            return False
        self._is_stepping.release()
        return True

    def offer(self, handle: PublisherHandle) -> None:
        """The publisher to use from now on."""
        self._offered = handle
        self.wake.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end; returns at once."""
        self._stop.set()
        self._clips.stop()
        self.wake.set()

    def join(self, timeout_seconds: float) -> bool:
        """Whether it has ended."""
        self._thread.join(max(0.0, timeout_seconds))
        return not self._thread.is_alive()

    @property
    def has_crashed(self) -> bool:
        """Its thread was started and has ended by itself."""
        return self._thread.ident is not None and not self._thread.is_alive()

    # --- its thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            self._clock.wait(self.wake, _IDLE_SECONDS)
            self.wake.clear()
            while not self._stop.is_set() and self._step_alone():
                pass

    def _step_alone(self) -> bool:
        with self._is_stepping:
            return self._step()

    def _step(self) -> bool:
        """One delivery; False: nothing to do for now."""
        self._clips.turn()
        handle = self._connected()
        if handle is None:
            return False
        sent, delivery = self._delivery()
        if not delivery.entries and not delivery.pictures and not delivery.clips:
            return False
        try:
            receipt = _call(lambda: handle.publish(delivery), handle.name)
        except PublishError as error:
            with self._guard:
                for flow in sent:
                    flow.book.give_back()
            if not is_refusal(error):
                self._lost(error)
            elif delivery.clips:
                self._clips.refused(delivery.clips[0])
            elif self._refusals.refused(sent, delivery, error):
                self._pictures = self._pictures[1:]
            return is_refusal(error)
        self._backoff.reset()
        self._pictures = self._pictures[len(delivery.pictures) :]
        for part in delivery.clips:
            self._clips.sent(part)
        was_doubted = self._refusals.taken(sent, delivery)
        return self._received(sent, receipt) or was_doubted

    def _connected(self) -> PublisherHandle | None:
        """The publisher, knowing every camera; None while it is lost."""
        handle = self._offered
        if handle != self._handle:
            self._handle = handle
            self._attached.clear()
            self._refusals = Refusals(self._guard, self._clock)
            self._rests_until = 0.0
        if self._clock.monotonic() < self._rests_until:
            return None
        with self._guard:
            missing = [flow for flow in self._flows if _key(flow) not in self._attached and not flow.is_over]
        for flow in missing:
            if self._refusals.rests(flow.camera):
                continue
            try:
                attachment = _call(lambda flow=flow: handle.attach(flow.camera, flow.lease), handle.name)
            except PublishError as error:
                if is_refusal(error):
                    self._refusals.attach_refused(flow, error)
                    continue
                self._lost(error)
                return None
            self._attach(flow, attachment, handle)
        return handle

    def _attach(self, flow: CameraFlow, attachment: Attachment, handle: PublisherHandle) -> None:
        before = self._last_publisher.get(_key(flow))
        with self._guard:
            flow.attach(attachment, is_new_publisher=before is not None and before != handle)
        self._last_publisher[_key(flow)] = handle
        self._attached.add(_key(flow))

    def _lost(self, error: PublishError) -> None:
        pause = self._backoff.next_seconds()
        log.warning("publisher lost (%s): %s; trying again in %.1f s", error.code, error, pause)
        self._attached.clear()
        self._rests_until = self._clock.monotonic() + pause

    def _delivery(self) -> tuple[list[CameraFlow], Delivery]:
        """Who is in doubt comes alone; else entries of all cameras that have some, each camera in its own order, and
        whoever came last comes first now.
        """
        entries: list[Entry] = []
        sent: list[CameraFlow] = []
        with self._guard:
            flows = [flow for flow in self._flows if _key(flow) in self._attached or flow.is_over]
            for flow in self._refusals.due(flows):
                alone = flow.send(MAX_DELIVERY_BYTES, self._refusals.most(flow.camera))
                if alone:
                    return [flow], Delivery(tuple(alone))
            if self._refusals.is_picture_due:
                return [], Delivery((), tuple(self._pictures[:1]))
            self._turn += 1
            start = self._turn % max(1, len(flows))
            part = self._clips.next()
            share = (MAX_DELIVERY_BYTES - (0 if part is None else len(part.data))) // max(1, len(flows))
            for flow in self._refusals.innocent((*flows[start:], *flows[:start])):
                found = flow.send(share)
                if found:
                    entries += found
                    sent.append(flow)
        pictures = () if part is not None or self._refusals.is_picture_doubted else tuple(self._pictures[:1])
        return sent, Delivery(tuple(entries), pictures, () if part is None else (part,))

    def _received(self, sent: list[CameraFlow], receipt: Receipt) -> bool:
        """Applies the answer; False where nothing moved, so that the next try waits."""
        settled: dict[str, list[str]] = {}
        with self._guard:
            before = sum(flow.book.num_waiting for flow in sent)
            drawings = [drawing for each in receipt.cameras for drawing in self._wanted(each)]
            for flow in sent:
                answer = receipt.of(flow.camera)
                if answer is None:
                    flow.book.give_back()
                    continue
                flow.accept(answer)
                if moved := flow.newly_settled():
                    settled[flow.camera] = moved
            has_moved = sum(flow.book.num_waiting for flow in sent) < before
            self._guard.notify_all()
        self._pictures += [draw() for draw in drawings]
        self._on_receipt(settled)
        return has_moved or bool(self._pictures) or self._clips.next() is not None

    def _wanted(self, answer: CameraReceipt) -> list[Callable[[], Picture]]:
        """How to make the pictures that are asked for, to be called outside the guard. The caller holds it."""
        flow = next((each for each in self._flows if each.camera == answer.camera), None)
        view = None if flow is None else flow.owned.spec.view
        found: list[Callable[[], Picture]] = []
        for wanted in answer.pictures_wanted:
            if wanted.clip is not None:
                self._clips.ask(wanted, None if flow is None else flow.tapes)
                continue
            picture = None if flow is None else flow.book.pictures.of(wanted.ticket)
            found.append(lambda wanted=wanted, picture=picture: evidence(wanted, picture, view))
        return found


def _key(flow: CameraFlow) -> tuple[str, int]:
    return flow.camera, flow.lease


def _call(call: Callable[[], T], where: str) -> T:
    """Raises: PublishError, also for whatever else goes wrong in there."""
    try:
        return call()
    except PublishError:
        raise
    except Exception as error:  # noqa: BLE001 - a publisher in this process may raise anything; translated
        raise PublishError(f"{type(error).__name__}: {error}", code="failed", where=where) from None
