"""`main.py publish SOURCE --kafka BROKERS --topic T`: video into a topic, as pictures or as it is encoded.

With `--config` the source may be a camera of that file, and brokers and security are those of its `sinks.kafka`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import typer

from pipeline.cli.app import UserError
from pipeline.cli.config_argument import load
from pipeline.cli.kafka_argument import Mechanism, parse_kafka
from pipeline.cli.source_argument import SourceArgument, as_user_error, configured_source, parse_source
from pipeline.errors import SourceError
from pipeline.sources.base import Decoded, EndOfStream
from pipeline.sources.kafka_producer import RecordProducer
from pipeline.sources.video_packets import access_units

_JPEG_QUALITY = 90
Form = Literal["image", "bitstream"]


def publish(
    source: Annotated[
        str,
        typer.Argument(help="A file, rtsp(s):// or http(s):// address, simulated:SEED, or a camera of --config."),
    ],
    *,
    topic: Annotated[str, typer.Option(help="Topic to write to.")],
    kafka: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT,...", help="Brokers; left out: those under sinks.kafka of --config."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Configuration whose cameras, brokers, security and secrets to use.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Message key; left out: the camera, or the file's name without its ending.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="JPEG pictures, or H.264/H.265 as it is.")] = "image",
    fps: Annotated[float | None, typer.Option(help="At most this many pictures a second.", min=0.01)] = None,
    count: Annotated[int | None, typer.Option(help="Stop after so many messages.", min=1)] = None,
    loop: Annotated[bool, typer.Option(help="Read a file again and again.")] = False,
    fast: Annotated[bool, typer.Option(help="Read a file as fast as it decodes, not in real time.")] = False,
    create: Annotated[bool, typer.Option(help="Create the topic, with one partition, where it is missing.")] = False,
    credentials: Annotated[
        str | None,
        typer.Option(metavar="VARIABLE", help="Environment variable that holds the camera's user:password."),
    ] = None,
    kafka_tls: Annotated[bool, typer.Option("--kafka-tls", help="Connect to the brokers with TLS.")] = False,
    kafka_ca_file: Annotated[
        str | None, typer.Option(help="Certificates to trust; TLS with these instead of the system's.")
    ] = None,
    kafka_user: Annotated[str | None, typer.Option(help="User for SASL.")] = None,
    kafka_password: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Environment variable that holds the user's password.")
    ] = None,
    kafka_mechanism: Annotated[Mechanism, typer.Option(help="Of SASL.")] = "SCRAM-SHA-512",
) -> None:
    """Write a file or camera into a Kafka topic, each message with its capture time in the header `capture_ns`."""
    pace = "as_fast_as_possible" if fast else "realtime"
    loaded = None if config is None else load(config)
    if loaded is not None and source in loaded.cameras:
        argument = configured_source(loaded, source, pace=pace, loop=loop)
    else:
        cameras = () if loaded is None else tuple(loaded.cameras)
        argument = parse_source(source, credentials=credentials, pace=pace, loop=loop, cameras=cameras)
    target = parse_kafka(
        kafka,
        loaded,
        tls=kafka_tls,
        ca_file=kafka_ca_file,
        user=kafka_user,
        password=kafka_password,
        mechanism=kafka_mechanism,
    )
    if form == "bitstream" and (fps is not None or loop or argument.config.file is None):
        raise UserError(
            "--format bitstream: expected a file without --fps and --loop; its packets are sent as they are"
        )
    messages = _pictures(argument, fps) if form == "image" else access_units(argument.config.file or "", fast=fast)
    sent = 0
    try:
        with RecordProducer(
            target.brokers, topic, security=target.security, secrets=target.secrets, is_created=create
        ) as producer:
            for body in messages:
                producer.send(key or argument.name, body, time.time_ns())
                sent += 1
                if sent == count:
                    break
    except SourceError as error:
        raise as_user_error(error) from None
    typer.echo(f"{sent} messages to {topic}")


def _pictures(argument: SourceArgument, fps: float | None) -> Iterator[bytes]:
    """JPEG of every frame, or of the first one in each period of `fps`."""
    feed = argument.feed("publish")
    feed.open({})
    due_seconds: float | None = None
    try:
        for event in feed.events(threading.Event()):
            if isinstance(event, EndOfStream):
                return
            if not isinstance(event, Decoded):
                continue
            seconds = (event.rule_time_ns or event.pts_ns or 0) / 1e9
            if fps is not None:
                if due_seconds is not None and seconds < due_seconds - 1e-6:
                    continue
                due_seconds = max(seconds, (due_seconds or seconds) + 1 / fps)
            yield _jpeg(event.picture.rgb())
    finally:
        feed.close()


def _jpeg(rgb: np.ndarray) -> bytes:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    is_encoded, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert is_encoded
    return data.tobytes()
