from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from operators.retrieval.vectors import SpaceMismatchError
from pipeline.errors import GalleryError
from pipeline.gallery import store as gallery_store
from pipeline.gallery.blocks import Wanted
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.intake import Intake
from pipeline.gallery.search import Gallery
from pipeline.gallery.store import GalleryStore
from tests.fakes_gallery import BEGAN_NS, SECOND, SUBJECT_SPACE, direction, result, subject

ROOT = Path(__file__).resolve().parents[4]
KILLS = int(os.environ.get("KILLS", "4"))


def filled(folder: Path, numbers: range, config: GalleryConfig | None = None) -> GalleryStore:
    """A store with one subject a frame, one batch a frame."""
    config = config or GalleryConfig(store=str(folder))
    store = GalleryStore(config)
    intake = Intake(config, store)
    for number in numbers:
        body = result(number, subject(direction(number)))
        intake.take([body], {"topic/0": str(number + 1)}, BEGAN_NS + number * SECOND)
    return store


def seqs(gallery: Gallery) -> list[int]:
    """Of every record, sorted, repetitions included."""
    frames = [block.record(row).frame for block in gallery._blocks for row in range(len(block.columns))]
    return sorted(int(frame.rpartition("/")[2]) for frame in frames)


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_store, "SEAL_RECORDS", 10)


@pytest.mark.usefixtures("small_segments")
def test_what_was_added_is_found_again_sealed_or_not(tmp_path: Path) -> None:
    store = filled(tmp_path, range(25))
    status = store.status()
    assert (status.num_records, status.num_segments) == (25, 2)
    gallery = Gallery.open(tmp_path)  # beside the writer
    store.close()
    assert seqs(gallery) == list(range(25))
    for number in (0, 9, 10, 24):
        found = gallery.search(direction(number), SUBJECT_SPACE, 1)
        assert found[0].record.frame == f"dock-1/17/{number}"
        assert found[0].cosine == pytest.approx(1.0, abs=2e-3)
        assert found[0].record.label == "vehicles: forklift"
        (record,) = gallery.records_of(f"dock-1/17/{number}")
        assert np.abs(record.values - direction(number)).max() < 1e-3
    assert gallery.records_of("dock-1/17/25") == []


@pytest.mark.usefixtures("small_segments")
def test_a_store_goes_on_where_it_was(tmp_path: Path) -> None:
    filled(tmp_path, range(13)).close()
    store = GalleryStore(GalleryConfig(store=str(tmp_path)))
    assert store.position == {"topic/0": "13"}
    assert store.counts["kept"] == 13
    assert store.status().num_records == 13
    assert len(store.live) == 3
    store.close()


