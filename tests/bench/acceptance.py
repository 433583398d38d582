"""Asks whether the system does what it is for, and writes the table that the documentation shows.

`python -m tests.bench.acceptance [depth | labels | alarm]` plays them on simulated docks that nothing was fitted on,
with the controls that must fail; half an hour on two quiet cores. Exit status 1 if something does not hold.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import time
from pathlib import Path

from operators.backbone import load_backbone
from tests.bench import acceptance_alarm, acceptance_depth, acceptance_labels

PARTS = {"depth": acceptance_depth, "labels": acceptance_labels, "alarm": acceptance_alarm}


def main(arguments: list[str]) -> int:
    """Runs the parts that were asked for; 0 if everything holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="one part; the page keeps what it says of the other")
    parser.add_argument("--quick", action="store_true", help="a minute each, with the shipped depth head; no page")
    parser.add_argument("--out", type=Path, default=Path("docs/acceptance.md"))
    asked = parser.parse_args(arguments)
    sections: dict[str, str] = {}
    holds = True
    for name in [asked.part] if asked.part else list(PARTS):
        began = time.monotonic()
        result = PARTS[name].run(quick=asked.quick, cache_dir=Path(".cache/heads"))
        holds &= all(check[3] for check in result["checks"])
        minutes = (time.monotonic() - began) / 60
        sections[name] = f"Took {minutes:.0f} minutes.\n\n{PARTS[name].table(result).strip()}\n"
    if not asked.quick:
        before = asked.out.read_text(encoding="utf-8") if asked.out.exists() else ""
        asked.out.write_text(page(before, sections), encoding="utf-8")
    return 0 if holds else 1


def page(before: str, sections: dict[str, str]) -> str:
    """The page with new sections, and with those of `before` that were not run again."""
    kept = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", before, flags=re.MULTILINE | re.DOTALL))
    texts = {name: sections.get(name) or kept.get(name.capitalize(), "Not run.\n") for name in PARTS}
    return _heading() + "".join(f"\n## {name.capitalize()}\n\n{text.strip()}\n" for name, text in texts.items())


def _heading() -> str:
    backbone = load_backbone("dinov2_vits14", "standin")
    return (
        "# Acceptance\n\n"
        "Written by `make acceptance`: simulated docks whose layouts, lights, colours and schedules nothing was\n"
        "fitted on, four lights learnt, stains and moving shadow edges on the floor. Weights: the stand-in\n"
        f"({backbone.fingerprint[:12]}), not the official checkpoint. Machine: {os.cpu_count()} cores, "
        f"{platform.machine()}.\n\n"
        "The alarm's cameras are set up as a site would: height, pitch and field of view from two painted bays\n"
        "that somebody marked (1.3 pixels off, standard deviation), the yaw typed to about a degree; the head\n"
        "fitted at what was found; the empty view from 20 pictures that the product's learner sorts by light; a\n"
        "bank of 20 pictures a class; a forklift driven in to 2.5, 3.5 and 5 m. Visits are sampled at 2 fps, empty\n"
        "scenes and the parked half hour every two seconds. Judged is the rule as written; the *critical* one\n"
        "fires by the drive-ins' margin earlier, and *in time* counts approaches that start no later than by\n"
        "readings of the exact truth.\n\n"
        "*p90 over that of random weights* counts a frame in which no subject was found as a reading of 8 m: random\n"
        "weights find a subject in hardly any frame. What they reach where they do find one is among the figures\n"
        "(`random p90`), and judged by nothing, as are the contact point of what differs in pixels (`pixels`) and a\n"
        "depth head of other poses (`other head`).\n\n"
        "*Two*: pictures of two movers of different kinds. *Passing*: clips in which two pass each other; *vote*\n"
        "is what the track is called, *alone* what its frame alone says, *frame* what the whole picture is called.\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
