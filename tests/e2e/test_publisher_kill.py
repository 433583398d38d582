from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes_publisher_child import FRAMES_PER_APPROACH

NUM_FRAMES = 300
ROOT = Path(__file__).parents[2]


def run(folder: Path, lease: int, kill_after: int | None = None) -> bool:
    """Runs the publisher; kills it with SIGKILL after so many calls. Returns whether it came to its end."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.fakes_publisher_child", str(folder), str(lease), str(NUM_FRAMES)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for number, _ in enumerate(child.stdout, 1):
            if number == kill_after:
                child.kill()
                break
        child.stdout.close()
        return child.wait(60) == 0


def first_seen(folder: Path) -> list[str]:
    """Ids as a consumer has them that removes duplicates."""
    return list(dict.fromkeys((folder / "sink.txt").read_text().splitlines()))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_killed_again_and_again_a_publisher_says_the_same_as_one_that_never_was(tmp_path, seed):
    assert run(tmp_path / "calm", 1)
    expected = first_seen(tmp_path / "calm")
    random_calls = random.Random(seed)
    folder, lease = tmp_path / "killed", 1
    for _ in range(4):
        run(folder, lease, kill_after=random_calls.randint(1, 40))
        lease += 1
    assert run(folder, lease)

    said = first_seen(folder)
    assert sorted(said) == sorted(expected)
    for kind in ("/result", "start", "end"):
        assert [each for each in said if each.endswith(kind)] == [each for each in expected if each.endswith(kind)]
    num_starts = sum(each.endswith("/start") and "/state/" not in each for each in said)
    assert num_starts == NUM_FRAMES // FRAMES_PER_APPROACH


def test_a_second_publisher_cannot_write_beside_one_that_lives(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.fakes_publisher_child", str(folder), "1", "1000000"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        second = subprocess.run(
            [*command[:-2], "2", "10"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        child.kill()
        child.stdout.close()
    assert second.returncode != 0
    assert "state is held by another process" in second.stderr
