"""`bank build`: a folder of labelled pictures becomes a bank."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from operators.backbone.preprocess import place
from operators.frames import nearest_shape
from operators.retrieval.bank import BankError
from operators.retrieval.bank_report import Judgement
from operators.retrieval.build_bank import LabelledPicture, build_bank, patch_mask
from pipeline.cli.app import UserError
from pipeline.cli.bank_report import save_bank, show_report
from pipeline.cli.inputs import MASK_SUFFIX, engine_of, parse_shapes, pictures_under, read_rgb
from pipeline.control.banks.bank_folder import keep_pictures, kept_name

Shapes = tuple[tuple[int, int], ...]


def build(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One subfolder per class, with its pictures.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder of the bank; made if missing.")],
    backbone: Annotated[str, typer.Option(help="Architecture.")] = "dinov2_vits14",
    weights: Annotated[str, typer.Option(help="official, standin, random, or the path of a file.")] = "official",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    shape: Annotated[list[str] | None, typer.Option(help="Height x width such as 224x392; may be repeated.")] = None,
    crops: Annotated[bool, typer.Option(help="Each picture shows its thing alone: no masks needed.")] = False,
    k: Annotated[int, typer.Option(min=1, help="Neighbours of the report's vote.")] = 20,
) -> None:
    """Make a bank and print how well it tells its own pictures apart.

    NAME.jpg may have its mask beside it in NAME.mask.png (white where the thing is): then the bank labels subjects, not
    only whole frames. Pictures of one clip belong into a folder of their own below their class, so that the report
    leaves them out together. The bank keeps small copies, from which `bank rebuild` makes it again.
    """
    paths = _labelled_paths(folder)
    shapes = parse_shapes(shape or [], backbone)
    engine = engine_of(backbone, weights, precision)
    try:
        bank = build_bank(_kept(out, folder, paths, (shapes, engine.backbone.arch.patch), crops=crops), engine, shapes)
    except BankError as error:
        raise UserError(str(error)) from None
    save_bank(bank, out)
    print(f"{out}: version {bank.version}, made with {bank.made_with} ({engine.backbone.info.origin})")
    print(", ".join(f"{name} {count}" for name, count in bank.counts()))
    show_report(out, bank, Judgement(k=k))


def _labelled_paths(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: expected one with a subfolder of pictures per class", 3)
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    found = [(each.name, path) for each in classes for path in pictures_under(each)]
    empty = [each.name for each in classes if not any(label == each.name for label, _ in found)]
    if empty or not found:
        named = ", ".join(empty[:3]) + (", ..." if len(empty) > 3 else "")
        got = f"no picture in {named}" if empty else "no subfolder with pictures"
        raise UserError(f"{folder}: expected a subfolder of pictures per class, got {got}")
    return found


def _kept(
    out: Path, folder: Path, paths: list[tuple[str, Path]], cut: tuple[Shapes, int], *, crops: bool
) -> Iterator[LabelledPicture]:
    """Each picture at the model's size, once it is kept; what is embedded is what was read, not the kept copy.

    `cut`: shapes of the model's pictures, and the side of its patches.
    """
    shapes, patch = cut
    taken: set[str] = set()
    for label, path in paths:
        rgb = read_rgb(path)
        mask = _mask(path, rgb, crops=crops)
        pixels, placement = place(rgb, nearest_shape((rgb.shape[0], rgb.shape[1]), shapes))
        patches = None if mask is None else patch_mask(mask, placement, patch)
        clip = "_".join(path.parent.relative_to(folder / label).parts)
        name = kept_name(label, clip, path.stem)
        if name in taken:  # a.jpg beside a.png
            name = kept_name(label, clip, path.name.replace(".", "_"))
        taken.add(name)
        picture = LabelledPicture(label, pixels, patches, name)
        try:
            keep_pictures(out, [picture])
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}", 3) from None
        yield picture


def _mask(path: Path, rgb: np.ndarray, *, crops: bool) -> np.ndarray | None:
    if crops:
        return np.ones(rgb.shape[:2], bool)
    file = path.with_name(path.stem + MASK_SUFFIX)
    if not file.exists():
        return None
    mask = read_rgb(file).max(axis=2) > 127
    if mask.shape != rgb.shape[:2]:
        raise UserError(f"{file}: expected the size of {path.name}, {rgb.shape[:2]}, got {mask.shape}")
    return mask
