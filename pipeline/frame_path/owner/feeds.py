"""The feeds of one owner: a reader each, the flows of its cameras, and how far they are settled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.clock import Clock
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.handles import FeedPlan, OwnedCamera
from pipeline.frame_path.owner.positions import SettledPositions
from pipeline.frame_path.owner.reader import Reader


class Feeds:
    """Feeds come and go while others are read. A feed is called by its first camera."""

    def __init__(self, state_dir: Path, guard: threading.Condition, clock: Clock, on_news: Callable[[], None]) -> None:
        """`guard` is the owner's lock; `on_news` is called when there is something to publish."""
        self._state_dir = state_dir
        self._guard = guard
        self._clock = clock
        self._on_news = on_news
        self._positions = SettledPositions(state_dir / "positions")
        self._readers: dict[str, Reader] = {}
        self._feed_of: dict[str, str] = {}
        self._leaving: set[str] = set()
        self.flows: dict[str, CameraFlow] = {}
        """By camera; changes under the guard alone."""

    def add(self, plan: FeedPlan) -> Reader:
        """One more, whose reader the caller starts.

        Raises:
            ValueError: one of its cameras is read already, or the file of its positions is damaged.
        """
        if known := [owned.camera for owned in plan.cameras if owned.camera in self._feed_of]:
            raise ValueError(f"expected cameras that nobody reads, got {', '.join(known)}")
        key, newest_read = plan.cameras[0].camera, dict[int, tuple[int, str]]()
        flows = {each.camera: CameraFlow(each, self._state_dir, self._clock, newest_read) for each in plan.cameras}
        with self._guard:
            self._positions.add(key, plan.resume)
            self.flows |= flows
            self._feed_of |= dict.fromkeys(flows, key)
            reader = self._readers[key] = self._reader(plan)
        return reader

    def leave(self, cameras: Iterable[str]) -> list[str]:
        """Names of the feeds of these cameras, whose readers are told to stop."""
        with self._guard:
            named = dict.fromkeys(self._feed_of[camera] for camera in cameras if camera in self._feed_of)
            keys = [key for key in named if key not in self._leaving]
            self._leaving |= set(keys)
            for key in keys:
                self._readers[key].stop()
        return keys

    def flows_of(self, keys: Sequence[str]) -> list[CameraFlow]:
        """The caller holds the guard."""
        return [self.flows[camera] for camera, key in self._feed_of.items() if key in keys]

    def forget(self, keys: Sequence[str]) -> None:
        """They have ended, and their flows are gone."""
        self._positions.save(self._guard)
        with self._guard:
            for key in keys:
                del self._readers[key]
                self._positions.forget(key)
            self._feed_of = {camera: key for camera, key in self._feed_of.items() if key not in keys}
            self._leaving -= set(keys)

    def change(self, owned: OwnedCamera) -> None:
        """The camera goes on under another configuration and the same lease. The caller holds the guard."""
        flow = self.flows.get(owned.camera)
        if flow is not None:
            flow.owned = replace(owned, lease=flow.lease)
            self._readers[self._feed_of[owned.camera]].change(flow.owned)

    def renew(self, key: str) -> Reader:
        """Another reader in place of one that hangs, which touches nothing any more. The caller holds the guard."""
        hung = self._readers[key]
        hung.abandon()
        self._readers[key] = self._reader(hung.plan)
        return self._readers[key]

    def feed_of(self, camera: str) -> str:
        """The key of the feed that it belongs to; its own name once it has left."""
        return self._feed_of.get(camera, camera)

    @property
    def readers(self) -> dict[str, Reader]:
        """By feed."""
        with self._guard:
            return dict(self._readers)

    @property
    def staying(self) -> dict[str, Reader]:
        """Those that are not being left."""
        return {key: reader for key, reader in self.readers.items() if key not in self._leaving}

    def settled(self, camera: str, moved: Sequence[str]) -> None:
        """The camera's source may forget what lies before these positions; the last is where to begin."""
        with self._guard:
            key = self._feed_of[camera]
            self._positions.note(key, camera, moved[-1])
            reader = self._readers[key]
        for resume in moved:
            reader.commit({camera: resume})

    def settled_of(self, camera: str) -> str:
        """Where its source goes on; empty: not known. The caller holds the guard."""
        key = self._feed_of.get(camera)
        return "" if key is None else self._positions.of(key).get(camera, "")

    def save(self) -> None:
        """Writes what has moved."""
        self._positions.save(self._guard)

    def _reader(self, plan: FeedPlan) -> Reader:
        key = plan.cameras[0].camera
        flows = {owned.camera: self.flows[owned.camera] for owned in plan.cameras}
        resume = self._positions.of(key)
        return Reader(plan, flows, self._guard, self._clock, resume=resume, on_news=self._on_news)
