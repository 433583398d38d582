"""A sealed part of the gallery: a folder that never changes, mapped into memory where it is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from operators.retrieval.gallery import FrameVectors
from pipeline.gallery.blocks import About, Block
from pipeline.gallery.disk import bytes_under, sync_file, sync_folder

_VERSION = 1
_DAMAGED = (ValueError, EOFError, KeyError, TypeError)
"""What json and numpy raise for a file that is cut short or something else; numpy loads no objects here."""
_EMPTY_NPY_BYTES = 192
"""Of a file with no values or few: not worth a page."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One folder."""

    folder: Path
    blocks: tuple[Block, ...]
    """One per space."""
    frames: np.ndarray
    """uint64 (n,) sorted hashes of the frames that are here, as a record or as another sighting of one."""
    num_records: int
    written_ns: int
    """Wall clock of the last batch in it."""
    num_bytes: int

    @property
    def number(self) -> int:
        return int(self.folder.name)


def write_segment(folder: Path, blocks: Sequence[Block], written_ns: int) -> None:
    """Makes `folder`: it is there as a whole, durable, or not at all.

    Raises:
        OSError: the disk is full or gone.
    """
    part = folder.with_suffix(".part")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir()
    for number, block in enumerate(blocks):
        block.vectors.save(part / f"{number}.vectors")
        np.save(part / f"{number}.columns.npy", block.columns)
        np.save(part / f"{number}.aliases.npy", block.aliases)
        (part / f"{number}.details").write_bytes(_all_details(block))
    frames = [column for block in blocks for column in (block.columns["frame"], block.aliases["frame"])]
    np.save(part / "frames.npy", np.unique(np.concatenate(frames)))
    about = {
        "version": _VERSION,
        "records": sum(len(block.columns) for block in blocks),
        "written_ns": written_ns,
        "blocks": [asdict(block.about) for block in blocks],
    }
    (part / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    for path in part.iterdir():
        sync_file(path)
    sync_folder(part)
    part.rename(folder)
    sync_folder(folder.parent)


def _all_details(block: Block) -> bytes:
    return b"".join(block.details(int(column["offset"]), int(column["size"])) for column in block.columns)


def open_segment(folder: Path) -> Segment:
    """Maps a folder of `write_segment`.

    Raises:
        OSError: it is not there, of another version, or damaged.
    """
    try:
        return _opened(folder)
    except _DAMAGED as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OSError(f"{folder} is damaged ({said}); move it away to go on without it") from None


def _opened(folder: Path) -> Segment:
    about: dict[str, Any] = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    if about["version"] != _VERSION:
        raise OSError(f"{folder}: expected a gallery of version {_VERSION}, got {about['version']}")
    return Segment(
        folder=folder,
        blocks=tuple(_mapped(folder, number, of) for number, of in enumerate(about["blocks"])),
        frames=_array(folder / "frames.npy"),
        num_records=about["records"],
        written_ns=about["written_ns"],
        num_bytes=bytes_under(folder),
    )


def _mapped(folder: Path, number: int, about: dict[str, Any]) -> Block:
    details = np.memmap(folder / f"{number}.details", np.uint8, "r")
    return Block(
        About(about["space"], about["tap"], about["made_with"], tuple(about["cameras"])),
        _array(folder / f"{number}.columns.npy"),
        FrameVectors.open(folder / f"{number}.vectors"),
        _array(folder / f"{number}.aliases.npy"),
        lambda at, size: details[at : at + size].tobytes(),
    )


def _array(path: Path) -> np.ndarray:
    """Mapped; an array without a value cannot be."""
    found = np.load(path, mmap_mode="r" if path.stat().st_size > _EMPTY_NPY_BYTES else None)
    return np.asarray(found)


def remove_segment(folder: Path) -> None:
    """Whoever has it mapped may read on."""
    gone = folder.with_suffix(".gone")
    folder.rename(gone)
    shutil.rmtree(gone)
