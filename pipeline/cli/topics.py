"""`main.py topics create|check`: the Kafka topics that the pipeline writes to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import UserError
from pipeline.cli.config_argument import load
from pipeline.errors import SinkError
from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSinkConfig
from pipeline.sinks.topics import TopicFinding, check_topics, create_topics, planned_topics

app = typer.Typer(no_args_is_help=True, help="Create or check the Kafka topics that the pipeline writes to.")

_Config = Annotated[Path | None, typer.Argument(help="The configuration; or give --brokers.")]
_Brokers = Annotated[str | None, typer.Option(help="Instead of CONFIG: host:port, several with commas, no security.")]
_Prefix = Annotated[str, typer.Option(help="With --brokers: what topic names start with.")]
_Partitions = Annotated[int | None, typer.Option(min=1, help="Of the results topic; 6 if left out.")]
_Replication = Annotated[int, typer.Option(help="Copies of each partition; -1: the broker's default.")]


@app.command()
def create(
    config: _Config = None,
    brokers: _Brokers = None,
    prefix: _Prefix = "vision",
    partitions: _Partitions = None,
    replication: _Replication = -1,
) -> None:
    """Create the topics that are missing: partitions, retention, compaction, size limit. Changes none."""
    sink, secrets = _kafka(config, brokers, prefix)
    try:
        _show(create_topics(sink, secrets, planned_topics(sink, partitions), replication))
    except SinkError as error:
        raise UserError(str(error), exit_code=3) from None


@app.command()
def check(
    config: _Config = None, brokers: _Brokers = None, prefix: _Prefix = "vision", partitions: _Partitions = None
) -> None:
    """Compare the brokers' topics with what the pipeline needs; exit 1 if one is not right."""
    sink, secrets = _kafka(config, brokers, prefix)
    try:
        findings = check_topics(sink, secrets, planned_topics(sink, partitions))
    except SinkError as error:
        raise UserError(str(error), exit_code=3) from None
    _show(findings)
    if any(finding.problem for finding in findings):
        raise typer.Exit(1)


def _kafka(config: Path | None, brokers: str | None, prefix: str) -> tuple[KafkaSinkConfig, Secrets]:
    logging.basicConfig(handlers=[logging.NullHandler()])  # the one error that ends us says what the clients' logs do
    if (config is None) == (brokers is None):
        raise UserError("expected either CONFIG or --brokers host:port")
    if brokers is not None:
        sink = KafkaSinkConfig(brokers=tuple(brokers.split(",")), prefix=prefix)
        for place, message in sink.mistakes(()):
            raise UserError(f"--{place[0]}: {message}")
        return sink, Secrets({})
    assert config is not None
    loaded = load(config)
    if loaded.sinks.kafka is None:
        raise UserError(f"{config} names no Kafka: expected `kafka` under `sinks:`")
    return loaded.sinks.kafka, loaded.secrets


def _show(findings: Sequence[TopicFinding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{finding.name:{width}}  {finding.what}{f'  PROBLEM: {finding.problem}' if finding.problem else ''}")
