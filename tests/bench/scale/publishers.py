"""Results that one publisher takes, and two and four beside each other, each in a process of its own.

Deliveries as owners send them: real results with an embedding, depth, a subject, labels and a rule, and a sink that
acknowledges at once and keeps nothing. A call ends with the transaction on disk.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
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

SIZES = (1, 4, 16)
"""Results a call; the largest is what the 2 MB of a delivery would allow many times over."""
CAMERAS = 16
COUNTS = (1, 2, 4)
SECONDS = 2.0
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
    results_per_call: int
    sink: str
    results_per_second: float
    """All together."""
    call_seconds: float
    """Of one publisher: the quickest tenth of its calls take no longer."""
    core_seconds: float
    """Of a core for one result."""
    result_bytes: float = 0.0


def measure() -> tuple[list[Rate], list[Figure]]:
    """The table, and the two figures of a line through the first part of it."""
    with multiprocessing.get_context("spawn").Pool(COUNTS[-1]) as pool:
        pool.map(_warm, range(COUNTS[-1]), chunksize=1)
        rates = [_side_by_side(pool, 1, size, "null") for size in SIZES]
        rates += [_side_by_side(pool, count, SIZES[-1], "null") for count in COUNTS[1:]]
        rates.append(_side_by_side(pool, 1, SIZES[-1], "jsonl"))
    few, many = rates[0], rates[len(SIZES) - 1]
    per_result = (many.call_seconds - few.call_seconds) / (many.results_per_call - few.results_per_call)
    figures = [
        Figure("publish_call_seconds", few.call_seconds - per_result, "s", "a delivery, on disk", "measured"),
        Figure("publish_result_seconds", per_result, "s", "each result in it", "measured"),
        Figure("publish_core_seconds", many.core_seconds, "s", "of a core for a result", "measured"),
        Figure("result_bytes", many.result_bytes, "B", "an analysed result on the wire", "measured"),
        Figure("gated_bytes", gated_bytes(), "B", "a result of a picture that was passed over", "measured"),
    ]
    return rates, figures


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


def _side_by_side(pool: Pool, count: int, size: int, sink: str) -> Rate:
    found = pool.starmap(_publish, [(n, size, sink) for n in range(count)], chunksize=1)
    return Rate(
        publishers=count,
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
    bytes: int


def _publish(number: int, size: int, sink: str) -> _Done:
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as name:
        folder = Path(name)
        null = NullSink()
        sinks: Sequence[Sink] = [null]
        if sink == "jsonl":
            config = SinksConfig(jsonl=JsonlSinkConfig(path=str(folder / "out")))
            sinks, _ = build_sinks(config, "north-quay", Secrets({}))
        cameras = [fakes_publisher.camera(f"cam-{number}-{n:02d}") for n in range(CAMERAS)]
        publisher = fakes_publisher.publisher(
            folder, cameras, sinks, required=(sinks[0].name,), clock=SystemClock(), outbox_bytes=2**30
        )
        found = _feed(publisher, cameras, size)
        publisher.close(20.0)
        return replace(found, bytes=null.bytes)


def _feed(publisher: Publisher, cameras: Sequence[PublishedCamera], size: int) -> _Done:
    names = [each.spec.camera for each in cameras]
    for name in names:
        publisher.attach(name, 17)
    template = fakes_publisher.frame(0, SUBJECT_METRES)
    sent = 0
    spent: list[float] = []
    deadline, cores = time.perf_counter() + SECONDS, 0.0
    while time.perf_counter() < deadline:
        entries = [_entry(template, names[(sent + n) % CAMERAS], (sent + n) // CAMERAS) for n in range(size)]
        began, began_cores = time.perf_counter(), time.process_time()
        publisher.publish(Delivery(tuple(entries), ()))
        spent.append(time.perf_counter() - began)
        cores += time.process_time() - began_cores
        sent += size
    return _Done(sent, sum(spent), float(np.percentile(spent, 10)), cores, 0)


def _entry(template: Analysed, camera: str, seq: int) -> Analysed:
    analysis = template.analysis
    ticket = replace(analysis.ticket, camera=camera, seq=seq)
    times = fakes_publisher.times(seq / 5)
    return Analysed(replace(analysis, ticket=ticket, times=times), {})
