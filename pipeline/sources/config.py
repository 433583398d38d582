"""`source:` of a camera. Each kind says here what the checks and the plan of a configuration ask."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

from pydantic import Field, model_validator

from operators.section import Section
from operators.units import Seconds
from pipeline.addresses import Files, Findings, below, check_broker, check_secret_name, check_topic, check_url
from pipeline.secrets import redact_url

KINDS = ("url", "file", "kafka", "simulated")
"""Keys of which a source has exactly one."""
CAMERA_SCHEMES = ("rtsp", "rtsps", "http", "https")


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

    def mistakes(self, brokers: Sequence[str]) -> Findings:
        """Values that the types let through.

        Args:
            brokers: those of `sinks.kafka`, for cameras that name none.
        """
        if not self.brokers and not brokers:
            yield (), "expected `brokers` here or a `sinks.kafka` with them, got neither"
        for index, broker in enumerate(self.brokers or ()):
            yield from check_broker(("brokers", index), broker)
        yield from check_topic(("topic",), self.topic)


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
        named = self._named
        if len(named) != 1:
            msg = f"expected exactly one of {', '.join(KINDS)}, got {' and '.join(named) or 'none'}"
            raise ValueError(msg)
        return self

    @property
    def _named(self) -> list[str]:
        return [name for name in KINDS if getattr(self, name) is not None]

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return self._named[0]

    @property
    def is_replayable(self) -> bool:
        """Files and Kafka topics can be read again; live cameras cannot."""
        return self.kind in {"file", "kafka"}

    @property
    def is_patient(self) -> bool:
        """It sends as fast as we read, not at a pace of its own."""
        return self.kind == "kafka" or (self.kind == "file" and self.pace == "as_fast_as_possible")

    @property
    def known_fps(self) -> float | None:
        """Pictures per second that it sends, where the configuration says so."""
        return self.fps if self.kind == "simulated" else None

    @property
    def shared_feed(self) -> Hashable | None:
        """Cameras for which this is equal are read by one feed; None: a feed of its own."""
        kafka = self.kafka
        return None if kafka is None else (kafka.brokers, kafka.topic, kafka.group)

    @property
    def shown(self) -> str:
        """For people, without a secret."""
        if self.kafka is not None:
            return f"kafka {self.kafka.topic} ({self.kafka.format})"
        if self.simulated is not None:
            return f"simulated {self.simulated}, seed {self.seed}"
        return f"file {self.file}" if self.file is not None else redact_url(self.url or "")

    def mistakes(self, secrets: Sequence[str], brokers: Sequence[str]) -> Findings:
        """Values that the types let through.

        Args:
            secrets: names under `secrets:`.
            brokers: those of `sinks.kafka`, for cameras that name none.
        """
        if self.url is not None:
            yield from check_url(("url",), self.url, CAMERA_SCHEMES)
        if self.credentials is not None:
            yield from check_secret_name(("credentials",), self.credentials, secrets)
            if self.url is None:
                yield ("credentials",), "expected only beside `url`: this source asks for no password"
        if self.kafka is not None:
            yield from below(("kafka",), self.kafka.mistakes(brokers))
        if self.loop and self.file is None:
            yield ("loop",), "expected only beside `file`: nothing else starts again at its end"
        if self.backoff.first > self.backoff.max:
            first, last = self.backoff.first, self.backoff.max
            yield ("backoff",), f"expected first of at most max, got first {first:g}s and max {last:g}s"
        for name in ("open_timeout", "stall_after", "frozen_after"):
            if getattr(self, name) <= 0:
                yield (name,), "expected more than 0s"

    def files(self) -> Files:
        """What must be there before it starts."""
        if self.file is not None:
            yield ("file",), self.file, "video"
        if self.ca_file is not None:
            yield ("ca_file",), self.ca_file, "certificate"
