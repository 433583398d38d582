"""Words on pictures: never cut off by the edge, never wider than their place."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

Colour = tuple[int, int, int]

WHITE: Colour = (245, 245, 245)
GREY: Colour = (165, 165, 165)
PAPER: Colour = (24, 24, 24)
"""Behind titles, scales and legends."""
LINE = 24
"""Pixels from one line of text to the next."""
_FONT, _SCALE, _THICKNESS = cv2.FONT_HERSHEY_SIMPLEX, 0.52, 1


def paper(height: int, width: int) -> np.ndarray:
    """An empty field."""
    return np.full((height, width, 3), PAPER, np.uint8)


def text_width(text: str) -> int:
    """Pixels."""
    return cv2.getTextSize(_plain(text), _FONT, _SCALE, _THICKNESS)[0][0]


def write(rgb: np.ndarray, text: str, left: int, line_top: int, colour: Colour = WHITE) -> None:
    """Writes one line, shortened where it would leave the picture, into `rgb`."""
    shown = shortened(text, rgb.shape[1] - left - 4)
    cv2.putText(rgb, _plain(shown), (left, line_top + 17), _FONT, _SCALE, colour, _THICKNESS, cv2.LINE_AA)


def shortened(text: str, width: int) -> str:
    """At most `width` pixels wide, with two dots where something was left out."""
    if text_width(text) <= width:
        return text
    for length in range(len(text) - 1, 0, -1):
        if text_width(text[:length].rstrip() + "..") <= width:
            return text[:length].rstrip() + ".."
    return ""


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` pixels, broken between words."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def titled(rgb: np.ndarray, title: str) -> np.ndarray:
    """The picture below its title, which takes as many lines as it needs."""
    lines = wrapped(title, rgb.shape[1] - 12)
    bar = paper(LINE * max(1, len(lines)) + 4, rgb.shape[1])
    for index, line in enumerate(lines):
        write(bar, line, 6, 2 + LINE * index)
    return np.vstack([bar, rgb])


def save(path: Path, rgb: np.ndarray) -> Path:
    """Writes a JPEG (or what the suffix says); the file appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    if not cv2.haveImageWriter(path.name):
        raise OSError(f"cannot encode {path}: expected a suffix such as .jpg, got {path.suffix!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    how = [cv2.IMWRITE_JPEG_QUALITY, 92] if path.suffix == ".jpg" else []  # OpenCV complains of it elsewhere
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), how)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data.tobytes())
    fresh.replace(path)
    return path


def _plain(text: str) -> str:
    """The letters that the drawn alphabet has."""
    return text.encode("ascii", "replace").decode("ascii")
