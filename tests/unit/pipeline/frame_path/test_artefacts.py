from __future__ import annotations

import os
import threading

import pytest

from pipeline.frame_path.publisher.artefacts import KEPT_VERSIONS, ArtefactStore


def test_versions_count_up_and_never_change(tmp_path):
    store = ArtefactStore(tmp_path)
    assert store.latest("view/dock-03") is None
    assert store.put("view/dock-03", b"one") == "view/dock-03@1"
    assert store.put("view/dock-03", b"two") == "view/dock-03@2"
    assert store.put("view/dock-03.b", b"other") == "view/dock-03.b@1"
    assert store.get("view/dock-03@1") == b"one"
    assert store.latest("view/dock-03") == "view/dock-03@2"
    assert ArtefactStore(tmp_path).put("view/dock-03", b"three") == "view/dock-03@3"


def test_ten_versions_sort_as_numbers(tmp_path):
    store = ArtefactStore(tmp_path)
    assert [store.put("head/v", bytes([n])) for n in range(11)][-1] == "head/v@11"
    assert store.latest("head/v") == "head/v@11"


def test_writers_of_one_name_get_different_versions(tmp_path):
    names: list[str] = []
    stores = [ArtefactStore(tmp_path) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda store=store: names.extend(store.put("head/v", b"x") for _ in range(10)))
        for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names, key=lambda name: int(name.split("@")[1])) == [f"head/v@{n}" for n in range(1, 41)]


def test_a_crash_before_the_name_is_there_leaves_no_version(tmp_path, monkeypatch):
    store = ArtefactStore(tmp_path)

    def crash(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", crash)
    with pytest.raises(OSError, match="No space"):
        store.put("view/dock-03", b"half")
    assert store.latest("view/dock-03") is None
    assert list((tmp_path / "view").iterdir()) == []


@pytest.mark.parametrize("name", ["dock-03", "view/../../etc", "view/", "/view/x", "view/x@1", "view/a/b"])
def test_a_name_that_could_leave_the_store_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="expected such as view/dock-03"):
        ArtefactStore(tmp_path).put(name, b"")


def test_a_missing_version_names_the_newest_one(tmp_path):
    store = ArtefactStore(tmp_path)
    store.put("view/dock-03", b"one")
    with pytest.raises(FileNotFoundError, match="dock-03@7 is missing: the newest version is view/dock-03@1"):
        store.get("view/dock-03@7")
    with pytest.raises(ValueError, match="expected a version such as"):
        store.get("view/dock-03")


def test_old_versions_go_so_that_a_camera_that_learns_for_ever_fills_no_disk(tmp_path):
    store = ArtefactStore(tmp_path)
    store.put("view/other", b"other")
    for number in range(KEPT_VERSIONS + 5):
        store.put("view/dock-03", bytes([number]))
    kept = sorted(path.name for path in (tmp_path / "view").iterdir())
    assert len(kept) == KEPT_VERSIONS + 1
    assert "other@1" in kept
    assert store.get(f"view/dock-03@{KEPT_VERSIONS + 5}") == bytes([KEPT_VERSIONS + 4])
    with pytest.raises(FileNotFoundError, match="newest version is"):
        store.get("view/dock-03@5")
