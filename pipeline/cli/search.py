"""`main.py search QUERY CONFIG`: which moments look like this picture, or like this published frame."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from operators.backbone import WeightsError
from operators.retrieval.gallery import SAME_MOMENT_NS
from operators.retrieval.query import Box, embed_query
from operators.retrieval.vectors import SpaceMismatchError
from operators.units import parse_seconds
from pipeline.cli.app import UserError
from pipeline.cli.inputs import read_rgb
from pipeline.config.loader import Config, load_config
from pipeline.config.problems import ConfigError
from pipeline.control.model import load_engine
from pipeline.errors import GalleryError
from pipeline.gallery.blocks import Wanted
from pipeline.gallery.contact_sheet import Tile, draw_contact_sheet
from pipeline.gallery.pictures import CameraPictures, Pictures
from pipeline.gallery.records import Record
from pipeline.gallery.search import Answer, Gallery
from pipeline.kafka_client import KafkaSecurity

_FRAME = re.compile(r"^([a-z0-9][a-z0-9_-]*/\d+/\d+)(/result)?$")


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


def search(
    query: Annotated[
        str, typer.Argument(metavar="IMAGE|FRAME", help="A picture, or a frame's id such as dock-1/17/44.")
    ],
    config: Annotated[Path, typer.Argument(help="The configuration that the pipeline runs with.")],
    *,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many moments.")] = 10,
    camera: Annotated[str | None, typer.Option(help="Only this camera.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what was in view in the last 30m, 1h, 2d, ...")] = None,
    box: Annotated[
        str | None,
        typer.Option(help="Where the thing is in IMAGE: X0,Y0,X1,Y1 in 0..1. Left out: IMAGE shows it alone."),
    ] = None,
    by: Annotated[
        By | None,
        typer.Option(help="subject: things in front of the empty view; frame: whole pictures. Left out: as filled."),
    ] = None,
    part: Annotated[int | None, typer.Option(help="Which subject of FRAME; the largest if left out.")] = None,
    out: Annotated[Path, typer.Option(help="The contact sheet, a PNG.")] = Path("out/search.png"),
) -> None:
    """Find moments that look alike, in what `gallery` has kept; at most one per camera and 30 s.

    Prints a table and draws a contact sheet of the query and the moments found.
    """
    try:
        loaded = load_config(config)
        found = Gallery.open(Path(loaded.gallery.store))
        pictures = _pictures(loaded)
        asked = _query(query, loaded, found, pictures, box=box, by=by, part=part)
        answers = found.search(asked.vector, asked.space, top, _wanted(loaded, asked, camera, since))
    except (ConfigError, SpaceMismatchError) as error:
        raise UserError(str(error)) from None
    except (GalleryError, WeightsError) as error:
        raise UserError(str(error), exit_code=3) from None
    print(asked.what)
    if not answers:
        print("nothing found: the gallery holds nothing else that --camera and --since leave over")
        return
    _print(answers)
    tiles = [_tile(number, answer, pictures) for number, answer in enumerate(answers, 1)]
    draw_contact_sheet(asked.tile, tiles, out)
    print(f"{out}: the query and {len(tiles)} moments")
    for missing in dict.fromkeys(tile.why_missing for tile in tiles if tile.rgb is None):
        print(f"some have no picture: {missing}")


def _pictures(config: Config) -> Pictures:
    cameras = {name: CameraPictures(each.source, each.privacy) for name, each in config.cameras.items()}
    kafka = config.sinks.kafka
    return Pictures(cameras, config.secrets, config.brokers, kafka.security if kafka else KafkaSecurity())


def _query(
    text: str, config: Config, gallery: Gallery, pictures: Pictures, *, box: str | None, by: By | None, part: int | None
) -> Query:
    if Path(text).is_file():
        if part is not None:
            raise UserError("--part belongs to a frame's id: of a picture give --box")
        return _of_picture(Path(text), config, gallery, _box(box), by)
    frame = _FRAME.match(text)
    if frame is None:
        raise UserError(
            f"nothing to search for: expected a picture's path or a frame's id such as dock-1/17/44, got {text!r}"
        )
    if box is not None or by is not None:
        raise UserError("--box and --by belong to a picture: a frame's vector is in the gallery; choose it with --part")
    return _of_frame(frame[1], gallery, pictures, part)


def _of_picture(path: Path, config: Config, gallery: Gallery, box: Box | None, by: By | None) -> Query:
    rgb = read_rgb(path)
    try:
        vectors = embed_query(load_engine(config.model), rgb, config.model.shapes, box)
    except ValueError as error:
        raise UserError(f"--box: {error}") from None
    shelves = {
        shelf.tap: shelf
        for shelf in reversed(gallery.shelves())
        if shelf.space in {vectors.frame_space, vectors.subject_space}
    }
    chosen = by or (By.frame if "subject" not in shelves and "frame" in shelves else By.subject)
    vector, space = (
        (vectors.subject, vectors.subject_space) if chosen is By.subject else (vectors.frame, vectors.frame_space)
    )
    what = f"{path} as a {chosen.value}"
    for tap, shelf in shelves.items():
        what += f"; {shelf.num_records} {tap} vectors" + ("" if tap == chosen.value else f" are left out (--by {tap})")
    return Query(vector, space, what, Tile(rgb, ("query", path.name), box))


def _of_frame(frame: str, gallery: Gallery, pictures: Pictures, part: int | None) -> Query:
    records = gallery.records_of(frame)
    if not records:
        raise UserError(
            f"{frame} is not in the gallery: it was never read, showed nothing, or was dropped since. "
            "`subscribe` shows which frames were published",
        )
    if part is None:
        record = max(records, key=_area)
    else:
        chosen = [each for each in records if each.part == part]
        if not chosen:
            raise UserError(f"--part: expected one of {', '.join(str(each.part) for each in records)}, got {part}")
        record = chosen[0]
    what = f"{frame}, part {record.part} of {len(records)}: {record.label or record.tap}"
    if record.frame != frame:
        what += f"; it looked the same as {record.frame}, which stands for it"
    shown = pictures.of(record)
    tile = Tile(shown.rgb, ("query", record.frame), record.box, shown.why)
    return Query(record.values, record.space, what, tile, record)


def _area(record: Record) -> float:
    if record.box is None:
        return 1.0
    x0, y0, x1, y1 = record.box
    return (x1 - x0) * (y1 - y0)


def _wanted(config: Config, asked: Query, camera: str | None, since: str | None) -> Wanted:
    if camera is not None and camera not in config.cameras:
        raise UserError(f"unknown camera {camera!r}: expected one of {', '.join(config.cameras)}")
    try:
        since_ns = None if since is None else time.time_ns() - round(parse_seconds(since) * 1e9)
    except ValueError as error:
        raise UserError(f"--since: {error}") from None
    own = asked.record
    return Wanted(
        camera=camera,
        since_ns=since_ns,
        not_frame=own.frame if own else None,
        not_near=(own.camera, own.rule_time_ns, SAME_MOMENT_NS) if own else None,
    )


def _box(text: str | None) -> Box | None:
    if text is None:
        return None
    try:
        x0, y0, x1, y1 = (float(each) for each in text.split(","))
    except ValueError:
        raise UserError(f"--box: expected X0,Y0,X1,Y1 such as 0.2,0.3,0.6,0.9, got {text!r}") from None
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise UserError(f"--box: expected corners in 0..1, the first above and left of the second, got {text!r}")
    return (x0, y0, x1, y1)


def _print(answers: Sequence[Answer]) -> None:
    rows = [("#", "time", "camera", "score", "frame", "what", "seen")]
    for number, answer in enumerate(answers, 1):
        record = answer.record
        seen = f"{answer.times}x" if answer.times > 1 else ""
        rows.append(
            (
                str(number),
                _time(record),
                record.camera,
                f"{answer.cosine:.3f}",
                record.frame,
                record.label or record.tap,
                seen,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _time(record: Record) -> str:
    text = f"{datetime.fromtimestamp(record.time_ns / 1e9, tz=UTC):%Y-%m-%d %H:%M:%SZ}"
    if record.pts_ns is None:
        return text
    minutes, seconds = divmod(record.pts_ns / 1e9, 60)
    return f"{text} (at {int(minutes):02d}:{seconds:04.1f})"


def _tile(number: int, answer: Answer, pictures: Pictures) -> Tile:
    shown = pictures.of(answer.record)
    record = answer.record
    caption = (f"{number}  {answer.cosine:.3f}  {record.camera}  {record.label}", _time(record))
    return Tile(shown.rgb, caption, record.box, shown.why)
