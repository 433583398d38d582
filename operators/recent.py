"""Values that are made once and kept while they are asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The values asked for last, by name; `functools.lru_cache` whose room may grow. Thread-safe."""

    def __init__(self, room: int, make: Callable[[str], Value]) -> None:
        """`make` is called without the lock: two threads that ask at once may both make it."""
        self.room = room
        """How many are kept."""
        self._make = make
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Value] = OrderedDict()

    def __call__(self, name: str) -> Value:
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        made = self._make(name)
        with self._lock:
            self._kept[name] = made
            self._kept.move_to_end(name)
            while len(self._kept) > self.room:
                self._kept.popitem(last=False)
        return made
