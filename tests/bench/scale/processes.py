"""Processor time of this process' descendants by what they are, read from `/proc`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
KINDS = ("decode", "analyze", "publish", "supervisor", "raylet", "gcs", "rest of Ray", "one process")
_BY_WORD = (
    ("ray::DecodeActor", "decode"),
    ("ray::AnalyzeActor", "analyze"),
    ("ray::PublishActor", "publish"),
    ("tests.bench.scale.bare", "one process"),
    ("main.py run", "supervisor"),
    ("gcs_server", "gcs"),
    ("raylet/raylet", "raylet"),
    ("ray", "rest of Ray"),
)
"""What a command line has in it; the first that fits."""


def core_seconds() -> Counter[str]:
    """Spent so far, by kind, of every process below this one that runs now."""
    parents, commands, spent = _seen()
    me = os.getpid()
    found: Counter[str] = Counter()
    for process, command in commands.items():
        if process != me and _is_below(process, me, parents):
            kind = next((kind for word, kind in _BY_WORD if word in command), None)
            if kind is not None:
                found[kind] += spent[process]  # type: ignore[assignment]
    return found


def _seen() -> tuple[dict[int, int], dict[int, str], dict[int, float]]:
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    spent: dict[int, float] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        process = int(folder.name)
        parents[process], commands[process] = int(fields[1]), command
        spent[process] = (int(fields[11]) + int(fields[12])) / _TICKS
    return parents, commands, spent


def _is_below(process: int, above: int, parents: dict[int, int]) -> bool:
    while process > 1 and process != above:
        process = parents.get(process, 0)
    return process == above
