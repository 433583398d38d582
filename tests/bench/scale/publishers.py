"""Results that one publisher takes, and two and four beside each other, each in a process of its own.

Deliveries as owners send them: real results with an embedding, depth, a subject, labels and a rule, and a sink that
acknowledges at once and keeps nothing. A call ends with the transaction on disk; calls of owners that come while
another is written share the next transaction. Rounds go up and down again, so that what else runs falls on all alike.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np

from pipeline.clock import SystemClock
from pipeline.frame_path.publisher.published import PublishedCamera
from pipeline.frame_path.publisher.publisher import Publisher
from pipeline.messages import Analysed, Delivery, Message, Settlement
from pipeline.secrets import Secrets
from pipeline.sinks.base import OnSettled, Sink, SinkHealth
from pipeline.sinks.config import JsonlSinkConfig, SinksConfig
from pipeline.sinks.registry import build_sinks
from tests import fakes_publisher
from tests.bench.scale.service_times import Figure

CAMERAS = 16
COUNTS = (1, 2, 4)
SECONDS = 2.0
MANY = 16
"""Owners that call at once, or results of one call."""
SUBJECT_METRES = 4.0


class NullSink:
    """Acknowledges at once; counts messages and bytes."""

    name = "null"

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0
        self._on_settled: OnSettled = lambda _: None

    def start(self, on_settled: OnSettled) -> None:
        self._on_settled = on_settled

    def put(self, messages: Sequence[Message]) -> list[Message]:
        self.messages += len(messages)
        self.bytes += sum(each.size for each in messages)
        self._on_settled([Settlement(self.name, message, "acknowledged", "") for message in messages])
        return []

    def health(self) -> SinkHealth:
        return SinkHealth(self.name, True, 0, 0, None)

    def close(self, timeout_seconds: float) -> None:
        del timeout_seconds


@dataclass(frozen=True, slots=True)
class Rate:
    """What publishers side by side took."""

    publishers: int
    owners: int
    """That call each publisher at once."""
    results_per_call: int
    sink: str
    results_per_second: float
    """All together."""
    call_seconds: float
    """Of one publisher: the quickest tenth of its calls take no longer."""
    core_seconds: float
    """Of a core for one result."""
    result_bytes: float = 0.0


CASES = (
    (1, 1, 1, "null"),
    (1, 1, 4, "null"),
    (1, 1, MANY, "null"),
    (1, 4, 1, "null"),
    *((count, MANY, 1, "null") for count in COUNTS),
    (1, MANY, 1, "jsonl"),
)
"""(publishers, owners, results a call, sink)."""
ROUNDS = 2
"""Each up and down again."""


def measure() -> tuple[list[Rate], list[Figure]]:
    """The table, and the figures of one publisher."""
    seen: dict[tuple[int, int, int, str], list[Rate]] = {case: [] for case in CASES}
    with multiprocessing.get_context("spawn").Pool(COUNTS[-1]) as pool:
        pool.map(_warm, range(COUNTS[-1]), chunksize=1)
        for order in (CASES, tuple(reversed(CASES))) * ROUNDS:
            for case in order:
                seen[case].append(_side_by_side(pool, *case))
    rates = [_middle(found) for found in seen.values()]
    lonely, shared = seen[CASES[0]], seen[1, MANY, 1, "null"]
    call, result = _line(min(each.call_seconds for each in lonely), 1 / max(each.results_per_second for each in shared))
    figures = [
        Figure("publish_call_seconds", call, "s", "a transaction, on disk", "measured"),
        Figure("publish_result_seconds", result, "s", "each result in it, of a delivery of its own", "measured"),
        Figure("publish_core_seconds", min(each.core_seconds for each in shared), "s", "of a core for it", "measured"),
        Figure("result_bytes", lonely[0].result_bytes, "B", "an analysed result on the wire", "measured"),
        Figure("gated_bytes", gated_bytes(), "B", "a result of a picture that was passed over", "measured"),
    ]
    return rates, figures


def _line(alone_seconds: float, shared_seconds: float) -> tuple[float, float]:
    """(a transaction, each result in it), from a result alone and one of `MANY` owners at once: while one of them is
    written the others wait, so a transaction holds all but one.
    """
    call = max(0.0, alone_seconds - shared_seconds) * (MANY - 1) / (MANY - 2)
    return call, alone_seconds - call


def _middle(found: Sequence[Rate]) -> Rate:
    """The median of each figure over the rounds."""
    return replace(
        found[0],
        results_per_second=statistics.median(each.results_per_second for each in found),
        call_seconds=statistics.median(each.call_seconds for each in found),
        core_seconds=statistics.median(each.core_seconds for each in found),
    )


def shared_seconds(figures: Mapping[str, float]) -> float:
    """Of one result, at a publisher that many owners call at once."""
    return figures["publish_result_seconds"] + figures["publish_call_seconds"] / (MANY - 1)


def ratios(rates: Sequence[Rate]) -> list[tuple[int, float, float]]:
    """(publishers, results/s by those of one, core-ms a result by those of one), of owners that call at once."""
    many = [each for each in rates if each.owners == MANY and each.sink == "null"]
    one = next(each for each in many if each.publishers == 1)
    return [
        (
            each.publishers,
            each.results_per_second / one.results_per_second,
            each.core_seconds / one.core_seconds,
        )
        for each in many
    ]


def gated_bytes() -> float:
    """On the wire, of a result that repeats an earlier one: it carries no embedding and no depth."""
    null = NullSink()
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as name:
        made = fakes_publisher.publisher(Path(name), [fakes_publisher.camera()], [null], required=(null.name,))
        made.attach(fakes_publisher.CAMERA, 17)
        fakes_publisher.deliver(made, fakes_publisher.frame(0, SUBJECT_METRES))
        before, messages = null.bytes, null.messages
        fakes_publisher.deliver(made, *(fakes_publisher.reused(n, 0) for n in range(1, CAMERAS)))
        found = (null.bytes - before) / (null.messages - messages)
        made.close(5.0)
    return found


def _side_by_side(pool: Pool, count: int, owners: int, size: int, sink: str) -> Rate:
    found = pool.starmap(_publish, [(n, owners, size, sink) for n in range(count)], chunksize=1)
    return Rate(
        publishers=count,
        owners=owners,
        results_per_call=size,
        sink=sink,
        results_per_second=sum(each.results / each.seconds for each in found),
        call_seconds=statistics.mean(each.call_seconds for each in found),
        core_seconds=sum(each.core_seconds for each in found) / sum(each.results for each in found),
        result_bytes=sum(each.bytes for each in found) / sum(each.results for each in found),
    )


def _warm(_: int) -> None:
    """Imports are not measured."""


@dataclass(frozen=True, slots=True)
class _Done:
    """Of one publisher."""

    results: int
    seconds: float
    call_seconds: float
    """Of the quickest tenth of the calls."""
    core_seconds: float
    """Of all its threads, making the results included."""
    bytes: int


def _publish(number: int, owners: int, size: int, sink: str) -> _Done:
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as name:
        folder = Path(name)
        null = NullSink()
        sinks: Sequence[Sink] = [null]
        if sink == "jsonl":
            config = SinksConfig(jsonl=JsonlSinkConfig(path=str(folder / "out")))
            sinks, _ = build_sinks(config, "north-quay", Secrets({}))
        each_of = CAMERAS if owners == 1 else 2
        cameras = [
            [fakes_publisher.camera(f"cam-{number}-{owner:02d}-{n:02d}") for n in range(each_of)]
            for owner in range(owners)
        ]
        publisher = fakes_publisher.publisher(
            folder,
            [each for of_one in cameras for each in of_one],
            sinks,
            required=(sinks[0].name,),
            clock=SystemClock(),
            outbox_bytes=2**30,
        )
        found = _feed_all(publisher, cameras, size)
        publisher.close(20.0)
        return replace(found, bytes=null.bytes)


def _feed_all(publisher: Publisher, cameras: Sequence[Sequence[PublishedCamera]], size: int) -> _Done:
    """Each owner on a thread of its own."""
    for of_one in cameras:
        for each in of_one:
            publisher.attach(each.spec.camera, 17)
    began, cores = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(len(cameras)) as owners:
        calls = [each for of_one in owners.map(lambda mine: _feed(publisher, mine, size), cameras) for each in of_one]
    seconds, cores = time.perf_counter() - began, time.process_time() - cores
    return _Done(size * len(calls), seconds, float(np.percentile(calls, 10)), cores, 0)


def _feed(publisher: Publisher, cameras: Sequence[PublishedCamera], size: int) -> list[float]:
    """Seconds of each call of one owner."""
    names = [each.spec.camera for each in cameras]
    template = fakes_publisher.frame(0, SUBJECT_METRES)
    sent = 0
    spent: list[float] = []
    deadline = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < deadline:
        entries = [_entry(template, names[(sent + n) % len(names)], (sent + n) // len(names)) for n in range(size)]
        publisher.publish(Delivery(tuple(entries), ()))
        spent.append(time.perf_counter() - began)
        sent += size
    return spent


def _entry(template: Analysed, camera: str, seq: int) -> Analysed:
    analysis = template.analysis
    ticket = replace(analysis.ticket, camera=camera, seq=seq)
    times = fakes_publisher.times(seq / 5)
    return Analysed(replace(analysis, ticket=ticket, times=times), {})
