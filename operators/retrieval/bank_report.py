"""How well a bank tells its own pictures apart, each judged by the pictures of all other clips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from operators.retrieval.bank import Bank
from operators.retrieval.left_out import LeftOut, leave_out_clips
from operators.retrieval.vectors import VectorSet, Vote, clip_of

GroupBy = Literal["folder", "prefix"]
NUM_WEAKEST = 12
_COUNTER = re.compile(r"[-_ ]*\d+$")


@dataclass(frozen=True, slots=True)
class Judgement:
    """As the head that applies the bank is configured."""

    vote: Vote = "whitened"
    k: int = 20
    temperature: float = 0.07
    false_unknown: float = 0.05


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One class."""

    name: str
    pictures: int
    clips: int
    recall: float | None
    """Share called by its name, known or not; None: its only clip cannot be left out of the only class."""
    false_unknown: float | None
    """Share that is called unknown."""
    spread: tuple[float, float, float] | None
    """Cosine to the nearest picture of another clip of the class: 5th percentile, median, 95th."""


@dataclass(frozen=True, slots=True)
class WeakPicture:
    """One that the others speak against."""

    picture: str
    label: str
    called: str
    margin: float
    """Vote share of its own class less the best other's."""
    is_unknown: bool


@dataclass(frozen=True, slots=True)
class SetReport:
    """Of whole pictures, or of the things under masks."""

    what: str
    classes: tuple[ClassReport, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are true classes, columns what is said."""
    balanced_accuracy: float
    promised_false_unknown: float
    held_out_false_unknown: float
    weakest: tuple[WeakPicture, ...]
    has_clips: bool
    """Whether any two pictures are known to be of one clip."""


def bank_reports(bank: Bank, how: Judgement, group_by: GroupBy = "folder") -> tuple[SetReport, ...]:
    """One report for each kind of vector that the bank has."""
    sets = [("whole pictures", bank.cls), ("things under masks", bank.pooled)]
    return tuple(
        _report(what, bank.classes, grouped(vectors, group_by), how) for what, vectors in sets if vectors is not None
    )


def grouped(vectors: VectorSet, group_by: GroupBy) -> VectorSet:
    """With `prefix`, pictures whose names differ in the counter at their end alone are one clip, measured again."""
    if group_by == "folder" or not vectors.names:
        return vectors
    names = [f"{clip_of_prefix(name)}/{index}" for index, name in enumerate(vectors.names)]
    return VectorSet.of(vectors.space, vectors.vectors, vectors.labels, names)


def clip_of_prefix(name: str) -> str:
    """`pallet/door_0001.jpg` to `pallet/door`; a folder inside the class stays."""
    stem = name.rpartition(".")[0]
    return _COUNTER.sub("", stem) or clip_of(name)


def _report(what: str, classes: tuple[str, ...], vectors: VectorSet, how: Judgement) -> SetReport:
    left = leave_out_clips(
        vectors,
        len(classes),
        vote=how.vote,
        k=how.k,
        temperature=how.temperature,
        false_unknown=how.false_unknown,
    )
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (vectors.labels[left.told], left.best[left.told]), 1)
    reports = tuple(_class_report(name, index, vectors, left) for index, name in enumerate(classes))
    recalls = [each.recall for each in reports if each.recall is not None]
    clips = vectors.clips
    return SetReport(
        what=what,
        classes=reports,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        balanced_accuracy=float(np.mean(recalls)) if recalls else 0.0,
        promised_false_unknown=how.false_unknown,
        held_out_false_unknown=float(left.is_unknown[left.told].mean()) if left.told.any() else 0.0,
        weakest=tuple(_weakest(classes, vectors, left)),
        has_clips=len(np.unique(clips)) < len(clips),
    )


def _class_report(name: str, index: int, vectors: VectorSet, left: LeftOut) -> ClassReport:
    mine = vectors.labels == index
    asked = mine & left.told
    own = vectors.own[mine & np.isfinite(vectors.own)]
    spread = np.quantile(own, (0.05, 0.5, 0.95)) if own.size else None
    return ClassReport(
        name=name,
        pictures=int(mine.sum()),
        clips=len(np.unique(vectors.clips[mine])),
        recall=float((left.best[asked] == index).mean()) if asked.any() else None,
        false_unknown=float(left.is_unknown[asked].mean()) if asked.any() else None,
        spread=None if spread is None else (float(spread[0]), float(spread[1]), float(spread[2])),
    )


def _weakest(classes: tuple[str, ...], vectors: VectorSet, left: LeftOut) -> Iterator[WeakPicture]:
    """Those that are called wrong or unknown, and then those that nearly are."""
    margins = np.where(left.told, left.margin, np.inf)
    order = np.lexsort((vectors.own, margins, ~left.is_unknown & (margins >= 0)))
    for row in order[:NUM_WEAKEST]:
        if left.told[row]:
            yield WeakPicture(
                picture=vectors.names[row] if vectors.names else f"number {row}",
                label=classes[vectors.labels[row]],
                called=classes[left.best[row]],
                margin=float(left.margin[row]),
                is_unknown=bool(left.is_unknown[row]),
            )


def report_table(report: SetReport, how: Judgement) -> Iterator[str]:
    """For people."""
    width = max(8, *(len(each.name) for each in report.classes))
    names = ", ".join(each.name for each in report.classes)
    left_out = "each left out with its clip" if report.has_clips else "each left out once"
    yield f"{report.what}, {left_out}, {how.vote} vote (columns: said {names})"
    yield f"  {'class':<{width}} pictures clips  recall unknown  nearest of its own (5 %, half, 95 %)"
    for each, row in zip(report.classes, report.confusion, strict=True):
        spread = "-" if each.spread is None else " ".join(f"{value:.2f}" for value in each.spread)
        yield (
            f"  {each.name:<{width}} {each.pictures:8d} {each.clips:5d} {_share(each.recall)} "
            f"{_share(each.false_unknown)}  {spread:<16} | {' '.join(f'{count:5d}' for count in row)}"
        )
    yield (
        f"  balanced accuracy {report.balanced_accuracy:.2f}; called unknown though known: promised "
        f"{report.promised_false_unknown:.1%}, held out {report.held_out_false_unknown:.1%}"
    )
    if not report.has_clips:
        yield "  neighbouring frames flatter: put those of one clip into a folder of their own, or --group-by prefix"


def as_json(report: SetReport) -> dict[str, Any]:
    """Plain values."""
    return {
        "what": report.what,
        "balanced_accuracy": round(report.balanced_accuracy, 4),
        "false_unknown": {
            "promised": report.promised_false_unknown,
            "held_out": round(report.held_out_false_unknown, 4),
        },
        "classes": {
            each.name: {
                "pictures": each.pictures,
                "clips": each.clips,
                "recall": each.recall,
                "false_unknown": each.false_unknown,
                "nearest_of_its_own": each.spread,
            }
            for each in report.classes
        },
        "confusion": [list(row) for row in report.confusion],
        "weakest": [
            {
                "picture": each.picture,
                "class": each.label,
                "called": "unknown" if each.is_unknown else each.called,
                "margin": round(each.margin, 4),
            }
            for each in report.weakest
        ],
    }


def _share(value: float | None) -> str:
    return "      -" if value is None else f"{value:7.2f}"
