"""`source:` of a camera."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from operators.section import Section
from operators.units import Seconds


class BackoffConfig(Section):
    """Exponential, with jitter."""

    first: Seconds = 1.0
    max: Seconds = 60.0


class KafkaSourceConfig(Section):
    """One key of one topic of pictures or of encoded video."""

    topic: str
    format: Literal["image", "bitstream"] = "image"
    """`image`: one JPEG, PNG or WebP a message; `bitstream`: chunks of H.264/H.265 Annex B or MPEG-TS."""
    key: str | None = None
    """Message key of this camera; left out: the camera's id."""
    group: str = "dinostream"
    timestamp_header: str | None = None
    """Header with the capture time in nanoseconds; left out: the record's own time."""
    brokers: tuple[str, ...] | None = None
    """Left out: as in `sinks.kafka`."""
    start: Literal["earliest", "latest"] = "latest"
    """Where to begin when nothing is committed yet."""


class SourceConfig(Section):
    """Where frames come from: exactly one of `url`, `file`, `kafka`, `simulated`."""

    url: str | None = None
    """rtsp://, rtsps://, http:// or https://, without user and password."""
    file: str | None = None
    kafka: KafkaSourceConfig | None = None
    simulated: Literal["dock"] | None = None

    credentials: str | None = None
    """Name under `secrets:` whose value is `user:password`."""
    ca_file: str | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    loop: bool = False
    """Files: start again at the end; each round is an epoch."""
    pace: Literal["as_fast_as_possible", "realtime"] = "as_fast_as_possible"
    """Files: how fast to read."""
    seed: int = 0
    """Simulated: layout, colours, light and schedule."""
    schedule_seconds: Seconds | None = None
    """Simulated: length of the schedule of approaches."""
    fps: float = Field(default=5.0, gt=0, le=60)
    """Simulated: pictures per second."""
    open_timeout: Seconds = 5.0
    stall_after: Seconds = 3.0
    frozen_after: Seconds = 10.0
    backoff: BackoffConfig = BackoffConfig()

    @model_validator(mode="after")
    def _one_kind(self) -> SourceConfig:
        named = [name for name in ("url", "file", "kafka", "simulated") if getattr(self, name) is not None]
        if len(named) != 1:
            got = " and ".join(named) or "none"
            msg = f"expected exactly one of url, file, kafka, simulated, got {got}"
            raise ValueError(msg)
        return self

    @property
    def is_replayable(self) -> bool:
        """Files and Kafka topics can be read again; live cameras cannot."""
        return self.file is not None or self.kafka is not None
