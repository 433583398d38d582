"""What a trained backbone adds to fitted heads: `python -m tests.bench.fitted_heads classify|depth|segment DIR`.

Runs `main.py fit` on a folder of your own pictures with given and with random weights. Each draw deals the pictures or
clips anew into those that fit, choose and judge, the same for both weights. Options that are not listed here go to
`fit`: `--shape 224x224 --hfov 57deg --steps 500`. Limits: 15 points of balanced accuracy over random weights, 0.6 of
their depth error; none for segments. The first draw reads every picture, later ones take seconds to minutes.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operators.tensor_file import from_tensor_bytes, tensor_file_kind
from tests.bench.runs import machine

PROGRAM = Path(__file__).parents[2] / "main.py"
CONTROL = "random"


@dataclass(frozen=True, slots=True)
class Judged:
    """How heads of one kind are compared."""

    figure: str
    """Its name in the head's file."""
    said: str
    """For people."""

    def verdict(self, given: np.ndarray, control: np.ndarray) -> tuple[str, bool]:
        """A sentence on figures float (draws,), and whether their means keep the limit."""
        gains = given - control
        spread = f"{gains.min():+.3f} to {gains.max():+.3f}"
        match self.figure:
            case "balanced_accuracy":
                return f"gain {gains.mean():+.3f} ({spread}), limit +0.150", bool(gains.mean() >= 0.15)
            case "abs_rel":
                ratios = given / control
                kept = float(given.mean() / control.mean())
                return f"ratio {kept:.2f} ({ratios.min():.2f} to {ratios.max():.2f}), limit 0.60", kept <= 0.6
            case _:
                return f"gain {gains.mean():+.3f} ({spread}), no limit", True


KINDS = {
    "classify": Judged("balanced_accuracy", "balanced accuracy"),
    "depth": Judged("abs_rel", "absolute relative error"),
    "segment": Judged("mean_iou", "mean IoU"),
}


def figure_of(kind: str, folder: Path, weights: str, seed: int, options: Sequence[str]) -> float:
    """What `fit` says of the pictures that its head had not seen."""
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as name:
        head = Path(name) / "head.safetensors"
        command = [sys.executable, str(PROGRAM), "fit", kind, str(folder), "--out", str(head), "--weights", weights]
        done = subprocess.run(
            [*command, "--seed", str(seed), *options], check=False, capture_output=True, encoding="utf-8"
        )
        if done.returncode:
            raise SystemExit(done.stderr.strip() or f"fit ended with {done.returncode}")
        data = head.read_bytes()
    _, about = from_tensor_bytes(tensor_file_kind(data), data)
    return float(about["figures"][KINDS[kind].figure])


def compare(kind: str, folder: Path, weights: str, draws: int, options: Sequence[str]) -> bool:
    """Prints the table of one folder; whether the limit is kept."""
    judged = KINDS[kind]
    print(f"{folder.name}: {judged.said} by draw ({machine()}, fit {kind} {' '.join(options)})")
    print(f"  draw  {weights:>10}  {CONTROL:>10}")
    rows: list[tuple[float, float]] = []
    for seed in range(draws):
        given, control = (figure_of(kind, folder, each, seed, options) for each in (weights, CONTROL))
        print(f"  {seed:>4}  {given:>10.3f}  {control:>10.3f}", flush=True)
        rows.append((given, control))
    table = np.array(rows)
    sentence, is_kept = judged.verdict(table[:, 0], table[:, 1])
    mean = "  ".join(f"{each:>10.3f}" for each in table.mean(axis=0))
    print(f"  mean  {mean}  {sentence}{'' if is_kept else ': NOT KEPT'}")
    return is_kept


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every folder keeps its limit."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fitted_heads", description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="laid out as docs/fitting.md says")
    parser.add_argument("--weights", default="standin", help="official, standin, or the path of a file")
    parser.add_argument("--draws", type=int, default=4)
    given, options = parser.parse_known_args(arguments)
    kept = [compare(given.kind, folder, given.weights, given.draws, options) for folder in given.folders]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
