"""`bank report`: how well a bank tells its own pictures apart, as a table, as JSON, and as its weakest pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import cv2
import numpy as np
import typer

from operators.picture_file import decode_picture
from operators.retrieval.bank import Bank, BankError
from operators.retrieval.bank_report import (
    GroupBy,
    Judgement,
    SetReport,
    WeakPicture,
    as_json,
    bank_reports,
    report_table,
)
from operators.retrieval.vectors import Vote
from pipeline.cli.app import UserError
from pipeline.cli.pictures.panels import contact_sheet
from pipeline.control.banks.bank_folder import PICTURES
from pipeline.frame_path.publisher.artefacts import write_whole

SHEET = "weakest.png"
_COLUMNS = 4
_CELL = (150, 260)


def report(
    bank: Annotated[Path, typer.Argument(metavar="BANK", help="Folder of a bank.")],
    *,
    vote: Annotated[str, typer.Option(help="whitened, balanced or paper, as the head votes.")] = "whitened",
    k: Annotated[int, typer.Option(min=1, help="Neighbours of the vote.")] = 20,
    temperature: Annotated[float, typer.Option(help="Of the vote.")] = 0.07,
    false_unknown: Annotated[str, typer.Option(help="Share promised by the head.")] = "5%",
    group_by: Annotated[
        str, typer.Option(help="What is one clip: folder, or prefix (names that differ in their counter alone).")
    ] = "folder",
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Print confusion, recall, unknown and spread by class; the whole clip of a picture is left out when it is judged.

    Writes report.json and weakest.png, the pictures that the others speak against, into the folder.
    """
    loaded = load_bank(bank)
    if vote not in {"whitened", "balanced", "paper"}:
        raise UserError(f"--vote: expected whitened, balanced or paper, got {vote!r}")
    if group_by not in {"folder", "prefix"}:
        raise UserError(f"--group-by: expected folder or prefix, got {group_by!r}")
    if temperature <= 0:
        raise UserError(f"--temperature: expected more than 0, got {temperature:g}")
    if not re.fullmatch(r"\d{1,2}(\.\d+)?%", false_unknown):
        raise UserError(f'--false-unknown: expected a share such as "5%", got {false_unknown!r}')
    how = Judgement(cast("Vote", vote), k, temperature, float(false_unknown[:-1]) / 100)
    if as_json_:
        print(json.dumps(_write(bank, loaded, bank_reports(loaded, how, cast("GroupBy", group_by))), indent=2))
        return
    print(f"{bank}: version {loaded.version}, made with {loaded.made_with or 'unknown weights'}")
    show_report(bank, loaded, how, cast("GroupBy", group_by))


def load_bank(folder: Path) -> Bank:
    """Raises: UserError: there is none."""
    try:
        return Bank.load(folder)
    except BankError as error:
        raise UserError(str(error), 3) from None


def save_bank(bank: Bank, folder: Path) -> None:
    """Raises: UserError: the folder cannot be written."""
    try:
        bank.save(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}", 3) from None


def show_report(folder: Path, bank: Bank, how: Judgement, group_by: GroupBy = "folder") -> tuple[SetReport, ...]:
    """Prints the table, and writes report and sheet."""
    reports = bank_reports(bank, how, group_by)
    for each in reports:
        for line in report_table(each, how):
            print(line)
    if bank.pooled is None:
        print("no masks: this bank labels whole frames, and a subject only where it is alone in view")
    about = _write(folder, bank, reports)
    weakest = reports[-1].weakest
    for each in weakest[:_COLUMNS]:
        said = "unknown" if each.is_unknown else each.called
        print(f"  weak: {each.picture} ({each.label}, called {said}, margin {each.margin:+.2f})")
    if about.get("sheet"):
        print(f"  {about['sheet']}")
    for each in about.get("not_shown", []):
        print(f"  not shown: {each}")
    return reports


def _write(folder: Path, bank: Bank, reports: tuple[SetReport, ...]) -> dict[str, Any]:
    """report.json and the sheet; returns what the report says."""
    about: dict[str, Any] = {
        "version": bank.version,
        "classes": dict(bank.counts()),
        "made_with": bank.made_with,
        "reports": [as_json(each) for each in reports],
    }
    cells, not_shown = _cells(folder, bank, reports[-1].weakest)
    if cells:
        about["sheet"] = str(folder / SHEET)
    if not_shown:
        about["not_shown"] = not_shown
    try:
        if cells:
            sheet = cv2.cvtColor(contact_sheet(cells, _COLUMNS, _CELL), cv2.COLOR_RGB2BGR)
            write_whole(folder / SHEET, cv2.imencode(".png", sheet)[1].tobytes())
        write_whole(folder / "report.json", (json.dumps(about, indent=2) + "\n").encode())
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}", 3) from None
    return about


def _cells(folder: Path, bank: Bank, weakest: Sequence[WeakPicture]) -> tuple[list[tuple[str, np.ndarray]], list[str]]:
    """(captions with pictures, why others cannot be shown); nothing of a bank whose pictures have no names."""
    cells: list[tuple[str, np.ndarray]] = []
    not_shown: list[str] = []
    for weak in weakest if bank.cls.names else ():
        path = folder / PICTURES / weak.picture
        said = "unknown" if weak.is_unknown else weak.called
        try:
            cells.append((f"{weak.label}: {said} {weak.margin:+.2f}", decode_picture(path.read_bytes())))
        except (OSError, ValueError) as error:
            not_shown.append(f"{path}: {error.strerror if isinstance(error, OSError) else error}")
    return cells, not_shown
