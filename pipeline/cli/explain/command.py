"""`main.py explain ALERT_ID [CONFIG]`: why an alert came, from what was published about it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from operators.spelling import did_you_mean
from pipeline import kafka_log
from pipeline.cli.app import UserError
from pipeline.cli.config_argument import load
from pipeline.cli.explain.report import report
from pipeline.cli.explain.story import Episode, parse_id, results_within, span, tell
from pipeline.config.loader import Config
from pipeline.errors import SinkError
from pipeline.messages import Kind
from pipeline.sinks.past import jsonl_past, kafka_past, redis_past

DEFAULT_CONFIG = Path("cameras.yaml")


class Keeper(StrEnum):
    """Where events are read."""

    redis = "redis"
    kafka = "kafka"
    jsonl = "jsonl"


def explain(
    alert: Annotated[str, typer.Argument(metavar="ALERT_ID", help="Such as dock-03/too_close/17/start.")],
    config: Annotated[
        Path, typer.Argument(metavar="[CONFIG]", help="The configuration that the pipeline runs with.")
    ] = DEFAULT_CONFIG,
    *,
    source: Annotated[
        Keeper | None,
        typer.Option("--from", help="Which sink; left out: the first of redis, kafka, jsonl that is there."),
    ] = None,
) -> None:
    """Say why an alert came: numbers, thresholds, times, clocks, versions, picture, people, and how to replay it."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # the one error that ends us says what the clients' logs do
    kafka_log.keep_quiet()
    try:
        episode = parse_id(alert)
    except ValueError as error:
        raise UserError(str(error)) from None
    loaded = load(config)
    if episode.camera not in loaded.cameras:
        hint = did_you_mean(episode.camera, loaded.cameras)
        known = ", ".join(loaded.cameras)
        raise UserError(f"unknown camera {episode.camera!r} in {config}: expected one of {known}{hint}")
    keeper = keeper_of(loaded, source)
    try:
        lines = list(_explained(loaded, keeper, episode, str(config)))
    except SinkError as error:
        raise UserError(str(error), exit_code=3) from None
    except ValueError as error:
        raise UserError(str(error)) from None
    print("\n".join(lines))


def keeper_of(config: Config, asked: Keeper | None) -> Keeper:
    """The sink that is asked for, or the first one; a `UserError` where it is not configured."""
    there = [each for each in Keeper if getattr(config.sinks, each.value) is not None]
    if asked is None and there:
        return there[0]
    if asked is None or asked not in there:
        expected = asked.value if asked else ", ".join(Keeper)
        raise UserError(f"nowhere to read: expected {expected} under `sinks:` of {config.path}")
    return asked


def _explained(config: Config, keeper: Keeper, episode: Episode, named: str) -> Iterator[str]:
    story = tell(episode, past(config, keeper, "alert", episode.camera))
    if story.known is None:
        msg = (
            f"{episode.id} is not in {keeper.value}: neither start nor end. It never was, or is older than what is kept"
        )
        raise UserError(msg, exit_code=1)
    first_ns, last_ns = span(story)
    story.results = results_within(past(config, keeper, "result", episode.camera, first_ns), first_ns, last_ns)
    yield from report(story, config.site.timezone, named)


def past(config: Config, keeper: Keeper, kind: Kind, camera: str, since_ns: int = 0) -> Iterator[bytes]:
    """What `keeper` holds of one camera, as `pipeline.sinks.past` reads it."""
    sinks = config.sinks
    match keeper:
        case Keeper.redis:
            assert sinks.redis is not None
            return redis_past(sinks.redis, config.secrets, kind, camera, since_ns)
        case Keeper.kafka:
            assert sinks.kafka is not None
            return kafka_past(sinks.kafka, config.secrets, kind, camera, since_ns)
        case Keeper.jsonl:
            assert sinks.jsonl is not None
            return jsonl_past(sinks.jsonl, kind, camera, since_ns)
