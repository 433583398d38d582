"""`main.py subscribe CONFIG`: events as JSON lines, read back from a broker."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from operators.spelling import did_you_mean
from pipeline.cli.app import UserError
from pipeline.cli.config_argument import load
from pipeline.config.loader import Config
from pipeline.errors import SinkError
from pipeline.messages import Kind
from pipeline.sinks.readback import kafka_events, redis_events


class Broker(StrEnum):
    redis = "redis"
    kafka = "kafka"


class Events(StrEnum):
    results = "results"
    alerts = "alerts"
    status = "status"


_KINDS: dict[Events, Kind] = {Events.results: "result", Events.alerts: "alert", Events.status: "status"}


def subscribe(
    config: Annotated[Path, typer.Argument(help="The configuration that the pipeline runs with.")],
    *,
    source: Annotated[
        Broker | None, typer.Option("--from", help="Which broker; left out: Redis if configured, else Kafka.")
    ] = None,
    kind: Annotated[Events, typer.Option(help="What to read.")] = Events.results,
    camera: Annotated[str | None, typer.Option(help="One camera; all if left out.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many events.")] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="What the broker still holds too, not only what comes from now on.")
    ] = False,
) -> None:
    """Print events as JSON lines: CloudEvents attributes, and the event itself under `data`."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # the one error that ends us says what the clients' logs do
    try:
        events = _events(load(config), source, kind, camera, from_start=from_start)
        next(events)
        sys.stderr.write(f"subscribed to {kind.value}\n")
        _print(events, count)
    except SinkError as error:
        raise UserError(str(error), exit_code=3) from None
    except BrokenPipeError:  # whoever reads has enough; what Python would still flush goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _events(
    config: Config, broker: Broker | None, kind: Events, camera: str | None, *, from_start: bool
) -> Generator[bytes | None]:
    if camera is not None and camera not in config.cameras:
        known = ", ".join(config.cameras)
        raise UserError(f"unknown camera {camera!r}: expected one of {known}{did_you_mean(camera, config.cameras)}")
    cameras = (camera,) if camera else tuple(config.cameras)
    sinks = config.sinks
    if sinks.redis is not None and broker in {None, Broker.redis}:
        return redis_events(sinks.redis, config.secrets, _KINDS[kind], cameras, from_start=from_start)
    if sinks.kafka is not None and broker in {None, Broker.kafka}:
        return kafka_events(sinks.kafka, config.secrets, _KINDS[kind], cameras, from_start=from_start)
    wanted = broker.value if broker else "redis or kafka"
    files = f"; JSON lines are files in {sinks.jsonl.path}" if sinks.jsonl is not None else ""
    raise UserError(f"nothing to subscribe to: expected {wanted} under `sinks:` of {config.path}{files}")


def _print(events: Generator[bytes | None], count: int | None) -> None:
    out = sys.stdout.buffer
    left = count
    for line in events:
        if line is None:
            continue
        out.write(line + b"\n")
        out.flush()
        left = left - 1 if left is not None else None
        if left == 0:
            return
