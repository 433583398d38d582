"""Answers for each frame of its cameras until it is settled."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.clock import Clock
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.dispatch import Dispatch
from pipeline.frame_path.owner.feeds import Feeds
from pipeline.frame_path.owner.handles import AnalyzerHandle, FeedPlan, OwnedCamera, PublisherHandle, PublisherOf
from pipeline.frame_path.owner.publish_lanes import PublishLanes
from pipeline.frame_path.owner.pulse import PULSE_SECONDS, UNREACHED_SECONDS, Pulse
from pipeline.frame_path.owner.reader import Reader
from pipeline.frame_path.owner.reading_cost import ReadingCost
from pipeline.messages import CameraSnapshot, LedgerSnapshot

__all__ = ["AnalyzerHandle", "FeedPlan", "OwnedCamera", "Owner", "PublisherHandle", "PublisherOf"]

log = logging.getLogger(__name__)


class Owner:
    """Readers, credits and publishing lanes around the flows of some cameras; all public methods are thread-safe.

    One lock guards all flows; it is held for microseconds and never over a call, a conversion or a wait.
    """

    def __init__(
        self,
        name: str,
        feeds: Sequence[FeedPlan],
        *,
        analyzers: Sequence[tuple[AnalyzerHandle, int]],
        publisher_of: PublisherOf,
        clock: Clock,
        state_dir: Path,
        limits: BatchLimits,
        unreached_seconds: float = UNREACHED_SECONDS,
    ) -> None:
        """`analyzers` with their credits: calls that may be under way at once. Without a `beat` for
        `unreached_seconds` the readers stop.
        """
        self.name = name
        self._clock = clock
        self._analyzers = list(analyzers)
        self._publisher_of = publisher_of
        self._guard = threading.Condition(threading.RLock())
        self._moved = threading.Event()
        self._feeds = Feeds(state_dir, self._guard, clock, self._wake_lanes)
        self._flows = self._feeds.flows
        for plan in feeds:
            self._feeds.add(plan)
        self._lanes = PublishLanes(self._flows, self._guard, clock, self._on_receipt)
        self._dispatch = Dispatch(self._flows, limits, self._guard, clock, self._lanes.wake)
        self._is_closing = threading.Event()
        self._cost = ReadingCost(clock)
        self._pulse = Pulse(
            name, self._feeds, self._dispatch, self._lanes,
            guard=self._guard, clock=clock, is_closing=self._is_closing, unreached_seconds=unreached_seconds,
        )  # fmt: skip

    def start(self) -> None:
        """Starts every thread; returns at once. Cameras that are down and missing publishers hold up nobody."""
        self._lanes.assign(self._publisher_of)
        self._dispatch.seat(self._analyzers)
        for reader in self._feeds.readers.values():
            reader.start()
        self._pulse.start()

    def add_feed(self, plan: FeedPlan, publisher_of: PublisherOf) -> None:
        """One more feed beside the others; returns at once. `publisher_of` knows its cameras too.

        Raises:
            ValueError: one of its cameras is read already.
        """
        if self._is_closing.is_set():
            return
        reader = self._feeds.add(plan)
        self.replace_publisher(publisher_of)
        reader.start()

    def remove_feeds(self, cameras: Collection[str], timeout_seconds: float) -> list[LedgerSnapshot]:
        """The feeds of these cameras are read no more; what is in flight is analysed, published and (replayable)
        settled, within the time, else lost and counted as `drained`. Others go on. Blocks.

        Returns:
            The ledgers of their cameras, closed.
        """
        deadline = self._clock.monotonic() + timeout_seconds
        keys = self._feeds.leave(cameras)
        readers = [reader for key, reader in self._feeds.readers.items() if key in keys]
        self._quiet(readers, deadline)
        with self._guard:
            flows = self._feeds.flows_of(keys)
        self._settle(flows, deadline)
        with self._guard:
            names = [flow.camera for flow in flows]
            for flow in flows:
                flow.lose_all("drained")
                flow.is_over = True
                del self._flows[flow.camera]
            self._dispatch.forget(names)
            self._lanes.remove(names)
        self._lanes.await_turn(deadline)
        self._feeds.forget(keys)
        for reader in readers:
            reader.release()
        ended = [reader.join(deadline - self._clock.monotonic()) for reader in readers]
        if not all(ended):
            log.warning("%s: a reader of %s did not end in time and is left behind", self.name, ", ".join(names))
        with self._guard:
            for flow in flows:
                flow.book.ledger.close()
            return [flow.book.ledger.snapshot() for flow in flows]

    def change(self, cameras: Sequence[OwnedCamera]) -> None:
        """These go on under another configuration, without a gap and under their leases: what is sampled, gated and
        hidden, whether evidence is wanted, their weight. Cameras of others are passed over.
        """
        with self._guard:
            for owned in cameras:
                self._feeds.change(owned)
            self._guard.notify_all()

    def beat(self) -> None:
        """The supervisor is there.

        Raises:
            PipelineError: code `fault`: this owner is broken and must be replaced.
        """
        self._pulse.beat()

    def replace_analyzers(self, analyzers: Sequence[tuple[AnalyzerHandle, int]]) -> None:
        """The analyzers from now on; calls under way at others end first."""
        self._dispatch.seat(analyzers)

    def replace_publisher(self, publisher_of: PublisherOf | None = None) -> None:
        """The publishers from now on; what the old ones had not settled goes to the new ones."""
        self._publisher_of = publisher_of or self._publisher_of
        self._lanes.assign(self._publisher_of)

    def snapshot(self) -> list[CameraSnapshot]:
        """Every camera, now."""
        cores, wanted = self._cost.look(), self._cost.wanted
        with self._guard:
            found = [
                replace(flow.snapshot(), settled=self._feeds.settled_of(flow.camera)) for flow in self._flows.values()
            ]
        shares = {
            key: (cores[key] / len(reader.plan.cameras), wanted[key] / len(reader.plan.cameras))
            for key, reader in self._feeds.readers.items()
            if key in cores
        }
        told = [shares.get(self._feeds.feed_of(each.camera), (None, None)) for each in found]
        return [
            replace(each, reading_cores=used, reading_wants=asked)
            for each, (used, asked) in zip(found, told, strict=True)
        ]

    def drain(self, timeout_seconds: float) -> bool:
        """Readers stop, what is in flight is analysed, published and (replayable) settled; True if nothing is left."""
        deadline = self._clock.monotonic() + timeout_seconds
        self._is_closing.set()
        self._quiet(list(self._feeds.readers.values()), deadline)
        with self._guard:
            flows = list(self._flows.values())
            for flow in flows:
                if flow.status.state not in {"ended", "failed"}:
                    flow.change("ended", code="stopped", reason="the pipeline was stopped")
        if not self._settle(flows, deadline):
            return False
        self._feeds.save()
        return True

    def stop(self, timeout_seconds: float) -> None:
        """Ends every thread; what is still in flight is lost, counted as `drained`. `drain` first for a clean end."""
        deadline = self._clock.monotonic() + timeout_seconds
        self._is_closing.set()
        readers = list(self._feeds.readers.values())
        self._quiet(readers, deadline)
        self._dispatch.stop()
        self._lanes.stop()
        ended = [self._dispatch.join(deadline - self._clock.monotonic())]
        ended += [self._lanes.join(deadline)]
        for reader in readers:
            reader.release()
        ended += [reader.join(deadline - self._clock.monotonic()) for reader in readers]
        if not all(ended):
            log.warning("%s: some calls did not return in time; their threads are left behind", self.name)
        self._feeds.save()
        with self._guard:
            for flow in self._flows.values():
                flow.lose_all("drained")
                flow.book.ledger.close()
        self._pulse.stop()

    # --- parts --------------------------------------------------------------------------------------------------

    def _wake_lanes(self) -> None:
        self._lanes.wake()

    def _on_receipt(self, settled: dict[str, list[str]]) -> None:
        """On a lane's thread, outside the guard."""
        for camera, moved in settled.items():
            self._feeds.settled(camera, moved)
        self._moved.set()

    def _settle(self, flows: Sequence[CameraFlow], deadline: float) -> bool:
        """Waits until nothing of these is in flight; whether that came in time."""
        self._lanes.wake()
        while not self._are_idle(flows):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return False
            self._moved.clear()
            if not self._are_idle(flows):
                self._clock.wait(self._moved, min(left, PULSE_SECONDS))
        return True

    def _are_idle(self, flows: Sequence[CameraFlow]) -> bool:
        with self._guard:
            return all(flow.is_over or flow.is_idle for flow in flows)

    def _quiet(self, readers: Sequence[Reader], deadline: float) -> None:
        for reader in readers:
            reader.stop()
        for reader in readers:
            if not reader.wait_quiet(deadline - self._clock.monotonic()):
                with self._guard:
                    reader.abandon()
