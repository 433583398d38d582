"""`make scaling`, or `python -m tests.bench.scale [all|measure|pages]`: measure this machine, simulate the rest.

`measure` keeps what it measures in `tests/bench/scale/measured.json`; `pages` simulates from that and writes
`docs/scaling.md` with its pictures; `all` does both.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.bench.scale import findings, page

KEPT = Path(__file__).with_name("measured.json")
DOCS = Path(__file__).parents[3] / "docs"


def main(what: str = "all") -> int:
    if what not in {"all", "measure", "pages"}:
        print(f"unknown part: expected all, measure or pages, got {what}", file=sys.stderr)
        return 2
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", flush=True)

    if what != "pages":
        findings.keep(findings.take(say), KEPT)
    measured = findings.kept(KEPT)
    for each in measured.figures:
        print(f"{each.name:24} {each.value:12.6g} {each.unit:11} {each.what} ({each.source})")
    for each in measured.checks:
        print(f"{each.what}, {each.cameras} cameras: age foretold within a factor of {each.age_factor:.2f}")
    if what != "measure":
        page.write(measured, findings.simulate(measured, say), DOCS)
        say(f"{DOCS / 'scaling.md'} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
