"""What the backbone says of pictures, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operators.backbone import Engine
from operators.backbone.engine import EngineOutput
from operators.backbone.preprocess import place
from operators.frames import Placement, nearest_shape
from operators.heads.depth_published import blocks_of
from operators.heads.fit_classify import last_blocks, picture_vectors, thing_vector
from operators.picture_file import decode_picture
from pipeline.cli.app import UserError

_BATCH = 4
Shapes = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class FitPicture:
    """A picture that was looked at once: its file can be read, and where its model-size version is cut is known."""

    path: Path
    digest: str
    """sha256 of the file, and of what else its features depend on."""
    placement: Placement
    mask: np.ndarray | None = None
    """bool (h, w) patches of the thing in it."""

    def rgb(self) -> np.ndarray:
        """uint8 (H, W, 3)."""
        return decode_picture(self.path.read_bytes())

    def pixels(self) -> np.ndarray:
        """uint8 (H, W, 3) of the model's picture."""
        return place(self.rgb(), self.placement.model_size)[0]


@dataclass(frozen=True, slots=True)
class Extractor:
    """Which tokens are kept of each picture."""

    name: str
    run: Callable[[Engine, np.ndarray], EngineOutput]
    keep: Callable[[Engine, EngineOutput, FitPicture, int], np.ndarray]
    """(engine, output, picture, row): the row's array."""


MaskOf = Callable[[np.ndarray, Placement], np.ndarray]
"""From the picture and how it was cut, bool (h, w) patches of the thing in it."""


def look_at(path: Path, shapes: Shapes, of_mask: MaskOf | None = None) -> FitPicture:
    """Reads a picture once.

    Args:
        path: Of the file.
        shapes: (H, W) of the model's pictures; the nearest is taken.
        of_mask: Gives the thing's patches.

    Raises:
        UserError: it cannot be read, or the mask shows nothing.
    """
    try:
        data = path.read_bytes()
        rgb = decode_picture(data)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", 3) from None
    except ValueError as error:
        raise UserError(f"cannot read {path}: {error}", 3) from None
    size = (rgb.shape[0], rgb.shape[1])
    _, placement = place(rgb, nearest_shape(size, shapes))
    digest = hashlib.sha256(data)
    mask = None
    if of_mask is not None:
        mask = of_mask(rgb, placement)
        if not mask.any():
            raise UserError(f"the mask of {path} shows nothing: expected white where the thing is")
        digest.update(mask.tobytes())
    return FitPicture(path, digest.hexdigest(), placement, mask)


class FeatureStore:
    """Features by weights, precision, shape and file, under `fit` of the cache."""

    def __init__(self, engine: Engine, extractor: Extractor) -> None:
        self._engine, self._extractor = engine, extractor
        root = Path(os.environ.get("DINOSTREAM_CACHE") or ".cache") / "fit"
        self._folder = root / engine.backbone.fingerprint[:16] / f"{extractor.name}-{engine.precision}"

    @property
    def folder(self) -> Path:
        """Where they lie; may be removed at any time."""
        return self._folder

    def fill(self, pictures: Sequence[FitPicture], progress: Callable[[int], None]) -> int:
        """Computes what is missing, four pictures of one shape at a time; returns how many were there already.

        Raises:
            UserError: the cache cannot be written.
        """
        missing: dict[tuple[int, int], list[FitPicture]] = defaultdict(list)
        for picture in pictures:
            if self._read(picture) is None:
                missing[picture.placement.model_size].append(picture)
        known = done = len(pictures) - sum(len(each) for each in missing.values())
        progress(done)
        for group in missing.values():
            for start in range(0, len(group), _BATCH):
                batch = group[start : start + _BATCH]
                out = self._extractor.run(self._engine, np.stack([picture.pixels() for picture in batch]))
                for row, picture in enumerate(batch):
                    self._write(picture, self._extractor.keep(self._engine, out, picture, row))
                done += len(batch)
                progress(done)
        return known

    def of(self, picture: FitPicture) -> np.ndarray:
        """Features of a picture that `fill` saw.

        Raises:
            UserError: somebody removed the cache meanwhile.
        """
        found = self._read(picture)
        if found is None:
            raise UserError(f"features of {picture.path} are gone from {self._folder}: was it removed? Run again", 1)
        return found

    def _path(self, picture: FitPicture) -> Path:
        height, width = picture.placement.model_size
        return self._folder / f"{height}x{width}" / f"{picture.digest}.npy"

    def _read(self, picture: FitPicture) -> np.ndarray | None:
        """None: not there, or cut short by a crash of the machine; then it is made again."""
        try:
            return np.load(self._path(picture), allow_pickle=False)
        except (FileNotFoundError, ValueError, EOFError):
            return None

    def _write(self, picture: FitPicture, values: np.ndarray) -> None:
        path = self._path(picture)
        fresh = path.with_name(f".{path.stem}.{os.getpid()}.npy")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(fresh, values, allow_pickle=False)
            fresh.replace(path)
        except OSError as error:
            raise UserError(f"cannot keep features in {path.parent}: {error.strerror}", 3) from None


def _last_four(engine: Engine, pixels: np.ndarray) -> EngineOutput:
    return engine.run(pixels, normed=last_blocks(engine.backbone.arch.depth))


def _depth_taps(engine: Engine, pixels: np.ndarray) -> EngineOutput:
    blocks = blocks_of(engine.backbone.arch.depth, 4)
    return engine.run(pixels, blocks, stop_after=blocks[-1])


def _thing(_engine: Engine, out: EngineOutput, picture: FitPicture, row: int) -> np.ndarray:
    assert picture.mask is not None, "things are looked at with their masks"
    return thing_vector(out.patches[row], picture.mask)


def _both(pair: tuple[np.ndarray, np.ndarray], row: int) -> np.ndarray:
    """float16 (1 + N, D): class token first."""
    return np.concatenate([pair[0][row][None], pair[1][row]]).astype(np.float16)


PICTURES = Extractor(
    "picture", _last_four, lambda engine, out, _, row: picture_vectors(out, engine.backbone.arch.depth)[row]
)
"""float32 (5 D,)."""
THINGS = Extractor("thing", lambda engine, pixels: engine.run(pixels), _thing)
"""float32 (D,)."""
PATCHES = Extractor(
    "patches",
    _last_four,
    lambda _e, out, _p, row: np.stack([out.normed[b][1][row] for b in sorted(out.normed)]).astype(np.float16),
)
"""float16 (4, N, D)."""
TAPS = Extractor(
    "taps", _depth_taps, lambda _e, out, _p, row: np.stack([_both(out.taps[b], row) for b in sorted(out.taps)])
)
"""float16 (4, 1 + N, D), raw."""
