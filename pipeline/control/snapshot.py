"""What the supervisor knows at one moment; the table, `/status`, `/metrics` and health are made from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from operators.results import ModelInfo
from pipeline.control.planning.plan import Node
from pipeline.frame_path.publisher.publisher import PublisherSnapshot
from pipeline.messages import CameraSnapshot, LedgerSnapshot

ActorKind = Literal["decode", "analyze", "publish"]
ActorState = Literal["waiting", "starting", "running", "backoff"]
"""`waiting`: no node can have it now."""


@dataclass(frozen=True, slots=True)
class ActorStatus:
    """One actor."""

    name: str
    kind: ActorKind
    state: ActorState
    restarts: int
    pid: int | None = None
    reason: str = ""
    """Why it was started again, the last time; of one that waits, what for."""
    node: str = ""
    """Ray id of the node that it runs on."""
    why: str = ""
    """Why there."""
    cameras: tuple[str, ...] = ()
    """That it reads or publishes."""


@dataclass(frozen=True, slots=True)
class PipelineSnapshot:
    """Everything at once."""

    site: str
    taken_ns: int
    model: ModelInfo | None = None
    cameras: tuple[CameraSnapshot, ...] = ()
    closed: dict[str, tuple[LedgerSnapshot, ...]] = field(default_factory=dict)
    """Ledgers of earlier leases, read where their dead owners left them."""
    unread_seconds: dict[str, float] = field(default_factory=dict)
    """By camera: how long nobody read it, since its owner was lost; no ledger counts what it showed meanwhile."""
    publishers: dict[str, PublisherSnapshot] = field(default_factory=dict)
    actors: tuple[ActorStatus, ...] = ()
    nodes: tuple[Node, ...] = ()
    """That compute."""
    shortage: str = ""
    """What the load would need beyond what the configuration allows."""

    def total(self, camera: str) -> LedgerSnapshot:
        """A camera over all its leases."""
        parts = [*self.closed.get(camera, ()), *(each.ledger for each in self.cameras if each.camera == camera)]
        return add_ledgers(camera, parts)

    def totals(self) -> dict[str, LedgerSnapshot]:
        """Every camera over all its leases, by name and in its order."""
        parts = {camera: list(ledgers) for camera, ledgers in self.closed.items()}
        for each in self.cameras:
            parts.setdefault(each.camera, []).append(each.ledger)
        return {camera: add_ledgers(camera, parts[camera]) for camera in sorted(parts)}


def add_ledgers(camera: str, parts: list[LedgerSnapshot]) -> LedgerSnapshot:
    """The sum; `lease` is the newest."""
    lost: dict[str, int] = {}
    for part in parts:
        for reason, count in part.lost.items():
            lost[reason] = lost.get(reason, 0) + count
    return LedgerSnapshot(
        camera=camera,
        lease=max((part.lease for part in parts), default=0),
        received=sum(part.received for part in parts),
        undecodable=sum(part.undecodable for part in parts),
        decoded=sum(part.decoded for part in parts),
        sampled_out=sum(part.sampled_out for part in parts),
        replaced=sum(part.replaced for part in parts),
        stale=sum(part.stale for part in parts),
        gated=sum(part.gated for part in parts),
        analysed=sum(part.analysed for part in parts),
        lost=lost,
        in_flight=sum(part.in_flight for part in parts),
    )


def close_ledger(ledger: LedgerSnapshot, reason: str) -> LedgerSnapshot:
    """What was in flight in a dead process is lost, and says why."""
    lost = dict(ledger.lost)
    if ledger.in_flight:
        lost[reason] = lost.get(reason, 0) + ledger.in_flight
    return replace(ledger, lost=lost, in_flight=0)
