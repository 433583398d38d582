"""One frame of a video file once more, by its time."""

from __future__ import annotations

import av.error
import numpy as np

from pipeline.errors import DecodeError
from pipeline.sources.video import NoFrame, VideoInput
from pipeline.sources.video_address import file_address
from pipeline.sources.video_picture import Converter, VideoPicture


def frame_again(camera: str, file: str, pts_ns: int) -> np.ndarray:
    """uint8 (H, W, 3) RGB of the frame at `pts_ns`, decoded from the keyframe before it.

    Raises:
        ConnectError: the file is not there or no video.
        DecodeError: it holds no frame of that time any more.
    """
    address = file_address(file)
    video = VideoInput.open(camera, address, open_timeout_seconds=None, read_timeout_seconds=None)
    try:
        time_base = video.stream.time_base
        if time_base is not None:
            pts = round(pts_ns / 1e9 / time_base) + (video.stream.start_time or 0)
            video.seek(pts)
        for packet in video.packets():
            try:
                frames = video.decode(packet)
            except NoFrame:
                continue  # the reader counted it; here only the wanted frame matters
            for frame in frames:
                if video.pts_ns(frame.pts) == pts_ns:
                    return VideoPicture(frame, Converter()).rgb()
    except av.error.FFmpegError:
        raise DecodeError(f"{address.shown} cannot be read to {pts_ns / 1e9:.3f} s", where=camera) from None
    finally:
        video.close()
    raise DecodeError(
        f"{address.shown} has no frame at {pts_ns / 1e9:.3f} s: is it another file than the one that was read?",
        code="undecodable",
        where=camera,
    )
