"""How well a pose is found from floor markings: `python -m tests.bench.pose_from_floor`; a minute on one core."""

from __future__ import annotations

import sys

import numpy as np

from operators.scene.pose_from_floor import solve_pose
from tests.floor_scenes import SIZE, random_scene

SEED, NUM_POSES = 2_026, 150


def main() -> None:
    """Prints the errors of pitch, height and field of view over random poses that the solver never saw."""
    _say(f"{NUM_POSES} random poses each, 640 x 360, bays of 2.5 to 4.2 m by 2.5 to 6 m; p50 / p90 / worst")
    for noise_px in (1.0, 2.0):
        for count in (1, 2, 3):
            for is_typed in (False, True):
                _say(row(noise_px, count, is_hfov_typed=is_typed))


def row(noise_px: float, num_rectangles: int, *, is_hfov_typed: bool) -> str:
    """One line of the table."""
    rng = np.random.default_rng([SEED, round(10 * noise_px), num_rectangles])
    errors: list[tuple[float, float, float]] = []
    sure: list[bool] = []
    for _ in range(NUM_POSES):
        scene = random_scene(rng, num_rectangles=num_rectangles, noise_px=noise_px)
        pose = scene.pose
        found = solve_pose(scene.rectangles, SIZE, {"hfov": pose.hfov} if is_hfov_typed else {})
        height = 100 * abs(found.height_metres / pose.height - 1)
        errors.append((abs(found.pitch_degrees - pose.pitch), height, abs(found.hfov_degrees - pose.hfov)))
        sure.append(not found.weak)
    table = np.array(errors)
    pitch, height, hfov = ("{:.2f} / {:.2f} / {:.2f}".format(*np.percentile(each, [50, 90, 100])) for each in table.T)
    says_sure = table[np.array(sure), 0]
    worst = f"{says_sure.max():.2f}" if says_sure.size else "-"
    return (
        f"noise {noise_px:g} px, {num_rectangles} rectangle(s), hfov {'typed' if is_hfov_typed else 'found'}: "
        f"pitch {pitch} deg, height {height} %, hfov {hfov} deg; called sure {np.mean(sure):.0%}, worst pitch of "
        f"those {worst} deg; within 1 deg {np.mean(table[:, 0] < 1):.1%}"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
