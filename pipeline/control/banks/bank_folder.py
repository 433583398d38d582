"""A bank as a folder: vectors, a report, and small source pictures from which it can be made again.

`pictures/CLASS/NAME.jpg`, or `pictures/CLASS/CLIP/NAME.jpg` where pictures were taken one after the other; beside a
picture `NAME.mask.png` says where the thing is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from operators.picture_file import decode_picture
from operators.preview import fine_jpeg
from operators.retrieval.bank import Bank, BankError
from operators.retrieval.build_bank import LabelledPicture
from pipeline.frame_path.publisher.artefacts import write_whole

PICTURES = "pictures"
CLASS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ -]{0,62}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def kept_name(label: str, clip: str, stem: str) -> str:
    """`CLASS/CLIP/NAME.jpg`, without what a path cannot hold; `clip` may be empty."""
    parts = [_UNSAFE.sub("_", part).strip(".") or "_" for part in (clip, stem) if part]
    return "/".join([label, *parts]) + ".jpg"


def keep_pictures(folder: Path, pictures: Iterable[LabelledPicture]) -> None:
    """Writes model-size pictures under their names, masks beside them; before the vectors, so that none lacks its own.

    Args:
        folder: Of the bank.
        pictures: `rgb` (H, W, 3) of the model's size, `mask` (h, w) patches or (H, W) pixels.

    Raises:
        OSError: the folder cannot be written.
    """
    for picture in pictures:
        path = folder / PICTURES / picture.name
        write_whole(path, fine_jpeg(picture.rgb))
        if picture.mask is not None:
            side = picture.rgb.shape[0] // picture.mask.shape[0]
            pixels = np.kron(picture.mask.astype(np.uint8) * 255, np.ones((side, side), np.uint8))
            write_whole(_mask_path(path), cv2.imencode(".png", pixels)[1].tobytes())


def kept_pictures(folder: Path, bank: Bank) -> Iterator[LabelledPicture]:
    """The pictures of the bank's vectors, with masks of their pixels.

    Raises:
        BankError: a picture is missing or damaged, or the bank was made before they were kept by name.
    """
    if not bank.cls.names:
        raise BankError("the bank does not say which pictures it was made of. Build it again from the pictures")
    for name, label in zip(bank.cls.names, bank.cls.labels, strict=True):
        path = folder / PICTURES / name
        try:
            rgb = decode_picture(path.read_bytes())
            mask_path = _mask_path(path)
            mask = decode_picture(mask_path.read_bytes()).max(axis=2) > 127 if mask_path.is_file() else None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise BankError(f"a source picture cannot be read: {path}: {reason}. Build the bank again") from None
        if mask is not None and mask.shape != rgb.shape[:2]:
            size, got = f"{rgb.shape[0]}x{rgb.shape[1]}", f"{mask.shape[0]}x{mask.shape[1]}"
            raise BankError(f"{mask_path}: expected the size of {path.name}, {size}, got {got}. Build the bank again")
        yield LabelledPicture(bank.classes[label], rgb, mask, name)


def _mask_path(path: Path) -> Path:
    return path.with_name(path.stem + ".mask.png")
