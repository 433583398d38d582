"""`python -m pipeline.local.rtsp_publisher FILE URL [--once]`: sends a file in real time, as it is encoded.

Only JPEG pictures that RTP cannot carry are encoded again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.local.rtsp_jpeg import JpegAgain, is_carried

Encode = Callable[["Packet[Any]"], Iterable["Packet[Any]"]]


def publish(source: str, url: str, *, loop: bool) -> None:
    """Remuxes `source` into `url`; each round goes on where the one before it ended."""
    with av.open(url, "w", format="rtsp", options={"rtsp_transport": "tcp"}) as output:
        target: tuple[VideoStream, Encode] | None = None
        offset_seconds, started = Fraction(0), time.monotonic()
        while True:
            with av.open(source) as media:
                if target is None:
                    target = _target(source, output, media.streams.video[0])
                offset_seconds = _round(media, output, target, offset_seconds, started)
            if not loop:
                return


def _target(source: str, output: OutputContainer, stream: VideoStream) -> tuple[VideoStream, Encode]:
    """Where packets go, and what they become on the way."""
    if stream.codec_context.name == "mjpeg":
        with av.open(source) as probe:
            first = next(packet for packet in probe.demux(probe.streams.video[0]) if packet.size)
        if not is_carried(bytes(first), stream.codec_context.pix_fmt or ""):
            again = JpegAgain(output, stream)
            return again.stream, again.encode
    return output.add_stream_from_template(stream), lambda packet: (packet,)


def _round(
    media: InputContainer,
    output: OutputContainer,
    target: tuple[VideoStream, Encode],
    offset_seconds: Fraction,
    started: float,
) -> Fraction:
    """Sends the file once, paced by its decoding times; returns the offset of the next round."""
    stream = media.streams.video[0]
    time_base = stream.time_base or Fraction(1, 90000)
    step = round(1 / ((stream.average_rate or Fraction(25)) * time_base))
    offset = round(offset_seconds / time_base)
    first: int | None = None
    end = 0
    for packet in media.demux(stream):
        if packet.dts is None or packet.pts is None:
            continue
        first = packet.dts if first is None else first
        packet.pts += offset - first
        packet.dts += offset - first
        end = packet.dts + step
        wait = float(packet.dts * time_base) - (time.monotonic() - started)
        if wait > 0:
            time.sleep(wait)
        for each in target[1](packet):
            each.stream = target[0]
            output.mux(each)
    return end * time_base


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("url")
    parser.add_argument("--once", action="store_true")
    arguments = parser.parse_args()
    publish(arguments.source, arguments.url, loop=not arguments.once)


if __name__ == "__main__":
    main()
