"""`main.py gallery CONFIG`: fills the gallery that `search` looks in, from the results on a broker."""

from __future__ import annotations

import logging
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import UserError
from pipeline.cli.subscribe import Broker
from pipeline.clock import SystemClock
from pipeline.config.loader import Config, load_config
from pipeline.config.problems import ConfigError
from pipeline.errors import GalleryError, SinkError
from pipeline.gallery.consumer import Consumer
from pipeline.gallery.intake import Intake
from pipeline.gallery.results_topic import Topic, kafka_results, redis_results
from pipeline.gallery.store import GalleryStore, StoreStatus
from pipeline.redaction import redact_logs

_SAID = {
    "kept": "kept",
    "same_again": "the same again",
    "empty": "empty",
    "unchanged": "unchanged",
    "ticks": "without a frame",
    "without_vector": "without a vector (heads: [embedding], or a words head with vector: true, is missing)",
    "repeated": "repeated",
    "unreadable": "unreadable",
}
"""What became of results, in the order of the summary."""


def gallery(
    config: Annotated[Path, typer.Argument(help="The configuration that the pipeline runs with.")],
    *,
    source: Annotated[
        Broker | None, typer.Option("--from", help="Which broker; the first one configured if left out.")
    ] = None,
    catch_up: Annotated[
        bool, typer.Option("--catch-up", help="End when everything that the broker holds is read.")
    ] = False,
) -> None:
    """Keep what cameras show, so that `search` finds it; run it beside `run`.

    Reads results from Redis or Kafka, goes on where it was, and keeps the vectors of what stands in front of the empty
    view under `gallery.store`. SIGTERM ends it with exit status 0.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    redact_logs()
    try:
        loaded = load_config(config)
        topic, where = _topic(loaded, source)
        store = GalleryStore(loaded.gallery)
    except ConfigError as error:
        raise UserError(str(error)) from None
    except GalleryError as error:
        raise UserError(str(error), exit_code=3) from None
    try:
        is_interrupted = _fill(loaded, topic, where, store, catch_up=catch_up)
    except (SinkError, GalleryError) as error:
        raise UserError(str(error), exit_code=3) from None
    finally:
        store.close()
    if is_interrupted:
        raise typer.Exit(130)


def _topic(config: Config, broker: Broker | None) -> tuple[Topic, str]:
    """The topic, and its name for people."""
    sinks, site = config.sinks, config.site.name
    if sinks.redis is not None and broker in {None, Broker.redis}:
        return redis_results(sinks.redis, config.secrets, site, tuple(config.cameras)), "Redis"
    if sinks.kafka is not None and broker in {None, Broker.kafka}:
        return kafka_results(sinks.kafka, config.secrets, site), "Kafka"
    wanted = broker.value if broker else "redis or kafka"
    raise UserError(f"nothing to read results from: expected {wanted} under `sinks:` of {config.path}")


def _fill(config: Config, topic: Topic, where: str, store: GalleryStore, *, catch_up: bool) -> bool:
    """Returns whether it was interrupted from the keyboard."""
    stop, received = threading.Event(), list[int]()

    def end(number: int, _frame: object) -> None:
        received.append(number)
        stop.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)  # the second one ends it at once

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    print(f"gallery {config.gallery.store}: {_held(store.status())}; reading results from {where}", flush=True)
    done: Counter[str] = Counter()
    consumer = Consumer(topic, Intake(config.gallery, store), store, SystemClock())
    try:
        consumer.run(stop, is_catching_up=catch_up, told=done.update)
    finally:
        print(f"read: {_done(done)}")
        print(f"gallery {config.gallery.store}: {_held(store.status())}", flush=True)
    return signal.SIGINT in received


def _done(done: Counter[str]) -> str:
    parts = [f"{done[name]} {said}" for name, said in _SAID.items() if done[name]]
    return ", ".join(parts) or "nothing"


def _held(status: StoreStatus) -> str:
    text = f"{status.num_records} vectors, {status.num_bytes / 2**20:.1f} MiB"
    if dropped := status.counts.get("dropped_records", 0):
        text += f", {dropped} dropped (too old or too much)"
    return text
