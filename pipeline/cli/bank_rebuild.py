"""`bank rebuild`: the pictures that a bank keeps, embedded by other weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from operators.retrieval.bank import Bank, BankError
from operators.retrieval.bank_report import Judgement, SetReport, bank_reports
from operators.retrieval.build_bank import LabelledPicture, build_bank
from operators.retrieval.vectors import VectorSet
from pipeline.cli.app import UserError
from pipeline.cli.bank_report import load_bank, save_bank, show_report
from pipeline.cli.inputs import engine_of, parse_shapes, patch_of
from pipeline.control.banks.bank_folder import PICTURES, keep_pictures, kept_pictures


def rebuild(
    bank: Annotated[Path, typer.Argument(metavar="BANK", help="Folder of a bank.")],
    *,
    weights: Annotated[str, typer.Option(help="official, standin, random, or the path of a file.")],
    backbone: Annotated[str, typer.Option(help="Architecture.")] = "dinov2_vits14",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    shape: Annotated[
        list[str] | None, typer.Option(help="Height x width such as 224x392; left out: those of the kept pictures.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Another folder; left out: this one gets the new version.")] = None,
    k: Annotated[int, typer.Option(min=1, help="Neighbours of the report's vote.")] = 20,
) -> None:
    """Embed the kept pictures again with these weights, and say what that changes.

    A pipeline that runs keeps the version it has; start it again with the same weights.
    """
    old = load_bank(bank)
    asked = parse_shapes(shape, backbone) if shape else None
    target = out or bank
    try:
        pictures = list(kept_pictures(bank, old))
        shapes = asked or _kept_shapes(bank, pictures, patch_of(backbone))
        engine = engine_of(backbone, weights, precision)
        new = build_bank(pictures, engine, shapes, _progress(len(pictures)))
    except BankError as error:
        raise UserError(str(error), 3) from None
    _keep(bank, target, pictures)
    before = bank_reports(old, Judgement(k=k))
    save_bank(new, target)
    print(f"{target}: version {new.version}, made with {new.made_with} ({engine.backbone.info.origin})")
    print(f"before: version {old.version}, made with {old.made_with or 'unknown weights'}")
    after = show_report(target, new, Judgement(k=k))
    for line in compared(old, new, before, after):
        print(line)


def compared(old: Bank, new: Bank, before: Sequence[SetReport], after: Sequence[SetReport]) -> list[str]:
    """What became better or worse, and whether the weights gave the same vectors."""
    lines: list[str] = []
    for first, second in zip(before, after, strict=False):
        change = second.balanced_accuracy - first.balanced_accuracy
        lines.append(
            f"{second.what}: balanced accuracy {first.balanced_accuracy:.3f} before, {second.balanced_accuracy:.3f} "
            f"now ({change:+.3f}); unknown though known {first.held_out_false_unknown:.1%} before, "
            f"{second.held_out_false_unknown:.1%} now"
        )
    same = _least_cosine(old.cls, new.cls)
    if same is not None:
        lines.append(f"the same space: least cosine of a picture to its old vector {same:.5f}")
    return lines


def _least_cosine(old: VectorSet, new: VectorSet) -> float | None:
    if old.space != new.space or old.names != new.names:
        return None
    return float(np.einsum("nd,nd->n", old.vectors, new.vectors).min())


def _kept_shapes(bank: Path, pictures: Sequence[LabelledPicture], patch: int) -> list[tuple[int, int]]:
    """(H, W) of the kept pictures.

    Raises:
        BankError: one has a size that the backbone does not take.
    """
    for each in pictures:
        if each.rgb.shape[0] % patch or each.rgb.shape[1] % patch:
            size = f"{each.rgb.shape[0]}x{each.rgb.shape[1]}"
            raise BankError(
                f"a source picture does not fit: {bank / PICTURES / each.name}: expected multiples of {patch} pixels, "
                f"got {size}. Build the bank again, or say --shape"
            )
    return sorted({each.rgb.shape[:2] for each in pictures})


def _keep(bank: Path, target: Path, pictures: Sequence[LabelledPicture]) -> None:
    if target.resolve() == bank.resolve():
        return
    try:
        keep_pictures(target, pictures)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}", 3) from None


def _progress(total: int):  # noqa: ANN202 - a closure for the bar
    def told(done: int) -> None:
        if done % 100 < 4:
            print(f"embedded {done} of {total}")

    return told
