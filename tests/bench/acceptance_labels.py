"""Labels: what a subject is called, with one and with two movers in view, and from a bank with a class of five."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from operators.backbone import Engine, load_backbone
from operators.heads.shipped import shipped_head
from operators.results import Analysis, Label
from operators.retrieval.bank import Bank
from pipeline.simulation import KNOWN_KINDS, POSES, Kind
from pipeline.simulation.depth_heads import head_for_view
from tests.bench.alarm_pose import fit_heads
from tests.bench.label_pictures import SHAPE, Chain, Shot, Site, fewer
from tests.bench.label_tracks import figures_of, is_own, most_of, watch

POSES_JUDGED = ("P0", "P2", "P3")
FIRST_SITE = 730_000
"""Seeds of the docks that are reported. Whatever is tuned is tuned on docks from 760 000 on."""
PER_CLASS = 20
"""Pictures a class in the bank."""
SMALL, LARGE = 5, 80
ENOUGH = 60
"""Movers in pairs, below which a difference of two shares is noise (0.09 at 60) and is printed, not judged."""

PAIRS: tuple[tuple[Kind, Kind], ...] = (("forklift", "person"), ("person", "truck"), ("truck", "forklift"))


@dataclass(frozen=True)
class Asked:
    """What was said of one mover."""

    kind: str
    frame: str
    """Label of the whole picture behind the presence gate."""
    subject: str | None
    """Best class of the subject that covers most of it; None: no subject touches it."""
    shown: str
    """The same as a user sees it: `unknown` where the bank holds nothing near enough."""
    exact: str
    """Best class by the true mask: what better masks could still give."""
    is_own: bool
    """Whether that subject is hardly a part of another mover too."""
    num_subjects: int
    """In its picture."""
    others: dict[str, str]
    """Best class by the other banks."""


def run(*, quick: bool = False, poses: Sequence[str] = POSES_JUDGED, cache_dir: Path | None = None) -> dict[str, Any]:
    """Asks everything and prints its table.

    Args:
        quick: One pose, fewer pictures, the shipped depth head where there is one, no random weights.
        poses: Names in `pipeline.simulation.pose.POSES`.
        cache_dir: Where fitted depth heads are kept; left out: nowhere.

    Returns:
        `poses`: figures per pose; `checks`: (what, value, limit, whether it holds).
    """
    torch.set_num_threads(1)  # lanes, not threads
    with tempfile.TemporaryDirectory() as folder:
        heads = cache_dir or Path(folder)
        engine = _engine("standin")
        if quick:
            figures = {"P0": _figures(engine, "P0", heads, asked=8, with_small=False, use_shipped=True)}
        else:
            at_random = _engine("random")
            asked = [*((engine, pose) for pose in poses), (at_random, poses[0])]
            fit_heads([(each, POSES[pose].view()) for each, pose in asked], heads)
            figures = {pose: full_figures(engine, pose, heads, is_first=pose == poses[0]) for pose in poses}
            random = random_figures(at_random, poses[0], heads)
            figures[poses[0]] |= {f"random_{name}": value for name, value in random.items()}
    result = {"poses": figures, "checks": checks(figures)}
    print(table(result))  # noqa: T201 - a bench shows its table
    return result


def full_figures(engine: Engine, pose: str, heads: Path, *, is_first: bool) -> dict[str, float]:
    """What is reported of one pose; of the first one more than of the others."""
    return _figures(engine, pose, heads, asked=20, with_small=is_first, clips=5)


def random_figures(engine: Engine, pose: str, heads: Path) -> dict[str, float]:
    """The same with random weights, of fewer pictures."""
    return _figures(engine, pose, heads, asked=10, with_small=False, exact_bank=True)


def _engine(weights: str) -> Engine:
    return Engine(load_backbone("dinov2_vits14", weights))


def _figures(
    engine: Engine,
    pose: str,
    heads: Path,
    *,
    asked: int,
    with_small: bool,
    use_shipped: bool = False,
    exact_bank: bool = False,
    clips: int = 0,
) -> dict[str, float]:
    """Everything that is printed of one pose. `asked` movers a class alone, two thirds of it of each pair, and `clips`
    in which two pass each other.
    """
    depth = shipped_head(engine.backbone.fingerprint) if use_shipped else None
    depth = depth or head_for_view(engine, POSES[pose].view(), SHAPE, heads)
    site = Site(pose, FIRST_SITE + sorted(POSES).index(pose))
    chain = Chain(engine, depth, site)
    full = chain.bank(LARGE if with_small else PER_CLASS, exact_masks=exact_bank)
    banks = {"vehicles": fewer(full, [PER_CLASS] * 3)}
    if with_small:
        for index, kind in enumerate(KNOWN_KINDS):
            counts = [SMALL if index == other else LARGE for other in range(3)]
            banks[f"few_{kind}"] = banks[f"few_{kind}_paper"] = fewer(full, counts)
    ones = _ask(chain, site, banks, 2, [(kind,) for kind in KNOWN_KINDS for _ in range(asked)])
    pairs = _ask(chain, site, banks, 3, [pair for pair in PAIRS for _ in range(asked * 2 // 3)])
    figures = {
        "one_subject": balanced(ones, "subject"),
        "one_frame": balanced(ones, "frame"),
        "one_shown": balanced(ones, "shown"),
        "one_exact_mask": balanced(ones, "exact"),
        "one_missed": float(np.mean([each.subject is None for each in ones])),
        "one_subjects_a_picture": float(np.mean([each.num_subjects for each in ones])),
        "two_subject": balanced(pairs, "subject"),
        "two_shown": balanced(pairs, "shown"),
        "two_frame": balanced(pairs, "frame"),
        "two_gain": balanced(pairs, "subject") - balanced(pairs, "frame"),
        "two_exact_mask": balanced(pairs, "exact"),
        "two_separated": float(np.mean([each.is_own for each in pairs])),
        "two_missed": float(np.mean([each.subject is None for each in pairs])),
        "two_subjects_a_picture": float(np.mean([each.num_subjects for each in pairs])),
        "num_one": len(ones),
        "num_two": len(pairs),
    }
    figures |= {f"one_{kind}": value for kind, value in by_kind(ones, "subject").items()}
    figures |= {f"two_{kind}": value for kind, value in by_kind(pairs, "subject").items()}
    if clips:
        figures |= figures_of(watch(chain, site, banks["vehicles"], 4, clips), KNOWN_KINDS)
    if with_small:
        for name in [name for name in banks if name != "vehicles"]:
            kind = name.split("_")[1]
            right = [each.others.get(name) == kind for each in ones if each.kind == kind]
            figures[f"{name}_recall"] = float(np.mean(right))
    return figures


def _ask(
    chain: Chain, site: Site, banks: dict[str, Bank], purpose: int, wanted: Sequence[Sequence[Kind]]
) -> list[Asked]:
    shots = list(site.shots(purpose, wanted))
    exact = [best for _, best in chain.exact(shots, banks["vehicles"])]
    asked: list[Asked] = []
    for (shot, analysis), best in zip(chain.look(shots, banks), exact, strict=True):
        asked.extend(_asked(shot, analysis, index, best[index]) for index in range(len(shot.patches)))
    return asked


def _asked(shot: Shot, analysis: Analysis, index: int, exact: str) -> Asked:
    own = shot.patches[index]
    which = most_of(analysis.subjects, own)
    best = None if which is None else analysis.subjects[which]
    others = np.any([patches for at, patches in enumerate(shot.patches) if at != index] or [np.zeros_like(own)], axis=0)
    return Asked(
        kind=shot.kinds[index],
        frame=_best(analysis.labels)["vehicles"],
        subject=_best(best.labels)["vehicles"] if best else None,
        shown=next(label.name for label in best.labels if label.head == "vehicles") if best else "",
        exact=exact,
        is_own=best is not None and is_own(best, others),
        num_subjects=len(analysis.subjects),
        others=_best(best.labels) if best else {},
    )


def _best(labels: Sequence[Label]) -> dict[str, str]:
    """Best class by head; `empty` where nothing stands there."""
    return {label.head: label.top[0][0] if label.top else label.name for label in labels}


def balanced(asked: Sequence[Asked], field: str) -> float:
    """Mean over the kinds of the share that is called right; a mover that was missed is called wrong."""
    return float(np.mean(list(by_kind(asked, field).values())))


def by_kind(asked: Sequence[Asked], field: str) -> dict[str, float]:
    """Share called right, by kind."""
    return {
        kind: float(np.mean([getattr(each, field) == kind for each in asked if each.kind == kind]))
        for kind in KNOWN_KINDS
    }


def checks(figures: dict[str, dict[str, float]]) -> list[tuple[str, float, str, bool]]:
    """(what, value, limit, whether it holds)."""
    found: list[tuple[str, float, str, bool]] = []

    def at_least(what: str, value: float, limit: float) -> None:
        found.append((what, value, f">= {limit:.2f}", value >= limit))

    for pose, each in figures.items():
        at_least(f"{pose}: one mover, subject's label", each["one_subject"], 0.80)
        if each["num_two"] >= ENOUGH:
            at_least(f"{pose}: two movers, subject's label", each["two_subject"], 0.80)
            at_least(f"{pose}: two movers, over the whole frame", each["two_gain"], 0.15)
        if "random_one_subject" in each:
            value = each["random_one_subject"]
            found.append((f"{pose}: random weights, one mover", value, "<= 0.45", value <= 0.45))
        recalls = [each[f"few_{kind}_recall"] for kind in KNOWN_KINDS if f"few_{kind}_recall" in each]
        if recalls:
            at_least(f"{pose}: recall of a class of {SMALL} against two of {LARGE}", float(np.mean(recalls)), 0.80)
    return found


def table(result: dict[str, Any]) -> str:
    """Markdown: the checks, then every figure."""
    lines = ["| labels | value | limit | |", "|---|---|---|---|"]
    lines += [
        f"| {what} | {value:.2f} | {limit} | {'ok' if ok else '**no**'} |"
        for what, value, limit, ok in result["checks"]
    ]
    poses = list(result["poses"])
    lines += ["", f"| figure | {' | '.join(poses)} |", f"|---|{'---|' * len(poses)}"]
    names = dict.fromkeys(name for pose in poses for name in result["poses"][pose])
    for name in names:
        values = [result["poses"][pose].get(name) for pose in poses]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join('' if v is None else f'{v:.2f}' for v in values)} |")
    return "\n".join(lines)
