"""The publishers' states of one run: how many there are, and how another number of publishers takes them over.

A move writes the new states into a folder beside the old ones, and one rename of that folder decides: before it the old
states count, after it the new ones, whatever is killed when. What is left to do then can be done again and again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from pipeline.control.planning.topology import publisher_index
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import sync_folder
from pipeline.frame_path.publisher.state_db import STATE_FILE
from pipeline.frame_path.publisher.state_deal import deal
from pipeline.frame_path.publisher.state_holdings import Holding, holdings

_FOLDER = re.compile(r"publish-(\d+)")
_HALF = "publishers-moving-to-"
"""With the number: new states being written; the old ones count."""
_WHOLE = "publishers-moved-to-"
"""Likewise: the new states, which count, and are not all in their places yet."""
_LOGS = ("-wal", "-journal", "-shm")


def publisher_states(state_dir: Path) -> dict[int, Path]:
    """The database of each publisher by its number, ascending."""
    found: dict[int, Path] = {}
    for path in state_dir.glob(f"publish-*/{STATE_FILE}"):
        if match := _FOLDER.fullmatch(path.parent.name):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def check_publishers(state_dir: Path, wanted: int, config: str | Path) -> None:
    """Episodes, outbox and what was learnt of a camera lie with its publisher: as many must start as made the state.

    Raises:
        PipelineError: it was made by another number; it names the command that moves it.
    """
    there = len(publisher_states(state_dir))
    if there not in {0, wanted}:
        of = f"{there} publisher{'' if there == 1 else 's'}"
        msg = (
            f"{state_dir} is the state of {of}: expected runtime.publishers: {there}, got {wanted}. "
            f"Keep the number, or move the state: python main.py state move {config} --publishers {wanted}"
        )
        raise PipelineError(msg, code="publishers")


def moved_holdings(before: Mapping[int, Mapping[str, Holding]], count: int) -> dict[int, dict[str, Holding]]:
    """By publisher and camera, where what `before` names goes."""
    found: dict[int, dict[str, Holding]] = {number: {} for number in range(count)}
    every = {camera: each for of in before.values() for camera, each in of.items()}
    for camera in sorted(every):
        found[publisher_index(camera, count)][camera] = every[camera]
    return found


def move_publishers(state_dir: Path, count: int) -> None:
    """Gives the state of every camera to the publisher that it has among `count`. Holds for good when this returns; a
    kill at any moment leaves the old state or the new one, see `finish_move`.

    The caller holds the lock on `state_dir` and has called `finish_move`.

    Raises:
        PipelineError: a publisher still holds its state, a state is of another version or cannot be written; nothing
            has changed.
    """
    before = publisher_states(state_dir)
    half, whole = state_dir / f"{_HALF}{count}", state_dir / f"{_WHOLE}{count}"
    try:
        try:
            half.mkdir()
            _write(before, [half / f"{number}.sqlite" for number in range(count)])
            sync_folder(half)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
        half.rename(whole)
        sync_folder(state_dir)
        _put_in_place(state_dir, whole, count)
    except OSError as error:
        raise _unwritable(error) from None


def finish_move(state_dir: Path) -> str:
    """What a killed move left: finished where the new states were whole, else taken away. Returns a sentence about it,
    or nothing. The caller holds the lock on `state_dir`.

    Raises:
        PipelineError: `state_dir` cannot be written.
    """
    said: list[str] = []
    try:
        for count, whole in _left(state_dir, _WHOLE):
            _put_in_place(state_dir, whole, count)
            said.append(f"a move to {count} publishers was interrupted at its end, and is finished now")
        for count, half in _left(state_dir, _HALF):
            shutil.rmtree(half)
            said.append(f"a move to {count} publishers was interrupted before it changed anything; its rest is removed")
    except OSError as error:
        raise _unwritable(error) from None
    return "; ".join(said)


def _left(state_dir: Path, prefix: str) -> list[tuple[int, Path]]:
    found = [(path.name.removeprefix(prefix), path) for path in state_dir.glob(f"{prefix}*")]
    return [(int(count), path) for count, path in found if count.isdecimal()]


def _write(before: Mapping[int, Path], targets: list[Path]) -> None:
    """The new states, durable, and the same in sum as the old ones."""
    count = len(targets)
    deal(list(before.values()), targets, lambda camera: publisher_index(camera, count))
    expected = moved_holdings({number: holdings(path) for number, path in before.items()}, count)
    written = {number: holdings(path) for number, path in enumerate(targets)}
    if written != expected:
        cameras = sorted(
            camera
            for number in range(count)
            for camera in expected[number].keys() | written[number].keys()
            if expected[number].get(camera) != written[number].get(camera)
        )
        msg = (
            f"the moved state is not what the old one was, of {', '.join(cameras)}: nothing was changed. "
            "This is a fault of the program: keep a copy of state_dir and report it"
        )
        raise PipelineError(msg, code="state_move")
    for path in targets:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _put_in_place(state_dir: Path, whole: Path, count: int) -> None:
    """From where the new states are whole to their places; each step can be done twice."""
    for number in range(count):
        fresh, place = whole / f"{number}.sqlite", state_dir / f"publish-{number}" / STATE_FILE
        if fresh.exists():
            place.parent.mkdir(exist_ok=True)
            _remove_logs(place)
            fresh.replace(place)
            sync_folder(place.parent)
    for number, path in publisher_states(state_dir).items():
        if number >= count:
            _remove_logs(path)
            path.unlink()
            if not any(path.parent.iterdir()):  # what somebody else has put there stays
                path.parent.rmdir()
    sync_folder(state_dir)
    shutil.rmtree(whole)
    sync_folder(state_dir)


def _remove_logs(path: Path) -> None:
    """Of a state that does not count any more, and never before it: SQLite would lay them over the new one."""
    for suffix in _LOGS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _unwritable(error: OSError) -> PipelineError:
    msg = f"state_dir cannot be written: {error.strerror} ({error.filename}). Free disk space or check the permissions"
    return PipelineError(msg, code="state_unwritable")
