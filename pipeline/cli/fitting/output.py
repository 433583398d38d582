"""Where a fitted head goes, its bars, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from operators.backbone import Engine
from pipeline.cli.app import UserError
from pipeline.cli.inputs import parse_shapes
from pipeline.cli.pictures.lettering import save

SUFFIX = ".safetensors"
NewBar = Callable[[str, int], Callable[[int], None]]
"""(what, how many in all) to a function that is told how many are done."""


@contextmanager
def bars() -> Generator[NewBar]:
    """Progress on stderr."""
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def new(what: str, total: int) -> Callable[[int], None]:
            task = progress.add_task(what, total=total)
            return lambda done: progress.update(task, completed=done)

        yield new


def check_out(out: Path) -> None:
    """Raises: UserError: a head cannot lie there."""
    if out.suffix != SUFFIX:
        raise UserError(f"--out: expected a file that ends in {SUFFIX}, got {out}")
    if out.is_dir():
        raise UserError(f"--out: {out} is a folder: expected the path of a file")


def fit_shapes(texts: list[str], backbone: str) -> tuple[tuple[int, int], ...]:
    """Shapes of one shorter side: that is what a head is for.

    Raises:
        UserError: they differ in it.
    """
    shapes = parse_shapes(texts, backbone)
    if len({min(shape) for shape in shapes}) > 1:
        raise UserError(f"--shape: expected shapes of one shorter side, got {', '.join(texts)}")
    return shapes


def print_model(engine: Engine) -> None:
    """Whose tokens the head reads."""
    info = engine.backbone.info
    print(f"{engine.backbone.arch.name}, weights {info.weights} ({info.origin}), {info.fingerprint[:12]}")


def write_head(out: Path, data: bytes, sheet: np.ndarray) -> None:
    """The head, then its picture beside it; each appears whole or not at all.

    Raises:
        UserError: they cannot be written.
    """
    fresh = out.with_name(f".{out.name}.new")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(data)
        fresh.replace(out)
        save(out.with_suffix(".jpg"), sheet)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}", 3) from None


def print_head(out: Path, kind: str, recipe: str, licence: str) -> None:
    """Where it is, how it was made, and how a configuration names it."""
    print(f"{out}: {recipe}; licence {licence}")
    print(f"to look at: {out.with_suffix('.jpg')}")
    print(f"in a configuration:\n  heads:\n    {out.stem}: {{kind: {kind}, checkpoint: {out}}}")


def table_lines(classes: Sequence[str], table: np.ndarray, values: np.ndarray, what: str) -> Iterator[str]:
    """A confusion (truth by row) with a figure per class; shares in percent where the counts are large."""
    width = max(len(name) for name in classes)
    totals = table.sum(axis=1, keepdims=True)
    is_large = table.max() >= 100_000
    shown = np.round(100 * table / np.maximum(totals, 1)).astype(int) if is_large else table
    unit = "percent of the truth" if is_large else "counts"
    yield f"  rows: truth, columns: {', '.join(classes)} ({unit})"
    for name, row, value in zip(classes, shown, values, strict=True):
        figure = f"{what} {value:.2f}" if np.isfinite(value) else "not judged"
        yield f"  {name:<{width}}  {' '.join(f'{each:6d}' for each in row)}   {figure}"
