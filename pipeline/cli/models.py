"""`models`: which checkpoints exist, bring one here, check one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from operators.backbone import WeightsError, load_backbone
from operators.backbone.architectures import architecture
from operators.backbone.download import check_file, official_file
from operators.backbone.official import Official
from operators.backbone.official_depth_anything import PUBLISHED
from operators.backbone.standin import STANDIN_ARCHITECTURE
from operators.backbone.weights_folder import default_cache_dir
from operators.heads.official_heads import OFFICIAL_HEAD_NAMES, official_head, read_official_head
from operators.spelling import did_you_mean
from pipeline.cli.app import UserError
from pipeline.cli.model_files import print_backbone, print_head, verify_path
from pipeline.cli.model_tables import backbone_table, head_table

app = typer.Typer(no_args_is_help=True, help="Checkpoints of backbones and heads.")

CacheDir = Annotated[Path | None, typer.Option(help="Folder of weights; default .cache/weights or DINOSTREAM_CACHE.")]
Backbone = Annotated[str, typer.Option(help="Architecture that a head or a file is for.")]


@app.command("list")
def list_models(cache_dir: CacheDir = None) -> None:
    """Every checkpoint with its licence, what it was trained on, and whether it is here."""
    folder = cache_dir or default_cache_dir()
    console = Console(width=200 if not Console().is_terminal else None)
    print("backbones")
    console.print(backbone_table(folder))
    print("\nheads, each for its backbone (--backbone)")
    console.print(head_table(folder))
    print(f"folder: {folder}. The stand-in is not the official checkpoint.")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Such as dinov2_vits14, depth_anything_v2_small or nyu_linear4.")],
    backbone: Backbone = STANDIN_ARCHITECTURE,
    cache_dir: CacheDir = None,
    url: Annotated[str | None, typer.Option(help="Another address of the same file (a mirror).")] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Bring a file here that forbids commercial use.")
    ] = False,
) -> None:
    """Brings an official file here; goes on where an earlier try broke off."""
    row, folder = _row(name, backbone), cache_dir or default_cache_dir()
    if row.commercial != "yes" and not accept_licence and not (folder / row.file).exists():
        raise UserError(
            f"{row.name} is not for commercial use: its licence is {row.licence} (trained on {row.trained_on}). "
            "If that suits you, say --accept-licence, and name the licence in model.licences."
        )
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
    backbone: Backbone = STANDIN_ARCHITECTURE,
    cache_dir: CacheDir = None,
) -> None:
    """Checks a file that is here: size, hash, every tensor; says what it is."""
    folder = cache_dir or default_cache_dir()
    try:
        if what == "standin":
            print_backbone(load_backbone(backbone, what, cache_dir=folder))
        elif Path(what).exists():
            verify_path(Path(what), backbone)
        else:
            _verify_official(what, backbone, folder)
    except WeightsError as error:
        raise UserError(str(error), 1) from None
    except ValueError as error:
        raise UserError(str(error)) from None


def _verify_official(name: str, backbone: str, folder: Path) -> None:
    row = _row(name, backbone)
    if not (folder / row.file).exists():
        asked = f"{name} --backbone {backbone}" if name in OFFICIAL_HEAD_NAMES else name
        raise UserError(f"{folder / row.file} is not here. Bring it with `models download {asked}`.", 3)
    check_file(folder / row.file, row)
    if name in OFFICIAL_HEAD_NAMES:
        head, file = read_official_head(name, backbone, folder)
        print_head(file, head.arch)
        print(f"licence {row.licence}, commercial {row.commercial}, trained on {row.trained_on}")
    else:
        print_backbone(load_backbone(architecture(name).name, "official", cache_dir=folder))


def _row(name: str, backbone: str) -> Official:
    try:
        if name in OFFICIAL_HEAD_NAMES:
            return official_head(name, backbone).row
        return PUBLISHED[architecture(name).name]
    except ValueError as error:
        nearest = did_you_mean(name, (*PUBLISHED, *OFFICIAL_HEAD_NAMES))
        if name in OFFICIAL_HEAD_NAMES:
            raise UserError(str(error)) from None
        raise UserError(
            f"unknown checkpoint {name!r}: expected a name of `models list`, or an existing file{nearest}"
        ) from None
