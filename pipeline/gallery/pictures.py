"""The picture of a record, from wherever it can still be had.

The results topic carries no pictures. But a file can be decoded again, a message of a topic read again, a simulated
dock drawn again. Of live cameras the pipeline keeps thumbnails: the frame's own, or one that was taken within some
seconds of it. Without one there is the picture of the alert that was on, taken at its start; else nothing, and that is
said.
`privacy` polygons are black in each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from operators.picture_file import decode_picture
from operators.scene.config import Polygon
from pipeline.errors import PipelineError
from pipeline.frame_path.owner.model_picture import blacked_out
from pipeline.frame_path.publisher.evidence import evidence_path
from pipeline.frame_path.publisher.evidence_shelves import shelf_of
from pipeline.frame_path.publisher.thumbnail_store import ThumbnailStore, thumbnails_root
from pipeline.gallery.records import Record
from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources.config import KafkaSourceConfig, SourceConfig
from pipeline.sources.images import NotAPicture, decode_image
from pipeline.sources.kafka_consumer import read_one
from pipeline.sources.simulated import dock_for, frame_at
from pipeline.sources.video_again import frame_again

NEAR_NS = 5_000_000_000
"""How far in time another frame of the camera may be to stand for the one that is asked for."""


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """A picture, or why there is none."""

    rgb: np.ndarray | None
    """uint8 (H, W, 3), privacy polygons black."""
    why: str = ""
    """Why it is missing, or that it is of another moment; for people."""


@dataclass(frozen=True, slots=True)
class CameraPictures:
    """What is needed of a camera to have its pictures again."""

    source: SourceConfig
    privacy: Sequence[Polygon] = ()


class Pictures:
    """Of the cameras of one configuration. One thread; opens what it needs for each picture and closes it again."""

    def __init__(
        self,
        cameras: Mapping[str, CameraPictures],
        secrets: Secrets,
        brokers: tuple[str, ...],
        security: KafkaSecurity,
        *,
        evidence: str,
        state_dir: Path,
    ) -> None:
        """`evidence` and `state_dir` of the configuration: where alerts' pictures and thumbnails are, if they are."""
        self._cameras = cameras
        self._secrets = secrets
        self._brokers = brokers
        self._security = security
        self._evidence = evidence
        self._thumbnails = ThumbnailStore(thumbnails_root(evidence, state_dir))

    def of(self, record: Record) -> Shown:
        """Never fails: where the frame cannot be had again it is a thumbnail, an alert's picture, or a sentence."""
        camera = self._cameras.get(record.camera)
        if camera is None:
            return self._kept(record, f"camera {record.camera} is not in this configuration")
        try:
            rgb = self._again(record, camera.source)
        except PipelineError as error:
            return self._kept(record, error.message)
        if isinstance(rgb, str):
            return self._kept(record, rgb)
        return Shown(blacked_out(rgb, camera.privacy) if camera.privacy else rgb)

    def _again(self, record: Record, source: SourceConfig) -> np.ndarray | str:
        if source.simulated is not None and record.pts_ns is not None:
            scene, schedule, _ = dock_for(source.seed, source.schedule_seconds)
            return frame_at(scene, schedule, record.pts_ns / 1e9).rgb
        if source.file is not None and record.pts_ns is not None:
            return frame_again(record.camera, source.file, record.pts_ns)
        if source.kafka is not None and source.kafka.format == "image":
            return self._from_topic(record, source.kafka)
        if source.kafka is not None:
            return "video in a topic is not decoded again"
        return "a live camera's frames are not kept, and no thumbnail was taken within 5 s"

    def _from_topic(self, record: Record, kafka: KafkaSourceConfig) -> np.ndarray | str:
        _, partition, offset = record.frame.rsplit("/", 2)
        brokers = kafka.brokers or self._brokers
        value = read_one(
            record.camera, brokers, (kafka.topic, int(partition), int(offset)), self._security, self._secrets
        )
        if value is None:
            return f"message {offset} of {kafka.topic}/{partition} is no longer there"
        try:
            return decode_image(value)
        except NotAPicture as error:
            return f"message {offset} of {kafka.topic}/{partition}: {error}"

    def _kept(self, record: Record, why: str) -> Shown:
        try:
            thumbnail = self._thumbnail(record)
        except OSError as error:
            return self._of_alert(record, f"{why}; thumbnails cannot be read: {error.strerror}")
        return thumbnail or self._of_alert(record, why)

    def _thumbnail(self, record: Record) -> Shown | None:
        """The nearest in time that is whole, black where `privacy` was when it was taken."""
        _, epoch, seq = record.frame.rsplit("/", 2)
        for each in self._thumbnails.near(record.camera, int(epoch), record.rule_time_ns, NEAR_NS):
            try:
                rgb = decode_picture(each.path.read_bytes())
            except (OSError, ValueError):
                continue  # it was dropped by age meanwhile, or cut short by a power cut: the next one may be whole
            is_own = each.seq == int(seq)
            return Shown(rgb, "" if is_own else _apart(each.rule_time_ns - record.rule_time_ns, record.time_ns))
        return None

    def _of_alert(self, record: Record, why: str) -> Shown:
        for rule, episode in record.episodes:
            path = evidence_path(record.camera, rule, episode, "start")
            try:
                return Shown(decode_picture(shelf_of(self._evidence).get(path)), f"start of alert {rule} {episode}")
            except (OSError, ValueError):
                continue  # it was dropped by age, or never came: the next one may be there
        return Shown(None, why)


def _apart(nanoseconds: int, time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns / 1e9, tz=UTC)
    return f"{abs(nanoseconds) / 1e9:.1f} s {'after' if nanoseconds > 0 else 'before'} {moment:%Y-%m-%d %H:%M:%SZ}"
