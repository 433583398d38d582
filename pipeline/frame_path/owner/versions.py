"""Which versions of the artefacts a frame is analysed with."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.messages import ArtefactVersion

_FROM_THE_START = (-1, -1)


class Versions:
    """Names by frame position, so that a repeated frame meets the same versions."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._known: dict[str, list[ArtefactVersion]] = {}
        for name in names:
            self.add(ArtefactVersion(name, _FROM_THE_START))

    def add(self, version: ArtefactVersion) -> None:
        """Learns of a version; told twice is told once. The two newest of each artefact are kept."""
        known = self._known.setdefault(version.name.rpartition("@")[0], [])
        if all(each.name != version.name for each in known):
            known.append(version)
            known.sort(key=lambda each: (each.valid_from, int(each.name.rpartition("@")[2])))
            del known[:-2]

    def at(self, position: tuple[int, int]) -> tuple[str, ...]:
        """The newest version of each artefact that is valid at `position`."""
        names: list[str] = []
        for known in self._known.values():
            valid = [each.name for each in known if each.valid_from <= position]
            names.extend(valid[-1:])
        return tuple(names)
