"""The section of `docs/scaling.md` about one, two and four raylets, and its picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.frame_path.owner.camera_flow import MAILBOX_CAPACITY
from tests.bench.scale.curve import RAYLETS, SECONDS, Curve, Window
from tests.bench.scale.plots import stacked
from tests.bench.scale.processes import KINDS
from tests.bench.scale.site import FPS, NAMES

PICTURE = "pictures/scaling-curve.svg"
HALF, MORE = FPS
HEAD = (
    "nodes", "asked", "analysed", "foretold", "ratio", "age p50", "foretold", "ratio", "age p99", "a lane",
    "core-ms a frame",
)  # fmt: skip
TEXT = """\
## One node and more

The same {count} cameras (small pictures from files in realtime, ViT-S/14 of random weights at 56x98) in one process
without Ray, and on one, two and four raylets of this machine; medians of rounds 0-1-2-4-4-2-1-0 of {seconds:.0f} s each
(`python -m tests.bench.scale curve`; {machine}; `tests/bench/scale/curve.json`). Nodes share two cores, with a lane for
each core, and four nodes have four lanes. So **more nodes cannot give more here**: the table shows what they cost. It
does not show how the rate grows with machines of their own, nor what a network between them takes.

The simulation is told how long the lane took in each row, when each camera's pictures came, and what a lonely frame
takes besides without Ray; it knows nothing of what nodes take from each other's cores but for the lane's time. Where
more is asked than lanes give, files wait: the age is that of {capacity} pictures in each camera's mailbox, which the
simulation, made for live cameras, does not foretell."""
COST = """\
Cores in use by kind of process, divided by analysed frames, at {half:.0f} pictures/s asked. {ray} A raylet on which
nothing runs takes {raylet:.1f} ms of a core a second, and what Ray starts beside it {rest:.1f} ms; Ray's global store
takes {gcs:.1f} ms. Four nodes take {node:+.2f} core-ms a frame beside one, for each node added."""


MISSING = """\
## One node and more

Not measured yet on a machine with two cores to spare: `python -m tests.bench.scale curve` runs the same cameras in one
process without Ray and on one, two and four raylets, and `pages` writes the table. More nodes cannot give more on the
same cores; what it shows is what each of them takes, and what Ray itself does."""


def section(curve: Curve | None) -> list[str]:
    """Parts of the page, in order; None, or cores that others used: only how to measure it."""
    if curve is None or not curve.is_carried:
        return [MISSING]
    return [
        TEXT.format(count=len(NAMES), seconds=SECONDS, machine=curve.machine, capacity=MAILBOX_CAPACITY),
        table(HEAD, rows(curve)),
        f"![core-ms a frame]({PICTURE})",
        COST.format(half=HALF * len(NAMES), ray=_ray(curve), node=_a_node(curve), **_idle(curve)),
        table(("nodes", *KINDS, "all"), kinds(curve)),
    ]


def rows(curve: Curve) -> Iterable[Sequence[str]]:
    for fps in FPS:
        for raylets in RAYLETS:
            each = curve.at(raylets, fps)
            yield (
                _name(each),
                f"{fps * len(NAMES):.0f}/s",
                f"{each.analysed:.1f}/s",
                f"{each.foretold:.1f}/s",
                f"{each.foretold / each.analysed:.2f}",
                f"{1000 * each.age_p50_seconds:,.0f} ms",
                f"{1000 * each.foretold_p50_seconds:,.0f} ms" if fps == HALF else "",
                f"{each.foretold_p50_seconds / each.age_p50_seconds:.2f}" if fps == HALF else "",
                f"{1000 * each.age_p99_seconds:,.0f} ms",
                f"{1000 * each.lane_seconds:,.1f} ms",
                f"{1000 * each.core_seconds:.1f}",
            )


def kinds(curve: Curve) -> Iterable[Sequence[str]]:
    """Core-ms a frame at the lower load."""
    for raylets in RAYLETS:
        each = curve.at(raylets, HALF)
        parts = [1000 * each.cores.get(kind, 0.0) / each.analysed for kind in KINDS]
        yield (_name(each), *(f"{part:.2f}" if part else "" for part in parts), f"{sum(parts):.1f}")


def picture(curve: Curve) -> str:
    """SVG: a bar for each number of nodes, of what takes the cores."""
    bars = [(_name(each), _parts(each)) for raylets in RAYLETS for each in [curve.at(raylets, HALF)]]
    return stacked(f"core-ms a frame, at {HALF * len(NAMES):.0f} pictures/s", bars)


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _parts(window: Window) -> list[tuple[str, float]]:
    return [(kind, 1000 * window.cores.get(kind, 0.0) / window.analysed) for kind in KINDS]


def _name(window: Window) -> str:
    return str(window.raylets) if window.raylets else "no Ray"


def _ray(curve: Curve) -> str:
    alone, one = curve.at(0, HALF), curve.at(1, HALF)
    return (
        f"Ray itself, with its processes and the copies between them, takes "
        f"{1000 * (one.core_seconds - alone.core_seconds):.1f} core-ms a frame: one node takes "
        f"{1000 * one.core_seconds:.1f}, one process without Ray {1000 * alone.core_seconds:.1f}."
    )


def _a_node(curve: Curve) -> float:
    one, four = curve.at(1, HALF), curve.at(4, HALF)
    return 1000 * (four.core_seconds - one.core_seconds) / 3


def _idle(curve: Curve) -> dict[str, float]:
    """Milliseconds of a core a second, of one raylet."""
    found = {"raylet": 0.0, "rest": 0.0, "gcs": 0.0}
    for raylets, cores in curve.idle.items():
        share = 1000 / len(curve.idle)
        found["raylet"] += share * cores.get("raylet", 0.0) / raylets
        found["rest"] += share * cores.get("rest of Ray", 0.0) / raylets
        found["gcs"] += share * cores.get("gcs", 0.0)
    return found
