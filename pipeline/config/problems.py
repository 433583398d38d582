"""What is wrong with a configuration, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.secrets import redact

Place = tuple[str | int, ...]
"""A path inside the configuration: names and list positions."""

_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")


def shown(place: Place) -> str:
    """`$.cameras.dock-03.zones.apron[2]`."""
    text = "$"
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if _PLAIN.match(part) else f"[{part!r}]"
    return text


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something stands; lines and columns count from 1."""

    file: str
    line: int
    column: int
    place: Place = ()
    """Its path in its own file, so that a merged value can say that it came from a profile."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake."""

    mark: Mark
    place: Place
    """Where it matters, such as `$.cameras.dock-03.heads[1]`; the mark may lie in a profile."""
    message: str
    """What was expected, what was found, and the nearest valid word; redacted when shown."""

    def __str__(self) -> str:
        return redact(f"{self.mark}: {shown(self.place)}: {self.message}")


class ConfigError(ValueError):
    """All mistakes of a configuration at once, one a line, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(problems, key=lambda each: (each.mark.file, each.mark.line, each.mark.column))
        self.problems = tuple(dict.fromkeys(ordered))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[Problem, ...]]]:
        return (ConfigError, (self.problems,))