def test_a_log_torn_at_any_byte_loses_that_batch_and_none_before_it(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    filled(whole, range(3)).close()
    (path,) = (whole / "logs").glob("*.log")
    data = path.read_bytes()
    lengths = []
    for number in range(4):
        part = tmp_path / f"first{number}"
        filled(part, range(number)).close()
        lengths.append(next((part / "logs").glob("*.log")).stat().st_size)
    for size in range(lengths[0], len(data), 23):
        torn = tmp_path / "torn"
        shutil.copytree(whole, torn, dirs_exist_ok=True)
        (torn / "logs" / path.name).write_bytes(data[:size])
        num_whole = sum(length <= size for length in lengths) - 1
        assert seqs(Gallery.open(torn)) == list(range(num_whole))  # a reader changes nothing
        assert (torn / "logs" / path.name).stat().st_size == size
        store = GalleryStore(GalleryConfig(store=str(torn)))
        assert store.counts["torn_bytes"] == size - lengths[num_whole]
        assert store.position == ({"topic/0": str(num_whole)} if num_whole else {})
        store.close()
        filled(torn, range(num_whole, 3)).close()
        assert seqs(Gallery.open(torn)) == [0, 1, 2]
        shutil.rmtree(torn)


def test_a_damaged_byte_is_never_believed(tmp_path: Path) -> None:
    filled(tmp_path, range(3)).close()
    (path,) = (tmp_path / "logs").glob("*.log")
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    assert seqs(Gallery.open(tmp_path)) == [0, 1]


@pytest.mark.usefixtures("small_segments")
def test_a_crash_between_a_new_log_and_the_sealed_segment_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_loss(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gallery_store, "write_segment", power_loss)
    config = GalleryConfig(store=str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        filled(tmp_path, range(10), config)
    monkeypatch.undo()
    assert len(list((tmp_path / "logs").glob("*.log"))) == 2
    assert seqs(Gallery.open(tmp_path)) == list(range(10))
    (tmp_path / "segments" / "000000001.part").mkdir()  # half made
    store = GalleryStore(config)
    assert (store.status().num_segments, store.status().num_records) == (1, 10)
    assert store.position == {"topic/0": "10"}
    assert seqs(Gallery.open(tmp_path)) == list(range(10))
    store.close()


def test_every_acknowledged_record_is_there_once_after_kills_at_random_moments(tmp_path: Path) -> None:
    rng = random.Random(5)
    acknowledged = 0
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes_gallery_child", str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(rng.randrange(1, 40)):
            acknowledged = int(child.stdout.readline())
        for _ in range(rng.randrange(20_000)):  # some way into the next batch
            pass
        child.kill()
        rest = child.stdout.read().split()
        child.wait()
        acknowledged = int(rest[-1]) if rest else acknowledged
        found = seqs(Gallery.open(tmp_path))
        assert found[:acknowledged] == list(range(acknowledged))
        assert found == list(range(len(found)))
    store = GalleryStore(GalleryConfig(store=str(tmp_path)))
    assert store.status().num_records == len(found)
    assert store.position == {"topic/0": str(len(found))}
    store.close()


@pytest.mark.usefixtures("small_segments")
def test_the_oldest_part_goes_by_age_and_is_counted(tmp_path: Path) -> None:
    config = GalleryConfig(store=str(tmp_path), keep=20.0)  # a segment a second of them, by PARTS
    store = filled(tmp_path, range(60), config)
    held = seqs(Gallery.open(tmp_path))
    assert held == list(range(held[0], 60))
    assert 60 - 20 - 3 <= held[0] <= 60 - 20
    assert store.counts["dropped_records"] == held[0]
    store.close()
    again = GalleryStore(config)
    assert again.counts["dropped_records"] == held[0]
    again.close()


def test_the_oldest_part_goes_by_bytes(tmp_path: Path) -> None:
    config = GalleryConfig(store=str(tmp_path), max_bytes=40_000)
    store = filled(tmp_path, range(200), config)
    assert store.num_bytes <= 40_000
    on_disk = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert on_disk <= 40_000 + 100
    held = seqs(Gallery.open(tmp_path))
    assert held == list(range(held[0], 200))
    assert store.counts["dropped_records"] == held[0] > 0
    store.close()


def test_one_writer(tmp_path: Path) -> None:
    store = filled(tmp_path, range(1))
    with pytest.raises(GalleryError, match=f"written to by process {os.getpid()}"):
        GalleryStore(GalleryConfig(store=str(tmp_path)))
    store.close()
    GalleryStore(GalleryConfig(store=str(tmp_path))).close()


def test_an_append_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path, range(2))
    size = store.num_bytes

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        config = GalleryConfig(store=str(tmp_path))
        with pytest.raises(GalleryError, match="No space left on device"):
            Intake(config, store).take([result(2, subject(direction(2)))], {"topic/0": "3"}, BEGAN_NS)
    assert next((tmp_path / "logs").glob("*.log")).stat().st_size == size
    assert store.position == {"topic/0": "2"}
    store.close()


def test_vectors_of_another_space_never_meet(tmp_path: Path) -> None:
    config = GalleryConfig(store=str(tmp_path))
    store = GalleryStore(config)
    other = "c" * 64
    bodies = [
        result(0, subject(direction(1))),
        result(1, subject(direction(1, 24)), subject_space=other),
    ]
    Intake(config, store).take(bodies, {}, BEGAN_NS)
    store.close()
    gallery = Gallery.open(tmp_path)
    assert [each.record.frame for each in gallery.search(direction(1), SUBJECT_SPACE, 5)] == ["dock-1/17/0"]
    assert [each.record.frame for each in gallery.search(direction(1, 24), other, 5)] == ["dock-1/17/1"]
    with pytest.raises(SpaceMismatchError, match=r"the query lives in dddd.*the gallery holds 1 subject vectors of"):
        gallery.search(direction(1), "d" * 64, 5)


def test_search_by_camera_and_since(tmp_path: Path) -> None:
    config = GalleryConfig(store=str(tmp_path))
    store = GalleryStore(config)
    bodies = [
        result(seq, subject(direction(7) + direction(seq)), camera=camera, seconds=seq * 100)
        for seq in range(4)
        for camera in ("dock-1", "dock-2")
    ]
    Intake(config, store).take(bodies, {}, BEGAN_NS)
    store.close()
    gallery = Gallery.open(tmp_path)

    def frames(wanted: Wanted) -> list[str]:
        return sorted(each.record.frame for each in gallery.search(direction(7), SUBJECT_SPACE, 10, wanted))

    assert len(frames(Wanted())) == 8
    assert frames(Wanted(camera="dock-2")) == [f"dock-2/17/{seq}" for seq in range(4)]
    assert frames(Wanted(camera="dock-9")) == []
    assert frames(Wanted(since_ns=BEGAN_NS + 250 * SECOND)) == ["dock-1/17/3", "dock-2/17/3"]
    near = Wanted(not_frame="dock-1/17/0", not_near=("dock-1", BEGAN_NS + 100 * SECOND, 30 * SECOND))
    assert frames(near) == ["dock-1/17/2", "dock-1/17/3", *(f"dock-2/17/{seq}" for seq in range(4))]


def test_answers_are_different_moments_however_many_are_alike(tmp_path: Path) -> None:
    """The best thousand are one moment; the others must still be found behind them."""
    config = GalleryConfig(store=str(tmp_path), same_above=1.0)
    store = GalleryStore(config)
    exact = direction(1)
    bodies = [result(seq, subject(exact + 0.1 * direction(seq)), seconds=seq * 0.01) for seq in range(1000)]
    bodies += [result(seq, subject(exact + direction(seq)), seconds=seq) for seq in range(1000, 1100, 5)]
    Intake(config, store).take(bodies, {}, BEGAN_NS)
    store.close()
    found = Gallery.open(tmp_path).search(exact, SUBJECT_SPACE, 3)
    times = [(each.record.rule_time_ns - BEGAN_NS) / SECOND for each in found]
    assert times[0] < 10
    assert len(times) == 3
    assert all(abs(a - b) >= 30 for i, a in enumerate(times) for b in times[:i])


@pytest.mark.usefixtures("small_segments")
def test_the_ranking_over_segments_has_no_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first segment's best are one moment, its next ones still better than all of the second."""
    monkeypatch.setattr(gallery_store, "SEAL_RECORDS", 60)
    config = GalleryConfig(store=str(tmp_path), same_above=1.0)
    store = GalleryStore(config)
    intake = Intake(config, store)
    near = [result(seq, subject(direction(1) + 0.1 * direction(100 + seq)), seconds=0.01 * seq) for seq in range(50)]
    next_best = [result(seq, subject(direction(1) + 0.3 * direction(100 + seq)), seconds=seq) for seq in range(50, 60)]
    intake.take([*near, *next_best], {}, BEGAN_NS)
    far = [result(seq, subject(direction(1) + direction(100 + seq)), seconds=10 * seq) for seq in range(60, 90)]
    intake.take(far, {}, BEGAN_NS)
    store.close()
    found = Gallery.open(tmp_path).search(direction(1), SUBJECT_SPACE, 2)
    assert [int(each.record.frame.rpartition("/")[2]) // 10 for each in found][1] == 5


def test_no_gallery_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match=r"no gallery at .*main\.py gallery CONFIG"):
        Gallery.open(tmp_path / "nowhere")
