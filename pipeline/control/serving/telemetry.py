"""`/metrics`: Prometheus families made from one snapshot, so that numbers of one scrape belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.control.snapshot import PipelineSnapshot

STATES = ("connecting", "live", "stalled", "frozen", "backoff", "blocked_by_sink", "ended", "failed")


class SnapshotCollector(Collector):
    """Collects from what `take` returns at the time of the scrape."""

    def __init__(self, take: Callable[[], PipelineSnapshot]) -> None:
        self._take = take

    def collect(self) -> Iterable[Metric]:
        snapshot = self._take()
        yield from _frames(snapshot)
        yield from _cameras(snapshot)
        yield from _sinks(snapshot)
        yield from _thumbnails(snapshot)
        yield from _actors(snapshot)


def registry(take: Callable[[], PipelineSnapshot]) -> CollectorRegistry:
    """A registry of its own, without the process metrics of prometheus_client's default one."""
    found = CollectorRegistry(auto_describe=False)
    found.register(SnapshotCollector(take))
    return found


def _frames(snapshot: PipelineSnapshot) -> Iterable[Metric]:
    frames = CounterMetricFamily(
        "dinostream_frames", "Frames by what became of them, over all leases.", labels=["camera", "fate"]
    )
    lost = CounterMetricFamily("dinostream_frames_lost", "Frames without a result.", labels=["camera", "reason"])
    flight = GaugeMetricFamily("dinostream_frames_in_flight", "Tickets not settled yet.", labels=["camera"])
    unaccounted = GaugeMetricFamily("dinostream_frames_unaccounted", "Must be 0.", labels=["camera"])
    for camera, total in snapshot.totals().items():
        for fate in (
            "received",
            "undecodable",
            "decoded",
            "sampled_out",
            "replaced",
            "stale",
            "gated",
            "analysed",
        ):
            frames.add_metric([camera, fate], getattr(total, fate))
        for reason, count in sorted(total.lost.items()):
            lost.add_metric([camera, reason], count)
        flight.add_metric([camera], total.in_flight)
        unaccounted.add_metric([camera], total.unaccounted)
    yield from (frames, lost, flight, unaccounted)


def _cameras(snapshot: PipelineSnapshot) -> Iterable[Metric]:
    state = GaugeMetricFamily("dinostream_camera_state", "1 for the current state.", labels=["camera", "state"])
    rate = GaugeMetricFamily("dinostream_camera_fps", "Decoded pictures per second, measured.", labels=["camera"])
    age = GaugeMetricFamily(
        "dinostream_result_age_seconds", "Ingest to published, last 512 results.", labels=["camera", "quantile"]
    )
    cores = GaugeMetricFamily("dinostream_camera_reading_cores", "Cores that reading it takes.", labels=["camera"])
    last = GaugeMetricFamily(
        "dinostream_last_frame_timestamp_seconds", "Wall clock of the newest decoded frame.", labels=["camera"]
    )
    unrouted = CounterMetricFamily(
        "dinostream_unrouted_records", "Records whose key no camera names.", labels=["topic"]
    )
    topics = sum((Counter(each.unrouted) for each in snapshot.cameras), Counter[str]())
    for topic, count in sorted(topics.items()):
        unrouted.add_metric([topic], count)
    for each in snapshot.cameras:
        for name in STATES:
            state.add_metric([each.camera, name], float(each.state == name))
        rate.add_metric([each.camera], each.measured_fps)
        for quantile, value in (("0.5", each.age_p50_seconds), ("0.99", each.age_p99_seconds)):
            if value is not None:
                age.add_metric([each.camera, quantile], value)
        if each.last_frame_ns is not None:
            last.add_metric([each.camera], each.last_frame_ns / 1e9)
        if each.reading_cores is not None:
            cores.add_metric([each.camera], each.reading_cores)
    unread = CounterMetricFamily(
        "dinostream_camera_unread_seconds", "While its owner was lost, and no other had begun.", labels=["camera"]
    )
    for camera, seconds in sorted(snapshot.unread_seconds.items()):
        unread.add_metric([camera], seconds)
    yield from (state, rate, age, cores, last, unrouted, unread)
    yield from _tapes(snapshot)


def _tapes(snapshot: PipelineSnapshot) -> Iterable[Metric]:
    held = GaugeMetricFamily("dinostream_clip_tape_bytes", "Kept in memory for clips.", labels=["camera"])
    short = CounterMetricFamily(
        "dinostream_clip_tape_cut_short", "Times that bytes left less than the wanted time.", labels=["camera"]
    )
    for each in snapshot.cameras:
        if each.tape_bytes is not None:
            held.add_metric([each.camera], each.tape_bytes)
            short.add_metric([each.camera], each.tape_cut_short)
    yield from (held, short)


def _sinks(snapshot: PipelineSnapshot) -> Iterable[Metric]:
    settled = CounterMetricFamily(
        "dinostream_sink_results", "Results by what became of them at a sink.", labels=["sink", "camera", "outcome"]
    )
    queued = GaugeMetricFamily("dinostream_sink_queued_bytes", "Waiting in memory.", labels=["publisher", "sink"])
    connected = GaugeMetricFamily(
        "dinostream_sink_connected", "1 while the broker answers.", labels=["publisher", "sink"]
    )
    outbox = GaugeMetricFamily("dinostream_outbox_bytes", "Alerts and status that wait on disk.", labels=["publisher"])
    for name, publisher in snapshot.publishers.items():
        for ledger in publisher.ledgers:
            key = [ledger.sink, ledger.camera]
            settled.add_metric([*key, "acknowledged"], ledger.acknowledged)
            settled.add_metric([*key, "dead_lettered"], ledger.dead_lettered)
            for reason, count in sorted(ledger.dropped.items()):
                settled.add_metric([*key, f"dropped_{reason}"], count)
        for sink in publisher.sinks:
            queued.add_metric([name, sink.name], sink.queued_bytes)
            connected.add_metric([name, sink.name], float(sink.is_connected))
        outbox.add_metric([name], publisher.outbox_bytes)
    yield from (settled, queued, connected, outbox)


def _thumbnails(snapshot: PipelineSnapshot) -> Iterable[Metric]:
    kept = CounterMetricFamily(
        "dinostream_thumbnails", "Small pictures for searches, by what became of them.", labels=["camera", "outcome"]
    )
    for publisher in snapshot.publishers.values():
        for camera, counts in sorted(publisher.thumbnails.items()):
            for outcome, count in counts.items():
                kept.add_metric([camera, outcome], count)
    yield kept


def _actors(snapshot: PipelineSnapshot) -> Iterable[Metric]:
    up = GaugeMetricFamily("dinostream_actor_up", "1 while the actor answers.", labels=["actor", "kind"])
    restarts = CounterMetricFamily("dinostream_actor_restarts", "Times it was started again.", labels=["actor", "kind"])
    for each in snapshot.actors:
        up.add_metric([each.name, each.kind], float(each.state == "running"))
        restarts.add_metric([each.name, each.kind], each.restarts)
    yield from (up, restarts)
