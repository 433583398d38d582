"""Several publishers of one run in this process, each with sinks that answer when told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from operators.results import ViewSample
from pipeline.control.planning.topology import publisher_index
from pipeline.control.publisher_states import publisher_states
from pipeline.frame_path.publisher.action_request import ActionRequest
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.publisher import PublishedCamera, Publisher
from pipeline.frame_path.publisher.state_deal import BY_CAMERA
from pipeline.messages import Delivery, Message
from pipeline.sinks.config import EvidenceConfig, OutboxConfig
from tests.fakes_publisher import GRID, MODEL, HandClock, HandSink, camera, frame, rule

SINKS = ("redis", "kafka")
CAMERAS = ("archive", "dock-03", "gate", "lane-1", "yard")
"""Among four publishers each has one; `archive`, a file, shares that of `yard`."""
EPISODES = [f"{name}/too_close/1" for name in CAMERAS]
"""Those of `lived`."""


def cameras() -> list[PublishedCamera]:
    watched = {"too_close": rule(evidence={"snapshot": True})}
    return [camera(name, is_replayable=name == "archive", **watched) for name in CAMERAS]


class Run:
    """Publishers of one `state_dir`, as a start with `runtime.publishers: count` makes them; redis is required."""

    def __init__(self, folder: Path, count: int, clock: HandClock | None = None) -> None:
        self.state_dir = folder / "state"
        self.count = count
        self.sinks = [{name: HandSink(name) for name in SINKS} for _ in range(count)]
        every = cameras()
        self.made = [
            Publisher(
                cameras=[each for each in every if publisher_index(each.spec.camera, count) == number],
                sinks=list(self.sinks[number].values()),
                required=frozenset({"redis"}),
                state_dir=self.state_dir / f"publish-{number}",
                site="north-quay",
                timezone="UTC",
                model=MODEL,
                outbox=OutboxConfig.model_construct(max_bytes=2**20),
                evidence=EvidenceConfig(store=str(folder / "evidence")),
                clock=clock or HandClock(),
                artefacts=ArtefactStore(self.state_dir / "artefacts"),
                owns=lambda camera, number=number: publisher_index(camera, count) == number,
                run_dir=self.state_dir,
            )
            for number in range(count)
        ]
        for each in self.made:
            each.start()

    def of(self, name: str) -> Publisher:
        """The publisher of a camera."""
        return self.made[publisher_index(name, self.count)]

    def deliver(self, name: str, *entries: object) -> None:
        """One delivery of the camera's owner."""
        self.of(name).publish(Delivery(tuple(entries)))  # pyright: ignore[reportArgumentType]

    def settle(self, sink: str, count: int = 10**9) -> None:
        """The sink takes so many messages of each publisher."""
        for each, made in zip(self.sinks, self.made, strict=True):
            each[sink].settle(count)
            made.turn()

    def seen(self, sink: str) -> list[Message]:
        """What the sink was given, of every publisher."""
        return [message for each in self.sinks for message in each[sink].seen]

    def close(self) -> None:
        """A clean end, in which no sink takes anything more."""
        for each in self.made:
            each.close(1.0)

    def kill(self) -> None:
        """An end without a word: nothing is written, nothing is delivered."""
        for each in self.made:
            each._is_closing = True
            each._wake.set()
            each._thread.join()
            each._records.close()


def active(made: Iterable[Publisher]) -> list[str]:
    """Episodes that are on, as CAMERA/RULE/EPISODE."""
    alerts = [alert for each in made for alert in each.snapshot().active]
    return sorted(f"{each.camera}/{each.rule}/{each.episode}" for each in alerts)


def near(run: Run, name: str, seqs: Iterable[int], metres: float = 2.5, lease: int = 17) -> None:
    """A subject in frames of a camera; `archive` is a file: its epoch is the loop."""
    epoch = 0 if name == "archive" else None
    run.deliver(name, *(frame(seq, metres, name=name, lease=lease, epoch=epoch, preview=b"jpeg") for seq in seqs))


def lived(folder: Path, count: int = 1) -> Run:
    """Every camera has an active episode, yard is muted, gate has learnt its view; redis has some, kafka nothing."""
    clock = HandClock()
    run = Run(folder, count, clock)
    tokens = np.zeros((GRID[0] * GRID[1], 8), np.float16)
    tokens[:, 0] = 1
    empty = ViewSample(np.full(GRID, 1.75, np.float16), tokens, 100.0)
    run.deliver("gate", *(frame(seq, None, name="gate", view_sample=empty) for seq in range(0, 50, 10)))
    run.of("yard").act("yard", ActionRequest(action="mute", by="anna", reason="crane works"))
    for name in CAMERAS:
        clock.now += 0.1
        near(run, name, range(50, 55))
    run.settle("redis", 10)
    near(run, "archive", [55])
    return run


def waiting(dumped: dict[str, Any], sink: str) -> list[Message]:
    """Of all cameras, what the sink does not have."""
    outbox = [each for name, rows in dumped.items() if name.startswith("outbox of ") for each in rows]
    return [msgspec.msgpack.decode(message, type=Message) for message, sinks in outbox if sink in sinks]


def dump(state_dir: Path) -> dict[str, Any]:
    """What lies in all states together: rows by table and camera, and messages in order with their sinks by name."""
    found: dict[str, Any] = {}
    for path in publisher_states(state_dir).values():
        with sqlite3.connect(path) as database:
            for table in BY_CAMERA:
                for row in database.execute(f"SELECT * FROM {table}"):
                    found.setdefault(table, set()).add(row)
            sinks = dict(database.execute("SELECT name, bit FROM sinks"))
            for name, waiting, message in database.execute("SELECT camera, waiting, message FROM outbox ORDER BY row"):
                known = {sink for sink, bit in sinks.items() if waiting >> bit & 1}
                found.setdefault(f"outbox of {name}", []).append((message, known))
        database.close()
    return found


def ids(messages: Iterable[Message]) -> dict[str, list[str]]:
    """By camera, in order."""
    found: dict[str, list[str]] = {}
    for message in messages:
        found.setdefault(message.camera, []).append(message.id)
    return found
