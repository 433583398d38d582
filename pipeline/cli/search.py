"""`main.py search IMAGE|FRAME CONFIG`: which moments look like this picture, or like this published frame; or
`search --text SENTENCE CONFIG`: which fit these words.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from operators.backbone.errors import WeightsError
from operators.retrieval.gallery import SAME_MOMENT_NS
from operators.retrieval.vectors import SpaceMismatchError
from operators.units import parse_seconds
from pipeline.cli.app import UserError
from pipeline.cli.pictures.lettering import save
from pipeline.cli.pictures.moments import Tile, draw_moments
from pipeline.cli.search_query import Asked, By, Query, no_picture, parse_box, query_of
from pipeline.cli.search_text import config_of_text, query_of_text
from pipeline.config.loader import Config, load_config
from pipeline.config.problems import ConfigError
from pipeline.errors import GalleryError
from pipeline.gallery.blocks import Wanted
from pipeline.gallery.pictures import CameraPictures, Pictures
from pipeline.gallery.records import Record
from pipeline.gallery.search import Answer, Gallery
from pipeline.kafka_client import KafkaSecurity


def search(
    query: Annotated[
        str, typer.Argument(metavar="IMAGE|FRAME", help="A picture; or a frame's id, dock-1/17/44. Not with --text.")
    ],
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="The configuration that the pipeline runs with.")
    ] = None,
    *,
    text: Annotated[
        str | None, typer.Option(help="Words instead: pictures of cameras whose words head has `vector: true`.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many moments.")] = 10,
    camera: Annotated[str | None, typer.Option(help="Only this camera.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what was in view in the last 30m, 1h, 2d, ...")] = None,
    box: Annotated[
        str | None, typer.Option(help="Where the thing is in IMAGE: X0,Y0,X1,Y1 in 0..1; else what stands out.")
    ] = None,
    by: Annotated[
        By | None, typer.Option(help="Compare IMAGE with subjects (things before an empty view) or whole frames.")
    ] = None,
    part: Annotated[int | None, typer.Option(help="Which subject of FRAME; the largest if left out.")] = None,
    out: Annotated[Path, typer.Option(help="The contact sheet, a PNG.")] = Path("out/search.png"),
) -> None:
    """Find moments that look alike, or fit a sentence, in what `gallery` has kept; at most one per camera and 30 s.

    Prints a table and draws a contact sheet of the query and the moments found.
    """
    asked = Asked(query, parse_box(box), by, part)
    path = _config_of(asked, config) if text is None else config_of_text(text, asked, config)
    try:
        loaded = load_config(path)
        wanted = _wanted(loaded, camera, since)
        found = Gallery.open(Path(loaded.gallery.store))
        pictures = _pictures(loaded)
        what = query_of(asked, loaded, found, pictures) if text is None else query_of_text(text, loaded, found)
        answers = found.search(what.vector, what.space, top, _others(wanted, what.record))
    except (ConfigError, SpaceMismatchError) as error:
        raise UserError(str(error)) from None
    except (GalleryError, WeightsError) as error:
        raise UserError(str(error), exit_code=3) from None
    print(what.what)
    if answers:
        _print(answers)
        _draw(what, answers, pictures, out)
    else:
        print("nothing found: the gallery holds nothing else that --camera and --since leave over")


def _config_of(asked: Asked, config: Path | None) -> Path:
    if config is None:
        raise UserError(
            f"expected IMAGE or FRAME and then CONFIG, or --text SENTENCE and CONFIG, got {asked.text} alone"
        )
    asked.check()
    return config


def _wanted(config: Config, camera: str | None, since: str | None) -> Wanted:
    if camera is not None and camera not in config.cameras:
        raise UserError(f"unknown camera {camera!r}: expected one of {', '.join(config.cameras)}")
    try:
        since_ns = None if since is None else time.time_ns() - round(parse_seconds(since) * 1e9)
    except ValueError as error:
        raise UserError(f"--since: {error}") from None
    return Wanted(camera=camera, since_ns=since_ns)


def _others(wanted: Wanted, own: Record | None) -> Wanted:
    """A frame's own moment is no answer."""
    if own is None:
        return wanted
    return Wanted(wanted.camera, wanted.since_ns, own.frame, (own.camera, own.rule_time_ns, SAME_MOMENT_NS))


def _pictures(config: Config) -> Pictures:
    cameras = {name: CameraPictures(each.source, each.privacy) for name, each in config.cameras.items()}
    kafka = config.sinks.kafka
    security = kafka.security if kafka else KafkaSecurity()
    state_dir = Path(config.runtime.state_dir)
    return Pictures(
        cameras, config.secrets, config.brokers, security, evidence=config.evidence.store, state_dir=state_dir
    )


def _print(answers: Sequence[Answer]) -> None:
    rows = [("#", "time", "camera", "score", "frame", "what", "seen")]
    for number, answer in enumerate(answers, 1):
        record = answer.record
        what, seen = record.label or record.tap, f"{answer.times}x"
        rows.append((str(number), _time(record), record.camera, f"{answer.cosine:.3f}", record.frame, what, seen))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _time(record: Record) -> str:
    text = f"{datetime.fromtimestamp(record.time_ns / 1e9, tz=UTC):%Y-%m-%d %H:%M:%SZ}"
    if record.pts_ns is None:
        return text
    minutes, seconds = divmod(record.pts_ns / 1e9, 60)
    return f"{text} (at {int(minutes):02d}:{seconds:04.1f})"


def _draw(what: Query, answers: Sequence[Answer], pictures: Pictures, out: Path) -> None:
    tiles: list[Tile] = []
    for number, answer in enumerate(answers, 1):
        record, shown = answer.record, pictures.of(answer.record)
        when = shown.why if shown.why and shown.rgb is not None else _time(record)
        caption = (f"{number}  {answer.cosine:.3f}  {record.camera}  {record.label}", when)
        tiles.append(Tile(shown.rgb, caption, None if shown.why else record.box, no_picture(shown)))
    try:
        save(out, draw_moments(what.tile, tiles))
    except OSError as error:
        raise UserError(f"--out: {out} cannot be written: {error.strerror or error}", 3) from None
    print(f"{out}: the query and {len(tiles)} moments")
    for missing in dict.fromkeys(tile.words for tile in tiles if tile.rgb is None):
        print(f"some have {missing}")
