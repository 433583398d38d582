"""Still pictures in a message: JPEG, PNG or WebP, told apart by their content."""

from __future__ import annotations

import struct

import cv2
import numpy as np

MAX_PIXELS = 64_000_000
"""Larger ones are refused before anything is allocated: a small file can claim any size."""
_SIZED_JPEG_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15. Source: ITU-T T.81, table B.1."""


class NotAPicture(ValueError):
    """The bytes are no whole JPEG, PNG or WebP."""


def decode_image(data: bytes) -> np.ndarray:
    """uint8 (H, W, 3) RGB in [0, 255], turned as its EXIF orientation says.

    Raises:
        NotAPicture: of another kind, truncated, damaged, or too large.
    """
    height, width = image_size(data)
    if height * width > MAX_PIXELS or not height or not width:
        raise NotAPicture(f"expected at most {MAX_PIXELS} pixels, got {height}x{width}")
    if data[:2] == b"\xff\xd8" and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise NotAPicture("expected a whole JPEG, got one without its end")
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        bgr = None
    if bgr is None:
        raise NotAPicture(f"expected a picture, got {len(data)} damaged bytes")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def image_size(data: bytes) -> tuple[int, int]:
    """(height, width) as the header claims.

    Raises:
        NotAPicture: neither JPEG nor PNG nor WebP, or cut off within the header.
    """
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg_size(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack_from(">II", data, 16)
            return height, width
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
    except (struct.error, IndexError):
        raise NotAPicture(f"expected a whole header, got {len(data)} bytes") from None
    raise NotAPicture(
        f"expected JPEG, PNG or WebP, got {len(data)} bytes that begin with {data[:4].hex() or 'nothing'}"
    )


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:  # fill bytes
            at += 1
        if data[at] != 0xFF or data[at + 1] == 0xDA:
            raise NotAPicture("expected a JPEG frame header, got none before the picture")
        if data[at + 1] in _SIZED_JPEG_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return height, width
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]


def _webp_size(data: bytes) -> tuple[int, int]:
    """Source: RFC 9649, sections 2.5 to 2.7."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[27:30], "little"), 1 + int.from_bytes(data[24:27], "little")
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return height & 0x3FFF, width & 0x3FFF
