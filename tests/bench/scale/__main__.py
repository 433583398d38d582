"""`make scaling`, or `python -m tests.bench.scale [all|measure|publishers|curve|pages]`.

`measure` keeps what it measures of this machine in `tests/bench/scale/measured.json`, `publishers` that part of it
alone, `curve` one, two and four raylets in `curve.json`; `pages` simulates from both and writes `docs/scaling.md` with
its pictures; `all` does everything.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.scale import curve, curve_page, findings, page, publishers
from tests.bench.scale.findings import Measured

KEPT = Path(__file__).with_name("measured.json")
CURVE = Path(__file__).with_name("curve.json")
DOCS = Path(__file__).parents[3] / "docs"
PARTS = ("all", "measure", "publishers", "curve", "pages")
Say = Callable[[str], None]


def main(what: str = "all") -> int:
    if what not in PARTS:
        print(f"unknown part: expected one of {', '.join(PARTS)}, got {what}", file=sys.stderr)
        return 2
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", flush=True)

    if what in {"all", "measure"}:
        findings.keep(findings.take(say), KEPT)
        _show(findings.kept(KEPT))
    if what == "publishers":
        findings.keep(findings.with_publishers(findings.kept(KEPT)), KEPT)
        _show_publishers(findings.kept(KEPT))
    if what in {"all", "curve"}:
        curve.keep(curve.measure(say), CURVE)
        print("\n\n".join(curve_page.section(curve.kept(CURVE))))
        if not curve.kept(CURVE).is_carried:
            print("others used the cores: run it again on a quiet machine", file=sys.stderr)
    if what in {"all", "pages"}:
        measured = findings.kept(KEPT)
        page.write(measured, findings.simulate(measured, say), curve.kept(CURVE) if CURVE.exists() else None, DOCS)
        say(f"{DOCS / 'scaling.md'} written")
    return 0


def _show(measured: Measured) -> None:
    for each in measured.figures:
        print(f"{each.name:24} {each.value:12.6g} {each.unit:11} {each.what} ({each.source})")
    for each in measured.checks:
        print(f"{each.what}, {each.cameras} cameras: age foretold within a factor of {each.age_factor:.2f}")


def _show_publishers(measured: Measured) -> None:
    print("publishers  owners  results/call  sink    results/s  quick call  core-ms/result")
    for each in measured.rates:
        print(
            f"{each.publishers:10}  {each.owners:6}  {each.results_per_call:12}  {each.sink:6}"
            f"  {each.results_per_second:9,.0f}  {1000 * each.call_seconds:7.2f} ms  {1000 * each.core_seconds:14.2f}"
        )
    for count, rate, core in publishers.ratios(measured.rates):
        print(f"{count} publishers, 16 owners at each: {rate:.2f} times the results/s, {core:.2f} times the core-ms")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
