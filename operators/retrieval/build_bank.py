"""Labelled pictures to a bank."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from operators.backbone import Engine
from operators.backbone.preprocess import place
from operators.frames import Placement, grid_of, nearest_shape
from operators.heads.embedding import pool
from operators.picture_file import decode_picture
from operators.retrieval.bank import Bank, BankError
from operators.retrieval.vectors import VectorSet

_BATCH = 4


@dataclass(frozen=True, slots=True, repr=False)
class LabelledPicture:
    """One picture of a known class."""

    label: str
    rgb: np.ndarray
    """uint8 (H, W, 3)."""
    mask: np.ndarray | None = None
    """bool, where the thing is: (H, W) of the picture, or (h, w) patches of its model-size version."""
    name: str = ""
    """`CLASS/NAME.jpg`, or `CLASS/CLIP/NAME.jpg` where pictures were taken one after the other; empty: nobody asks."""


def build_bank(
    pictures: Iterable[LabelledPicture],
    engine: Engine,
    shapes: Sequence[tuple[int, int]],
    progress: Callable[[int], None] | None = None,
) -> Bank:
    """Embeds every picture at the nearest of `shapes`.

    Args:
        pictures: Any order; classes are sorted by name.
        engine: Of the backbone that the cameras use.
        shapes: (H, W), of one shorter side.
        progress: Told how many pictures are done.

    Raises:
        BankError: no picture, or shapes of different classes.
    """
    backbone = engine.backbone
    spaces = {backbone.space(shape) for shape in shapes}
    if len(spaces) != 1:
        raise BankError(f"a bank has one space: expected shapes of one shorter side, got {sorted(shapes)}")
    labels: list[str] = []
    whole: list[np.ndarray] = []
    things: list[tuple[str, np.ndarray]] = []
    names: list[str] = []
    thing_names: list[str] = []
    for batch in _batches(iter(pictures)):
        for picture, cls, patches, placement in _embedded(batch, engine, shapes):
            labels.append(picture.label)
            whole.append(cls)
            names.append(picture.name)
            if picture.mask is not None:
                mask = patch_mask(picture.mask, placement, backbone.arch.patch)
                if mask.any():
                    things.append((picture.label, pool(patches, mask)))
                    thing_names.append(picture.name)
        if progress is not None:
            progress(len(labels))
    if not labels:
        raise BankError("a bank cannot be made of no picture: expected at least one per class")
    classes = tuple(sorted(set(labels)))
    index = {name: position for position, name in enumerate(classes)}
    pooled = None
    if things:
        pooled = VectorSet.of(
            backbone.space(shapes[0], tap="patches", pooling="mask_mean"),
            np.stack([vector for _, vector in things]),
            np.array([index[label] for label, _ in things]),
            thing_names if all(names) else (),
        )
    numbers = np.array([index[label] for label in labels])
    cls = VectorSet.of(spaces.pop(), np.stack(whole), numbers, names if all(names) else ())
    return Bank(classes, cls, pooled, f"{backbone.arch.name} {backbone.info.weights} {backbone.fingerprint[:12]}")


def wanted_bank(files: Mapping[str, bytes], engine: Engine, shapes: Sequence[tuple[int, int]]) -> Bank:
    """The bank of a `similarity` head: each wanted picture is a class of its own, named as its file.

    Args:
        files: Bytes of JPEG, PNG or WebP files by name.
        engine: Of the backbone that the cameras use.
        shapes: (H, W), of one shorter side.

    Raises:
        BankError: no picture, or a file that is none.
    """
    pictures: list[LabelledPicture] = []
    for name, data in sorted(files.items()):
        try:
            rgb = decode_picture(data)
        except ValueError as error:
            raise BankError(f"{name}: {error}") from None
        pictures.append(LabelledPicture(name, rgb, np.ones(rgb.shape[:2], bool)))
    return build_bank(pictures, engine, shapes)


def _embedded(
    batch: Sequence[LabelledPicture], engine: Engine, shapes: Sequence[tuple[int, int]]
) -> Iterator[tuple[LabelledPicture, np.ndarray, np.ndarray, Placement]]:
    """(picture, class token, patches, placement), one engine run per shape, in the batch's order."""
    placed = [place(picture.rgb, nearest_shape(picture.rgb.shape[:2], shapes)) for picture in batch]
    results: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for shape in {placement.model_size for _, placement in placed}:
        rows = [row for row, (_, placement) in enumerate(placed) if placement.model_size == shape]
        out = engine.run(np.stack([placed[row][0] for row in rows]))
        results |= {row: (out.cls[at], out.patches[at]) for at, row in enumerate(rows)}
    for row, picture in enumerate(batch):
        yield picture, *results[row], placed[row][1]


def patch_mask(mask: np.ndarray, placement: Placement, patch: int) -> np.ndarray:
    """Bool (h, w): patches that a thing covers by half, or those it covers most where it is smaller than a patch.

    Args:
        mask: bool (H, W) of the source picture, or already (h, w).
        placement: How the model-size picture was cut.
        patch: Side of a patch of the backbone in pixels.
    """
    height, width = placement.model_size
    grid = grid_of(placement.model_size, patch)
    if mask.shape == grid:
        return mask.astype(bool)
    if mask.shape != placement.source_size:
        raise BankError(f"mask: expected {placement.source_size} pixels or {grid} patches, got {mask.shape}")
    top, left = (int(each) for each in placement.offset)
    cut = [round(side * scale) for side, scale in zip(placement.model_size, placement.scale, strict=True)]
    inside = mask[top : top + cut[0], left : left + cut[1]].astype(np.float32)
    share = cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA)
    share = share.reshape(grid[0], patch, grid[1], patch).mean(axis=(1, 3))  # (h, w)
    return (share > 0) & (share >= min(0.5, float(share.max())))


def _batches(pictures: Iterator[LabelledPicture]) -> Iterator[list[LabelledPicture]]:
    while batch := list(islice(pictures, _BATCH)):
        yield batch
