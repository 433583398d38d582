"""A move that is killed leaves the old state or the new one, and the next start finds which."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.control.publisher_states import finish_move, move_publishers, publisher_states
from tests.fakes_publishers import CAMERAS, EPISODES, Run, active, dump, ids, lived, near

ROOT = Path(__file__).parents[4]
NUM_KILLS = 6
NUM_LAST = 6
"""Kills within what is left to do once the new state counts: a fortieth of the lines."""


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A state of two publishers, as a kill left it."""
    folder = tmp_path_factory.mktemp("origin")
    lived(folder, 2).kill()
    return folder


class Mover:
    """`tests.fakes_move_child`, which moves and is killed on demand."""

    def __init__(self):
        command = [sys.executable, "-m", "tests.fakes_move_child"]
        self.child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def move(self, folder, count, kill_at=0):
        """The number of lines, or `killed`."""
        self.child.stdin.write(f"{folder / 'state'} {count} {kill_at}\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def end(self):
        self.child.stdin.close()
        self.child.stdout.close()
        assert self.child.wait(30) == 0


@pytest.fixture(scope="module")
def mover():
    made = Mover()
    yield made
    made.end()


@pytest.mark.parametrize("count", [1, 4])
def test_killed_at_any_moment_the_state_is_the_old_one_or_the_new_one_and_starts(tmp_path, origin, mover, count):
    before, numbers = dump(origin / "state"), []
    num_lines = int(mover.move(copy(origin, tmp_path / "calm"), count))
    first_last = num_lines - num_lines // 40
    picked = random.Random(count)
    moments = {*picked.sample(range(1, num_lines), NUM_KILLS), *picked.sample(range(first_last, num_lines), NUM_LAST)}
    last = max(moments)
    for moment in sorted(moments):
        folder = copy(origin, tmp_path / str(moment))
        assert mover.move(folder, count, moment) == "killed"
        said = finish_move(folder / "state")
        numbers.append(len(publisher_states(folder / "state")))
        assert sorted(publisher_states(folder / "state")) == list(range(numbers[-1])), moment
        assert dump(folder / "state") == before, moment
        assert list((folder / "state").glob("publishers-*")) == []
        assert numbers[-1] == count or "is finished now" not in said
        assert numbers[-1] == 2 or "its rest is removed" not in said
        shutil.rmtree(folder) if moment != last else assert_it_goes_on(folder, numbers[-1])
    assert set(numbers) == {2, count}


def copy(origin, folder):
    shutil.copytree(origin, folder)
    return folder


def assert_it_goes_on(folder, count):
    """Real publishers: the episodes are on, no start comes again, each end comes once."""
    run = Run(folder, count)
    assert active(run.made) == EPISODES
    for each in run.sinks:
        each["redis"].seen.clear()
    for name in CAMERAS:
        near(run, name, range(60, 63), 5.0)
    alerts = ids(
        each for each in run.seen("redis") if each.type.startswith("dinostream.alert.") and "evid" not in each.id
    )
    assert {name: [each for each in found if "/state/" not in each] for name, found in alerts.items()} == {
        name: [f"{name}/too_close/1/end"] for name in CAMERAS
    }
    run.close()


def test_what_sqlite_would_lay_over_a_state_goes_with_the_old_one(tmp_path, origin):
    folder = copy(origin, tmp_path / "run")
    before = dump(origin / "state")
    old = folder / "state/publish-0/publisher.sqlite"
    (folder / "state/publishers-moved-to-2").mkdir()
    shutil.copy(old, folder / "state/publishers-moved-to-2/0.sqlite")
    old.with_name("publisher.sqlite-wal").write_bytes(b"of the old one")
    finish_move(folder / "state")
    assert [each.name for each in old.parent.iterdir()] == ["publisher.sqlite"]
    assert dump(folder / "state") == before


def test_what_is_killed_while_it_puts_right_an_interrupted_move_is_put_right_again(tmp_path, origin, monkeypatch):
    folder = copy(origin, tmp_path / "run")
    before = dump(origin / "state")
    replace = Path.replace
    left = [2]

    def two_and_no_more(path, target):
        if not left[0]:
            raise RuntimeError
        left[0] -= 1
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", two_and_no_more)
    with pytest.raises(RuntimeError):
        move_publishers(folder / "state", 4)
    left[0] = 1
    with pytest.raises(RuntimeError):
        finish_move(folder / "state")
    left[0] = 9
    assert finish_move(folder / "state") == "a move to 4 publishers was interrupted at its end, and is finished now"
    assert dump(folder / "state") == before
    assert finish_move(folder / "state") == ""
