"""What a node without the state's folder gets from the one that has it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from operators.backbone.config import ModelConfig
from pipeline.control.actors.depot import PART_BYTES, Depot
from pipeline.control.actors.node_store import NodeStore, weights_file, with_weights_here
from pipeline.errors import PipelineError
from pipeline.frame_path.publisher.artefacts import KEPT_VERSIONS, ArtefactStore


class Counted:
    """A depot that counts what it is asked for."""

    def __init__(self, depot):
        self._depot = depot
        self.asked = []

    def __getattr__(self, name):
        def call(*arguments):
            self.asked.append((name, *arguments))
            return getattr(self._depot, name)(*arguments)

        return call


@pytest.fixture
def there(tmp_path):
    """The state's folder, on another machine."""
    return tmp_path / "there" / "artefacts"


@pytest.fixture
def store(there):
    return ArtefactStore(there)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("DINOSTREAM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "there" / "mine.pth"
    path.parent.mkdir()
    path.write_bytes(bytes(range(256)) * 3000)
    return path


def test_a_node_asks_once_for_each_version_and_reads_its_own_copy_afterwards(there, store, tmp_path):
    depot = Counted(Depot(there, None))
    node = NodeStore(tmp_path / "here", depot, tmp_path / "cache")
    first = store.put("view/dock", b"one")
    assert (node.latest("view/dock"), node.latest("view/gate")) == (first, None)
    assert [node.get(first), node.get(first)] == [b"one", b"one"]
    again = NodeStore(tmp_path / "here", depot, tmp_path / "cache")
    assert again.get(first) == b"one"
    assert depot.asked.count(("get", first)) == 1
    second = store.put("view/dock", b"two")
    assert node.latest("view/dock") == second
    assert node.get(second) == b"two"


def test_another_state_that_counts_from_one_again_is_another_cache(there, store, tmp_path):
    name = store.put("view/dock", b"old")
    assert NodeStore(tmp_path / "here", Depot(there, None), tmp_path / "cache").get(name) == b"old"
    fresh = tmp_path / "fresh" / "artefacts"
    assert ArtefactStore(fresh).put("view/dock", b"new") == name
    assert NodeStore(tmp_path / "here", Depot(fresh, None), tmp_path / "cache").get(name) == b"new"


def test_where_the_state_is_nothing_is_copied(there, store, tmp_path):
    depot = Counted(Depot(there, None))
    node = NodeStore(there, depot, tmp_path / "cache")
    assert node.get(store.put("view/dock", b"one")) == b"one"
    assert depot.asked == [("identity",)]
    assert not (tmp_path / "cache").exists()


def test_old_versions_leave_the_cache(there, store, tmp_path):
    node = NodeStore(tmp_path / "here", Depot(there, None), tmp_path / "cache")
    for number in range(KEPT_VERSIONS + 3):
        node.get(store.put("view/dock", str(number).encode()))
    assert len(list((tmp_path / "cache").rglob("dock@*"))) == KEPT_VERSIONS


def test_what_is_nowhere_is_missing(there, tmp_path):
    with pytest.raises(FileNotFoundError):
        NodeStore(tmp_path / "here", Depot(there, None), tmp_path / "cache").get("view/dock@3")


def test_weights_come_in_parts_are_checked_and_kept_by_their_content(there, weights, monkeypatch):
    monkeypatch.setattr("pipeline.control.actors.depot.PART_BYTES", 100_000)
    model = ModelConfig(weights=str(weights))
    wanted = weights_file(model)
    data = weights.read_bytes()
    assert (wanted.sha256, wanted.num_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    depot = Counted(Depot(there, wanted))
    weights.rename(weights.with_name("moved.pth"))
    depot._depot._weights = type(wanted)(weights.with_name("moved.pth"), wanted.sha256, wanted.num_bytes)
    here = with_weights_here(model, wanted, depot)
    assert Path(here.weights).read_bytes() == data
    assert wanted.sha256 in here.weights
    assert len(depot.asked) == 8
    assert with_weights_here(model, wanted, depot) == here
    assert len(depot.asked) == 8, "it has them"


def test_weights_that_are_not_what_was_named_are_refused(there, weights):
    model = ModelConfig(weights=str(weights))
    wanted = weights_file(model)
    depot = Depot(there, wanted)
    moved = weights.with_name("moved.pth")
    weights.rename(moved)
    moved.write_bytes(b"x" * wanted.num_bytes)
    depot._weights = type(wanted)(moved, wanted.sha256, wanted.num_bytes)
    with pytest.raises(PipelineError, match=r"mine.pth is another file: expected sha256 .*, got "):
        with_weights_here(model, wanted, depot)


def test_a_file_that_the_node_has_is_used_as_it_is(there, weights):
    model = ModelConfig(weights=str(weights))
    depot = Counted(Depot(there, weights_file(model)))
    assert with_weights_here(model, weights_file(model), depot).weights == str(weights)
    assert depot.asked == []
    assert weights_file(ModelConfig(weights="random")) is None
    assert PART_BYTES > 1 << 20


def test_a_node_fetches_weights_from_their_address_and_asks_the_depot_where_it_does_not_get_there(there, weights):
    data = weights.read_bytes()
    bucket = fsspec.filesystem("memory")
    bucket.pipe_file("/depot/mine.pth", data)
    model = ModelConfig(weights=str(weights))
    wanted = weights_file(model, "memory://depot/mine.pth")
    moved = weights.rename(weights.with_name("moved.pth"))
    depot = Counted(Depot(there, replace(wanted, path=moved)))
    found = Path(with_weights_here(model, wanted, depot).weights)
    assert (found.read_bytes(), found.name, depot.asked) == (data, "mine.pth", [])
    found.unlink()
    bucket.pipe_file("/depot/mine.pth", b"others")
    assert Path(with_weights_here(model, wanted, depot).weights).read_bytes() == data, "never other weights"
    found.unlink()
    bucket.rm_file("/depot/mine.pth")
    assert Path(with_weights_here(model, wanted, depot).weights) == found
    assert {name for name, *_ in depot.asked} == {"part"}
