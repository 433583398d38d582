"""Asks whether the system does what it is for, and writes the table that the documentation shows.

`python -m tests.bench.acceptance` plays labels and the alarm on simulated docks that nothing was fitted on, with the
controls that must fail; up to 20 minutes on two quiet cores. Exit status 1 if something does not hold.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

from operators.backbone import load_backbone
from tests.bench import acceptance_alarm, acceptance_labels

PARTS = {"labels": acceptance_labels, "alarm": acceptance_alarm}


def main(arguments: list[str]) -> int:
    """Runs the parts that were asked for; 0 if everything holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part; no file is written")
    parser.add_argument("--quick", action="store_true", help="a minute each, with the shipped depth head")
    parser.add_argument("--out", type=Path, default=Path("docs/acceptance.md"))
    asked = parser.parse_args(arguments)
    names = [asked.only] if asked.only else list(PARTS)
    texts, holds = [], True
    for name in names:
        began = time.monotonic()
        result = PARTS[name].run(quick=asked.quick, cache_dir=Path(".cache/heads"))
        holds &= all(check[3] for check in result["checks"])
        minutes = (time.monotonic() - began) / 60
        texts.append(f"## {name.capitalize()} ({minutes:.1f} minutes)\n{PARTS[name].table(result)}\n")
    if not asked.only and not asked.quick:
        asked.out.write_text(_heading() + "\n" + "\n".join(texts))
    return 0 if holds else 1


def _heading() -> str:
    backbone = load_backbone("dinov2_vits14", "standin")
    return (
        "# Acceptance\n\n"
        "Written by `make acceptance`: simulated docks whose layouts, lights, colours and schedules nothing was fitted "
        f"on. Weights: {backbone.info.origin} ({backbone.fingerprint[:12]}), not the official checkpoint. Machine: "
        f"{os.cpu_count()} cores, {platform.machine()}.\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
