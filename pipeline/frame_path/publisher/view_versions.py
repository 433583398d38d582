"""Which version of the empty view frames of a camera meet, and from where on."""

from __future__ import annotations

from pipeline.frame_path.publisher.stored_camera import Position, StoredCamera, StoredView
from pipeline.messages import ArtefactVersion

FRAMES_IN_FLIGHT = 320
"""No replayable camera has more unsettled frames than this (the owner stops at 256)."""
FROM_THE_START: Position = (-1, -1)
MAX_VERSIONS = 4


class ViewVersions:
    """The newest versions of one camera, kept in its stored state."""

    def __init__(self, stored: StoredCamera, *, is_replayable: bool) -> None:
        self._stored = stored
        self._is_replayable = is_replayable

    @property
    def newest(self) -> str | None:
        """Which may not be valid yet."""
        return self._stored.views[-1].name if self._stored.views else None

    @property
    def announced(self) -> tuple[ArtefactVersion, ...]:
        """The two newest, for every receipt."""
        return tuple(ArtefactVersion(each.name, each.valid_from) for each in self._stored.views[-2:])

    def valid_after(self, settled_upto: Position | None) -> str | None:
        """For the frame after the last settled one (replayable) or for any new one (live)."""
        resume = settled_upto or FROM_THE_START
        valid = [each.name for each in self._stored.views if not self._is_replayable or each.valid_from <= resume]
        return valid[-1] if valid else None

    def adopt(self, name: str | None) -> None:
        """The newest version that is there at a start: known, or commissioned while the publisher was down."""
        if name is None:
            self._stored.views = []
        elif all(each.name != name for each in self._stored.views):
            position = self._stored.last_position
            self._add(StoredView(name, self._beyond_flight(position) if position else FROM_THE_START))

    def learnt(self, name: str, position: Position) -> StoredView:
        """A new version becomes valid where no frame in flight can have been analysed without it."""
        view = StoredView(name, self._beyond_flight(position))
        self._add(view)
        return view

    def _add(self, view: StoredView) -> None:
        self._stored.views = [*self._stored.views, view][-MAX_VERSIONS:]

    def _beyond_flight(self, position: Position) -> Position:
        """A live owner asks for versions when it takes a frame; a replayable one may have many frames in flight."""
        ahead = FRAMES_IN_FLIGHT * self._stored.stride if self._is_replayable else 1
        return (position[0], position[1] + ahead)
