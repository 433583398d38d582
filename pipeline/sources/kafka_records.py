"""Records of one camera to frames: one picture each, or a chunk of a bitstream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pipeline.sources.base import Decoded, Undecodable
from pipeline.sources.config import KafkaSourceConfig
from pipeline.sources.images import NotAPicture, decode_image
from pipeline.sources.kafka_bitstream import BitstreamDecoder, ChunkFrame, NotABitstream
from pipeline.sources.kafka_position import FRAME_BITS, KafkaPosition
from pipeline.sources.picture import ArrayPicture
from pipeline.sources.video_picture import Converter, VideoPicture

_HEADER_UNCERTAINTY_NS = 10_000_000
"""Of a capture time that the producer wrote."""
_RECORD_UNCERTAINTY_NS = 1_000_000_000
"""Of the record's own time: encoding and queueing at the producer."""


class Record(Protocol):
    """What we use of kafka-python's ConsumerRecord."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> list[tuple[str, bytes]]: ...


class RecordReader(Protocol):
    """One camera's. One thread."""

    def read(self, record: Record) -> Iterator[Decoded | Undecodable]:
        """What `record` yields, in order; never nothing in silence."""
        ...


def reader_of(camera: str, config: KafkaSourceConfig) -> RecordReader:
    """A fresh one; `open` makes new ones, so that each begins at a keyframe."""
    return ImageReader(camera, config) if config.format == "image" else BitstreamReader(camera, config)


class ImageReader:
    """One picture a record: `seq` is its offset."""

    def __init__(self, camera: str, config: KafkaSourceConfig) -> None:
        self._camera = camera
        self._config = config

    def read(self, record: Record) -> Iterator[Decoded | Undecodable]:
        resume = str(KafkaPosition(record.partition, record.offset, record.offset))
        try:
            picture = ArrayPicture(decode_image(record.value or b""))
        except NotAPicture as error:
            yield Undecodable(self._camera, str(error), record.partition, record.offset, resume)
            return
        time_ns, uncertainty_ns = capture_time(record, self._config.timestamp_header)
        yield Decoded(
            camera=self._camera,
            picture=picture,
            epoch=record.partition,
            seq=record.offset,
            pts_ns=None,
            rule_time_ns=time_ns,
            capture_ns=time_ns,
            capture_clock="kafka",
            capture_uncertainty_ns=uncertainty_ns,
            resume=resume,
        )


class BitstreamReader:
    """A chunk a record: `seq` is `offset << 16 | frame in chunk`."""

    def __init__(self, camera: str, config: KafkaSourceConfig) -> None:
        self._camera = camera
        self._config = config
        self._decoder = BitstreamDecoder()
        self._converter = Converter()
        self._chunk: tuple[int, int, int] = (-1, 0, 0)
        """Offset, capture time and uncertainty of the chunk that came last."""

    def read(self, record: Record) -> Iterator[Decoded | Undecodable]:
        before = self._chunk
        self._chunk = (record.offset, *capture_time(record, self._config.timestamp_header))
        try:
            for found in self._decoder.decode(record.value or b"", record.offset):
                chunk = self._chunk if found.seq >> FRAME_BITS == record.offset else before
                yield self._decoded(found, record.partition, chunk)
        except NotABitstream as error:
            seq = self._decoder.take_seq()
            resume = str(KafkaPosition(record.partition, self._decoder.keyframe_offset(record.offset), seq))
            yield Undecodable(self._camera, str(error), record.partition, seq, resume)

    def _decoded(self, found: ChunkFrame, partition: int, chunk: tuple[int, int, int]) -> Decoded:
        time_ns = chunk[1] + found.since_chunk_ns
        return Decoded(
            camera=self._camera,
            picture=VideoPicture(found.frame, self._converter),
            epoch=partition,
            seq=found.seq,
            pts_ns=None,
            rule_time_ns=time_ns,
            capture_ns=time_ns,
            capture_clock="kafka",
            capture_uncertainty_ns=chunk[2],
            resume=str(KafkaPosition(partition, found.keyframe_offset, found.seq)),
        )


def capture_time(record: Record, header: str | None) -> tuple[int, int]:
    """Nanoseconds since the epoch and their uncertainty: from the named header where it is sound, else the record's."""
    value = next((value for name, value in record.headers if name == header), b"")
    if header is not None and value.isdigit():
        return int(value), _HEADER_UNCERTAINTY_NS
    return record.timestamp * 1_000_000, _RECORD_UNCERTAINTY_NS
