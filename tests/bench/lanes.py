"""Two threads that keep the model busy while pictures are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def in_lanes(pictures: Iterable[S], one: Callable[[list[S]], list[T]]) -> Iterator[T]:
    """Batches of four on two threads, in order, one batch ahead of what is drawn."""
    iterator = iter(pictures)
    with ThreadPoolExecutor(2) as lanes:
        waiting = [lanes.submit(one, batch) for _ in range(2) if (batch := list(islice(iterator, 4)))]
        while waiting:
            done = waiting.pop(0).result()
            if batch := list(islice(iterator, 4)):
                waiting.append(lanes.submit(one, batch))
            yield from done
