"""What `search` is asked: a picture or a published frame, as the vector to search with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from pipeline.cli.app import UserError
from pipeline.cli.pictures.moments import Tile
from pipeline.config.loader import Config
from pipeline.gallery.pictures import Pictures, Shown
from pipeline.gallery.records import Record
from pipeline.gallery.search import Gallery

_FRAME = re.compile(r"^([a-z0-9][a-z0-9_-]*/\d+/\d+)(/result)?$")
Box = tuple[float, float, float, float]


class By(StrEnum):
    subject = "subject"
    frame = "frame"


@dataclass(frozen=True, slots=True, repr=False)
class Query:
    """What is searched for."""

    vector: np.ndarray
    space: str
    what: str
    """One line for people."""
    tile: Tile
    record: Record | None = None
    """Of a published frame."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of the command line."""

    text: str
    box: Box | None
    by: By | None
    part: int | None

    @property
    def is_picture(self) -> bool:
        return Path(self.text).is_file()

    def check(self) -> None:
        """Raises: UserError: options that do not belong together, or nothing that can be searched for."""
        if self.is_picture and self.part is not None:
            raise UserError("--part belongs to a frame's id: of a picture give --box")
        if not self.is_picture and not _FRAME.match(self.text):
            raise UserError(
                "nothing to search for: expected the path of a picture, or a frame's id such as dock-1/17/44, got "
                f"{self.text!r}"
            )
        if not self.is_picture and (self.box is not None or self.by is not None):
            raise UserError("--box and --by belong to a picture: a frame's vectors are told apart by --part")


def parse_box(text: str | None) -> Box | None:
    """`0.2,0.3,0.6,0.9`: x0, y0, x1, y1 in 0..1.

    Raises:
        UserError: something else.
    """
    if text is None:
        return None
    try:
        x0, y0, x1, y1 = (float(each) for each in text.split(","))
    except ValueError:
        raise UserError(f"--box: expected X0,Y0,X1,Y1 such as 0.2,0.3,0.6,0.9, got {text!r}") from None
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise UserError(f"--box: expected corners in 0..1, the first above and left of the second, got {text!r}")
    return (x0, y0, x1, y1)


def query_of(asked: Asked, config: Config, gallery: Gallery, pictures: Pictures) -> Query:
    """What to search with; a picture is embedded with the configuration's model.

    Raises:
        UserError: the picture cannot be read, or the frame is not in the gallery.
        WeightsError: the model cannot be had.
    """
    if asked.is_picture:
        return _of_picture(asked, config, gallery)
    found = _FRAME.match(asked.text)
    assert found is not None, "checked before"
    return _of_frame(found[1], gallery, pictures, asked.part)


def _of_picture(asked: Asked, config: Config, gallery: Gallery) -> Query:
    from operators.retrieval.query import embed_query
    from pipeline.cli.inputs import read_rgb
    from pipeline.config.files_here import here
    from pipeline.control.model import load_engine

    path = Path(asked.text)
    rgb = read_rgb(path)
    try:
        vectors = embed_query(load_engine(here(config).model), rgb, config.model.shapes, asked.box)
    except ValueError as error:
        raise UserError(f"--box: {error}") from None
    ours = {vectors.frame_space, vectors.subject_space}
    shelves = {shelf.tap: shelf for shelf in gallery.shelves() if shelf.space in ours}
    chosen = asked.by or (By.frame if "subject" not in shelves and "frame" in shelves else By.subject)
    what = f"{path} as a {chosen.value}"
    for tap, shelf in shelves.items():
        what += f"; {shelf.num_records} {tap} vectors" + ("" if tap == chosen.value else f" are left out (--by {tap})")
    tile = Tile(rgb, ("query", path.name), asked.box)
    if chosen is By.subject:
        return Query(vectors.subject, vectors.subject_space, what, tile)
    return Query(vectors.frame, vectors.frame_space, what, tile)


def _of_frame(frame: str, gallery: Gallery, pictures: Pictures, part: int | None) -> Query:
    found = gallery.records_of(frame)
    records = [each for each in found if each.tap != "words"] or found
    if not records:
        raise UserError(
            f"{frame} is not in the gallery: it was never read, showed nothing, or was dropped since. `subscribe` "
            "shows which frames are published"
        )
    chosen = [each for each in records if part is None or each.part == part]
    if not chosen:
        raise UserError(f"--part: expected one of {', '.join(str(each.part) for each in records)}, got {part}")
    record = max(chosen, key=_area)
    which = f"part {record.part} of {len(records)}" if record.tap == "subject" else f"as {record.tap}"
    what = f"{frame}, {which}: {record.label or record.tap}"
    if record.frame != frame:
        what += f"; it looked the same as {record.frame}, which stands for it"
    shown = pictures.of(record)
    return Query(
        record.values,
        record.space,
        what,
        Tile(shown.rgb, ("query", record.frame), None if shown.why else record.box, no_picture(shown)),
        record,
    )


def no_picture(shown: Shown) -> str:
    """What stands in the place of a picture that is missing."""
    return "" if shown.rgb is not None else f"no picture: {shown.why}"


def _area(record: Record) -> float:
    if record.box is None:
        return 1.0
    x0, y0, x1, y1 = record.box
    return (x1 - x0) * (y1 - y0)
