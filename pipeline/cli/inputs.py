"""Pictures and videos that a person names on the command line, as full-size RGB."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operators.backbone import Engine, WeightsError, load_backbone
from operators.backbone.config import ModelConfig
from operators.backbone.official_dinov3 import DINOV3_LICENCE
from operators.picture_file import decode_picture
from operators.units import parse_size
from pipeline.cli.app import UserError
from pipeline.errors import SourceError
from pipeline.sources.base import Decoded
from pipeline.sources.config import SourceConfig
from pipeline.sources.video_file import FileFeed

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MASK_SUFFIX = ".mask.png"
"""`truck1.jpg` has its mask in `truck1.mask.png`: white where the thing is."""


@dataclass(frozen=True, slots=True, repr=False)
class NamedPicture:
    """One picture with the name that its results get."""

    name: str
    rgb: np.ndarray
    """uint8 (H, W, 3)."""
    pts_ns: int | None = None
    """Of a frame of a video."""


def read_rgb(path: Path) -> np.ndarray:
    """uint8 (H, W, 3).

    Raises:
        UserError: the file is not there or is no picture.
    """
    try:
        return decode_picture(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", 3) from None
    except ValueError as error:
        raise UserError(f"cannot read {path}: {error}", 3) from None


def pictures_under(folder: Path) -> list[Path]:
    """Picture files at any depth, sorted; masks left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file())
    return sorted(path for path in found if not path.name.endswith(MASK_SUFFIX))


def check_source(source: Path) -> None:
    """Raises: UserError: there is nothing of that name."""
    if not source.exists():
        raise UserError(f"{source} does not exist: expected a picture, a folder of pictures or a video", 3)


def frames_of(source: Path, every: int, unreadable: list[str]) -> Iterator[NamedPicture]:
    """A picture, all pictures of a folder, or every n-th frame of a video.

    Args:
        source: File or folder.
        every: n.
        unreadable: Gets one sentence per file of a folder that is no picture; the others are still read.

    Raises:
        UserError: there is nothing to read.
    """
    check_source(source)
    if source.is_dir():
        paths = pictures_under(source)
        if not paths:
            raise UserError(f"no picture under {source}: expected files such as {', '.join(sorted(PICTURES))}")
        for path in paths:
            name = str(path.relative_to(source).with_suffix("")).replace("/", "__")
            try:
                rgb = read_rgb(path)
            except UserError as error:
                unreadable.append(str(error))
                continue
            yield NamedPicture(_unique(name, path, paths), rgb)
    elif source.suffix.lower() in PICTURES:
        yield NamedPicture(source.stem, read_rgb(source))
    else:
        yield from _video(source, every)


def _unique(name: str, path: Path, paths: list[Path]) -> str:
    """`a.jpg` and `a.png` beside each other keep their suffixes."""
    twins = sum(other.with_suffix("") == path.with_suffix("") for other in paths)
    return f"{name}{path.suffix.replace('.', '_')}" if twins > 1 else name


def _video(source: Path, every: int) -> Iterator[NamedPicture]:
    feed = FileFeed(source.name, SourceConfig(file=str(source)))
    try:
        feed.open({})
        for event in feed.events(threading.Event()):
            if isinstance(event, Decoded) and (event.seq or 0) % every == 0:
                yield NamedPicture(f"{source.stem}_{event.seq:06d}", event.picture.rgb(), event.pts_ns)
    except SourceError as error:
        raise UserError(f"cannot read {source}: {error.message}", 3) from None
    finally:
        feed.close()


def patch_of(backbone: str) -> int:
    """Side of its patches in pixels; an unknown backbone is refused by `engine_of`."""
    return ModelConfig.model_validate({"backbone": backbone}).patch


def parse_shapes(texts: list[str], backbone: str) -> tuple[tuple[int, int], ...]:
    """`224x392` and so on; none given: those of a configuration that names this backbone alone."""
    model = ModelConfig.model_validate({"backbone": backbone})
    if not texts:
        return model.shapes
    try:
        shapes = tuple(parse_size(text) for text in texts)
    except ValueError as error:
        raise UserError(f"--shape: {error}") from None
    if any(side % model.patch or side <= 0 for shape in shapes for side in shape):
        raise UserError(f"--shape: expected multiples of {model.patch}, got {', '.join(texts)}")
    return shapes


def engine_of(backbone: str, weights: str, precision: str) -> Engine:
    """The backbone that a person asked for, under the default licences and DINOv3's: nobody has that file who did not
    accept it.

    Raises:
        UserError: it cannot be had.
    """
    if precision not in {"auto", "fp32", "bf16"}:
        raise UserError(f"--precision: expected auto, fp32 or bf16, got {precision!r}")
    try:
        model = load_backbone(backbone, weights, licences=(*ModelConfig().licences, DINOV3_LICENCE))
    except WeightsError as error:
        raise UserError(str(error), 3) from None
    except ValueError as error:
        raise UserError(f"--backbone: {error}") from None
    return Engine(model, precision)  # pyright: ignore[reportArgumentType] - checked above
