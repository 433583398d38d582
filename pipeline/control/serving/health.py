"""Is it well? Pure: a snapshot in, one verdict per component out. Only what is at fault turns red."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.control.snapshot import PipelineSnapshot

BROKER_RED_SECONDS = 15.0
SILENT_RED_SECONDS = 30.0
"""Frames go in and nothing is acknowledged for this long."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One component. `is_fatal` ones make `/readyz` red; a camera that is down never does."""

    component: str
    is_well: bool
    reason: str = ""
    is_fatal: bool = True


def judge(snapshot: PipelineSnapshot, required: frozenset[str], now_ns: int) -> list[Verdict]:
    """All components: actors, analysis, outbox, sinks, cameras."""
    return [
        *_actors(snapshot),
        *_analysis(snapshot),
        *_outbox(snapshot),
        *_sinks(snapshot, required, now_ns),
        *_cameras(snapshot),
    ]


def is_ready(verdicts: list[Verdict]) -> bool:
    """Whether `/readyz` answers 200."""
    return all(each.is_well for each in verdicts if each.is_fatal)


def _actors(snapshot: PipelineSnapshot) -> list[Verdict]:
    found: list[Verdict] = []
    for kind in ("analyze", "publish", "decode"):
        members = [each for each in snapshot.actors if each.kind == kind]
        down = [each for each in members if each.state != "running"]
        # One model worker of several may be away: the others carry on. A publisher or owner has cameras of its own.
        is_well = bool(members) and (len(down) < len(members) if kind == "analyze" else not down)
        reason = "; ".join(f"{each.name} {each.state} {each.reason}".rstrip() for each in down)
        found.append(Verdict(f"actors/{kind}", is_well, reason or ("" if is_well else "none started")))
    return found


def _analysis(snapshot: PipelineSnapshot) -> list[Verdict]:
    """More frames fail in the model than come out of it: a bank, a head or a view that does not fit."""
    failed = sum(each.ledger.lost.get("analyze_error", 0) for each in snapshot.cameras)
    analysed = sum(each.ledger.analysed for each in snapshot.cameras)
    reason = f"{failed} frames failed in the model, {analysed} did not; see state_dir/logs"
    return [Verdict("analysis", failed <= analysed, reason if failed > analysed else "")]


def _outbox(snapshot: PipelineSnapshot) -> list[Verdict]:
    return [
        Verdict(f"outbox/{name}", not each.is_outbox_full, "full: alerts are refused" if each.is_outbox_full else "")
        for name, each in snapshot.publishers.items()
    ]


def _sinks(snapshot: PipelineSnapshot, required: frozenset[str], now_ns: int) -> list[Verdict]:
    found: list[Verdict] = []
    for name, publisher in snapshot.publishers.items():
        for sink in publisher.sinks:
            silent = (now_ns - (sink.last_acknowledged_ns or 0)) / 1e9
            is_silent = sink.queued > 0 and silent > SILENT_RED_SECONDS
            is_down = not sink.is_connected and silent > BROKER_RED_SECONDS
            reason = (
                sink.last_error if is_down else f"{sink.queued} wait, none acknowledged for {SILENT_RED_SECONDS:g} s"
            )
            is_well = not (is_down or is_silent)
            found.append(Verdict(f"sink/{name}/{sink.name}", is_well, "" if is_well else reason, sink.name in required))
    return found


def _cameras(snapshot: PipelineSnapshot) -> list[Verdict]:
    well = {"live", "connecting", "ended"}
    return [
        Verdict(
            f"camera/{each.camera}", each.state in well, "" if each.state in well else each.reason or each.state, False
        )
        for each in snapshot.cameras
    ]
