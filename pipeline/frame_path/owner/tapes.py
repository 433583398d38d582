"""What one camera showed in the last seconds, as its own packets or as sampled pictures, in rule time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from operators.frames import Times
from pipeline.frame_path.owner.frame_tape import FrameTape
from pipeline.frame_path.owner.handles import OwnedCamera
from pipeline.messages import ClipSpan
from pipeline.sources.base import Feed
from pipeline.sources.tape import Clip, PacketTape, RecordsPackets

LIVE_SPARE_SECONDS = 5.0
REPLAYABLE_SPARE_SECONDS = 40.0
"""Kept beyond the clip: until the model has seen what is read, and the publisher has asked."""
LIVE_TIMES, REPLAYABLE_TIMES = 2, 4
"""As many bytes as one clip may have."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A clip in rule time."""

    clip: Clip
    is_copied: bool


class Tapes:
    """Of one camera that wants clips. Written by its reader's thread, cut by others."""

    def __init__(self, owned: OwnedCamera) -> None:
        wish = owned.clip
        assert wish is not None, f"no rule of {owned.camera} wants a clip"
        self.is_replayable = owned.is_replayable
        spare = REPLAYABLE_SPARE_SECONDS if owned.is_replayable else LIVE_SPARE_SECONDS
        window = wish.before + wish.after + spare
        max_bytes = wish.max_bytes * (REPLAYABLE_TIMES if owned.is_replayable else LIVE_TIMES)
        self._frames = FrameTape(window, max_bytes, owned.spec.privacy)
        self._packets = None if owned.spec.privacy else PacketTape(window, max_bytes)
        self._offset_ns = 0
        """Rule time minus presentation time."""

    def record(self, feed: Feed) -> None:
        """Before the feed is opened: takes its packets, unless they show what must stay hidden."""
        if self._packets is not None and isinstance(feed, RecordsPackets):
            feed.record(self._packets)

    def note(self, times: Times) -> None:
        """A frame was decoded."""
        if times.pts_ns is not None:
            self._offset_ns = times.rule_time_ns - times.pts_ns

    def add(self, times: Times, picture: np.ndarray) -> None:
        """A sampled picture, uint8 (H, W, 3) RGB, privacy polygons black; let go where packets serve better."""
        if self._running is None:
            self._frames.add(times.rule_time_ns, picture)

    @property
    def num_bytes(self) -> int:
        """Held in memory."""
        return self._frames.num_bytes + (self._packets.num_bytes if self._packets is not None else 0)

    @property
    def num_cut_short(self) -> int:
        """How often the bound on bytes left less than the wanted time."""
        return self._frames.num_cut_short + (self._packets.num_cut_short if self._packets is not None else 0)

    def newest_ns(self) -> int | None:
        """Rule time up to which a clip can be cut now."""
        if self._running is None:
            return self._frames.newest_ns()
        newest_ns = self._running.newest_ns()
        return None if newest_ns is None else newest_ns + self._offset_ns

    def cut(self, span: ClipSpan) -> Cut | None:
        """Blocks: while it encodes, where pictures are all there is. None: nothing of that time is there."""
        packets, offset_ns = self._running, self._offset_ns
        if packets is None:
            clip = self._frames.cut(span.from_ns, span.to_ns, span.max_bytes)
            return None if clip is None else Cut(clip, is_copied=False)
        clip = packets.cut(span.from_ns - offset_ns, span.to_ns - offset_ns, span.max_bytes)
        if clip is None:
            return None
        return Cut(replace(clip, from_ns=clip.from_ns + offset_ns, to_ns=clip.to_ns + offset_ns), is_copied=True)

    @property
    def _running(self) -> PacketTape | None:
        return self._packets if self._packets is not None and self._packets.is_running else None
