"""Merges the calls of several owners into batches of one shape and runs them on a few threads.

On a CPU a lane is one micro-batch with one intra-op thread, and nothing waits for company: batching brings nothing
there, and one batch on two OpenMP threads loses half its speed as soon as decoders run beside it. On a GPU there is one
lane, and a batch waits up to `max_wait_seconds` for more.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from operators.frames import Item
from operators.results import Analysis
from pipeline.clock import Clock
from pipeline.errors import AnalyzeError

Analyze = Callable[[Sequence[Item]], list[Analysis]]


@dataclass(slots=True)
class _Call:
    """One caller that waits for all of its items."""

    items: Sequence[Item]
    results: list[Analysis | None]
    missing: int
    error: AnalyzeError | None = None
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much one batch may hold."""

    lanes: int
    max_batch_size: int
    max_wait_seconds: float = 0.0


class LanePool:
    """Blocks each caller of `analyze` until its items are done; `close` fails whoever still waits."""

    def __init__(self, analyze: Analyze, limits: LaneLimits, clock: Clock) -> None:
        self._analyze = analyze
        self._limits = limits
        self._clock = clock
        self._waiting: deque[tuple[_Call, int]] = deque()
        self._condition = threading.Condition()
        self._is_closed = False
        self._busy_seconds = 0.0
        self._began: dict[int, float] = {}
        """By thread, when the batch under way began."""
        self._num_calls = 0
        self._threads = [threading.Thread(target=self._run, name=f"lane-{n}", daemon=True) for n in range(limits.lanes)]
        for thread in self._threads:
            thread.start()

    def analyze(self, items: Sequence[Item], timeout_seconds: float | None = None) -> list[Analysis]:
        """Results in the order of `items`.

        Raises:
            AnalyzeError: the analysis failed (`failed`), took too long (`timeout`), or the pool was closed (`died`).
        """
        call = _Call(items, [None] * len(items), len(items))
        if not items:
            return []
        try:
            return self._wait_for(call, timeout_seconds)
        finally:
            with self._condition:
                self._num_calls -= 1

    @property
    def busy_seconds(self) -> float:
        """Time that lanes have computed, of all together, batches under way included."""
        with self._condition:
            now = self._clock.monotonic()
            return self._busy_seconds + sum(now - began for began in self._began.values())

    @property
    def num_calls(self) -> int:
        """Callers that wait now."""
        with self._condition:
            return self._num_calls

    def _wait_for(self, call: _Call, timeout_seconds: float | None) -> list[Analysis]:
        with self._condition:
            self._num_calls += 1
            if self._is_closed:
                msg = "the analyzer is closed"
                raise AnalyzeError(msg, code="died")
            self._waiting.extend((call, index) for index in range(len(call.items)))
            self._condition.notify_all()
        if not call.done.wait(timeout_seconds):
            with self._condition:
                self._waiting = deque(each for each in self._waiting if each[0] is not call)
            msg = f"no result within {timeout_seconds} s"
            raise AnalyzeError(msg, code="timeout")
        if call.error is not None:
            raise call.error
        return [result for result in call.results if result is not None]

    def close(self) -> None:
        """Ends the lanes after their current batch."""
        with self._condition:
            self._is_closed = True
            left = {id(call): call for call, _ in self._waiting}
            self._waiting.clear()
            self._condition.notify_all()
        for call in left.values():
            call.error = AnalyzeError("the analyzer is closed", code="died")
            call.done.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while batch := self._take():
            thread = threading.get_ident()
            with self._condition:
                self._began[thread] = self._clock.monotonic()
            try:
                results = self._analyze([call.items[index] for call, index in batch])
            except Exception as error:  # noqa: BLE001 - whatever the model raises belongs to those who asked
                self._fail(batch, AnalyzeError(f"{type(error).__name__}: {error}", code="failed"))
                continue
            finally:
                with self._condition:
                    spent_seconds = self._clock.monotonic() - self._began.pop(thread)
                    self._busy_seconds += spent_seconds
            with self._condition:
                for (call, index), result in zip(batch, results, strict=True):
                    call.results[index] = replace(result, computed_seconds=spent_seconds)
                    call.missing -= 1
                    if call.missing == 0:
                        call.done.set()

    def _fail(self, batch: list[tuple[_Call, int]], error: AnalyzeError) -> None:
        for call, _ in batch:
            call.error = error
            call.done.set()

    def _take(self) -> list[tuple[_Call, int]]:
        """The next batch of one shape, oldest first; empty once closed."""
        with self._condition:
            while True:
                while not self._waiting and not self._is_closed:
                    self._condition.wait()
                if not self._waiting:
                    return []
                self._gather()
                if self._waiting:
                    return self._pick()

    def _pick(self) -> list[tuple[_Call, int]]:
        shape = self._shape(self._waiting[0])
        batch: list[tuple[_Call, int]] = []
        kept: deque[tuple[_Call, int]] = deque()
        for each in self._waiting:
            is_room = len(batch) < self._limits.max_batch_size
            (batch if is_room and self._shape(each) == shape else kept).append(each)
        self._waiting = kept
        return batch

    def _gather(self) -> None:
        deadline = self._clock.monotonic() + self._limits.max_wait_seconds
        while len(self._waiting) < self._limits.max_batch_size and not self._is_closed:
            left = deadline - self._clock.monotonic()
            if left <= 0 or not self._condition.wait(left):
                return

    @staticmethod
    def _shape(each: tuple[_Call, int]) -> tuple[int, ...]:
        call, index = each
        return call.items[index].pixels.shape
