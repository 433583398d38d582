"""Which version of each head's artefact the frames of a camera are asked with, and since which frame they name it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.stored_camera import Position, StoredCamera, StoredView
from pipeline.messages import ArtefactVersion

_FROM_THE_NEXT_FRAME: Position = (-1, -1)


class HeadVersions:
    """Of one camera. A new version holds from the next frame that the owner takes: no frame in flight has reached it.

    A frame that was published is never published again, and one that was not has no result that another version could
    contradict; so a new owner begins with the newest one.
    """

    def __init__(self, heads: Iterable[str], stored: StoredCamera, store: ArtefactStore) -> None:
        self._stored = stored
        latest = {head: store.latest(f"head/{head}") for head in heads}
        self._asked = {head: name for head, name in latest.items() if name is not None}
        self._heads = frozenset(latest)

    def adopt(self, version: str) -> None:
        """Asks for `head/vehicles@8` from now on, if the camera has that head."""
        head = version.partition("/")[2].rpartition("@")[0]
        if head in self._heads:
            self._asked[head] = version

    @property
    def names(self) -> tuple[str, ...]:
        """For an owner that begins."""
        return tuple(self._asked.values())

    @property
    def announced(self) -> tuple[ArtefactVersion, ...]:
        """For every receipt."""
        return tuple(ArtefactVersion(name, _FROM_THE_NEXT_FRAME) for name in self._asked.values())

    def used(self, artefacts: Sequence[str], position: Position) -> None:
        """Notes the first result that names a version."""
        for name in artefacts:
            kind, _, versioned = name.partition("/")
            head = versioned.rpartition("@")[0]
            known = self._stored.heads.get(head)
            if kind == "head" and (known is None or known.name != name):
                self._stored.heads[head] = StoredView(name, position)
