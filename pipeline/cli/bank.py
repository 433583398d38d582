"""`bank build`: a folder of labelled pictures becomes a bank."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from operators.backbone.preprocess import place
from operators.frames import nearest_shape
from operators.retrieval.bank import Bank, BankError
from operators.retrieval.build_bank import LabelledPicture, build_bank
from operators.retrieval.vectors import VectorSet, Vote
from pipeline.cli.app import UserError
from pipeline.cli.inputs import MASK_SUFFIX, engine_of, parse_shapes, pictures_under, read_rgb

app = typer.Typer(no_args_is_help=True, help="Banks of labelled pictures.")


@app.callback()
def _group() -> None:
    """Banks of labelled pictures."""


@app.command()
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
    """Makes a bank and prints how well it tells its own pictures apart, each left out once.

    NAME.jpg may have its mask beside it in NAME.mask.png (white where the thing is): then the bank labels subjects, not
    only whole frames.
    """
    paths = _labelled_paths(folder)
    shapes = parse_shapes(shape or [])
    engine = engine_of(backbone, weights, precision)
    try:
        bank = build_bank(_pictures(paths, crops=crops), engine, shapes)
    except BankError as error:
        raise UserError(str(error)) from None
    report = {"shapes": [f"{h}x{w}" for h, w in shapes], "leave_one_out": _confusions(bank, k)}
    bank.save(out, report)
    for label, path in paths:
        _keep_small(path, out / "pictures" / label, shapes)
    print(f"{out}: version {bank.version}, made with {bank.made_with} ({engine.backbone.info.origin})")
    print(", ".join(f"{name} {count}" for name, count in bank.counts()))
    for line in report_lines(bank, k):
        print(line)


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


def _pictures(paths: list[tuple[str, Path]], *, crops: bool) -> Iterator[LabelledPicture]:
    for label, path in paths:
        rgb = read_rgb(path)
        yield LabelledPicture(label, rgb, _mask(path, rgb, crops=crops), path.stem)


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


def _keep_small(path: Path, folder: Path, shapes: tuple[tuple[int, int], ...]) -> None:
    """Model-size copies, so that the bank can be made again for other weights."""
    rgb = read_rgb(path)
    pixels, _ = place(rgb, nearest_shape((rgb.shape[0], rgb.shape[1]), shapes))
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{path.stem}.jpg"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def _sets(bank: Bank) -> Iterator[tuple[str, VectorSet]]:
    yield "whole pictures", bank.cls
    if bank.pooled is not None:
        yield "things under masks", bank.pooled


def _confusion(bank: Bank, vectors: VectorSet, k: int, vote: Vote = "balanced") -> np.ndarray:
    return vectors.leave_one_out(len(bank.classes), vote=vote, k=k, temperature=0.07)


def _confusions(bank: Bank, k: int) -> dict[str, list[list[int]]]:
    return {what: _confusion(bank, vectors, k).tolist() for what, vectors in _sets(bank)}


def report_lines(bank: Bank, k: int) -> Iterator[str]:
    """Confusion and recall per class by leave-one-out, for each kind of vector."""
    width = max(len(name) for name in bank.classes)
    for what, vectors in _sets(bank):
        confusion = _confusion(bank, vectors, k)
        yield f"{what}, each left out once, balanced vote of {k} (rows: truth, columns: {', '.join(bank.classes)})"
        recalls: list[float] = []
        for name, row in zip(bank.classes, confusion, strict=True):
            count = int(row.sum())
            recall = row[bank.classes.index(name)] / count if count else 0.0
            recalls.append(float(recall))
            yield f"  {name:<{width}}  {' '.join(f'{each:5d}' for each in row)}   recall {recall:.2f}"
        yield f"  balanced accuracy {float(np.mean(recalls)):.2f}"
    if bank.pooled is None:
        yield "no masks: this bank labels whole frames, and a subject only where it is alone in view"
