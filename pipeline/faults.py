"""Which thread brought a process down: written by the process as it dies, read by whoever lives on.

A decoder may fall into a segmentation fault of a codec. Python then knows the thread's number alone, so threads that
call foreign code note their names beforehand. What an outsider killed (SIGKILL, too little memory) blames nobody.
"""

from __future__ import annotations

import faulthandler
import re
import threading
from pathlib import Path
from typing import IO

_THREAD = re.compile(r"^thread (0x[0-9a-f]+) (.+)$", re.MULTILINE)
_FATAL = re.compile(r"^Fatal Python error: (.+)$", re.MULTILINE)
_CURRENT = re.compile(r"^Current thread (0x[0-9a-f]+)", re.MULTILINE)


class _Watch:
    """The open file of this process, and what stands in it."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.names: dict[int, str] = {}
        self.lock = threading.Lock()


_watch: _Watch | None = None


def watch_faults(path: Path) -> None:
    """From here on, a fatal fault of this process is told in `path`; once per process.

    The file begins anew. What an earlier process died of is kept beside it, ending in `.crash`.
    """
    global _watch  # noqa: PLW0603 - of the process, like the fault itself
    path.parent.mkdir(parents=True, exist_ok=True)
    if fatal_fault(path) is not None:
        path.replace(path.with_suffix(".crash"))
    _watch = _Watch(path.open("w", encoding="utf-8", buffering=1))
    faulthandler.enable(_watch.file)


def name_thread() -> None:
    """Notes the name of the calling thread; nothing where faults are not watched."""
    watch, me = _watch, threading.current_thread()
    if watch is None or me.ident is None:
        return
    with watch.lock:
        if watch.names.get(me.ident) != me.name:  # numbers come again: the file stays small
            watch.names[me.ident] = me.name
            watch.file.write(f"thread {me.ident:#018x} {me.name}\n")


def fatal_fault(path: Path) -> tuple[str, str] | None:
    """(thread, fault) such as (`reader-gate`, `Segmentation fault`); None: whoever wrote `path` died of nothing fatal,
    or in a thread that nobody named.
    """
    try:
        told = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    fault, current = _FATAL.search(told), _CURRENT.search(told)
    if fault is None or current is None:
        return None
    name = dict(_THREAD.findall(told)).get(current[1])
    return None if name is None else (name, fault[1])
