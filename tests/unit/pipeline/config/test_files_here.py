"""Weights, heads and banks that a configuration names by an address."""

import hashlib
from pathlib import Path

import fsspec
import numpy as np
import pytest

from operators.retrieval.bank import Bank
from operators.retrieval.vectors import VectorSet
from pipeline.config.files_here import awaited, fetched, here
from pipeline.config.loader import load_config
from pipeline.config.problems import ConfigError
from pipeline.config.readiness import not_there
from pipeline.errors import PipelineError

CONFIG = """
version: 1
model: {{weights: "{weights}"}}
heads:
  vehicles: {{kind: knn, bank: "memory://site/vehicles"}}
  metres: {{kind: depth, checkpoint: "memory://site/depth.pth"}}
cameras:
  dock:
    source: {{simulated: dock}}
    heads: [vehicles, metres]
    rules:
      truck: {{measure: score(vehicles.{named}), enter: "> 0.6", exit: "< 0.4"}}
sinks: {{jsonl: {{path: "{folder}/results.jsonl"}}}}
runtime: {{state_dir: "{folder}/state"}}
"""
WEIGHTS = b"weights"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A bucket with weights, a depth head and a bank."""
    monkeypatch.setenv("DINOSTREAM_CACHE", str(tmp_path / "cache"))
    vectors = VectorSet("space", np.eye(2, 4, dtype=np.float32), np.arange(2), np.zeros(2, np.float32))
    bucket = fsspec.filesystem("memory")
    bucket.pipe_file("/site/v.pth", WEIGHTS)
    bucket.pipe_file("/site/depth.pth", b"depth")
    bucket.pipe_file("/site/vehicles/bank.safetensors", Bank(("truck", "van"), vectors).to_bytes())
    yield bucket
    bucket.rm("/site", recursive=True)


@pytest.fixture
def configured(tmp_path):
    def write(weights="memory://site/v.pth", named="truck"):
        path = tmp_path / "cameras.yaml"
        path.write_text(CONFIG.format(weights=weights, named=named, folder=tmp_path))
        return load_config(path)

    return write


@pytest.mark.usefixtures("store")
def test_addresses_become_paths_of_this_machine(configured):
    said = []
    found = fetched(configured(), said.append)
    assert Path(found.model.weights).read_bytes() == WEIGHTS
    assert Bank.load(Path(found.heads["vehicles"].bank)).classes == ("truck", "van")
    assert Path(found.heads["metres"].checkpoint).read_bytes() == b"depth"
    assert "fetching memory://site/v.pth" in said
    assert here(configured()) == found


def test_the_first_copy_decides_what_an_address_is_and_says_so(store, configured):
    said, again = [], []
    fetched(configured(), said.append)
    assert any(f"memory://site/v.pth: sha256 {SHA256}; this state expects it" in each for each in said)
    store.rm_file("/site/v.pth")
    assert fetched(configured(), again.append) == here(configured())
    assert again == [], "nobody is asked"


def test_another_content_under_the_same_address_is_refused_until_someone_wants_it(store, configured, tmp_path):
    first = fetched(configured(), lambda _: None).model.weights
    Path(first).unlink()
    store.pipe_file("/site/v.pth", b"others")
    told = (
        r"^model.weights: memory://site/v.pth is another file: expected sha256 .* take the address out of fetched.json"
    )
    with pytest.raises(PipelineError, match=told):
        fetched(configured(), lambda _: None)
    (tmp_path / "state" / "fetched.json").unlink()
    assert Path(fetched(configured(), lambda _: None).model.weights).read_bytes() == b"others"


@pytest.mark.usefixtures("store")
def test_a_hash_in_the_file_is_what_counts(configured):
    assert Path(fetched(configured(f"memory://site/v.pth#sha256={SHA256}"), lambda _: None).model.weights).is_file()
    with pytest.raises(
        PipelineError, match=r"expected sha256 0{64}, got .*\. Correct the hash, or find out who changed"
    ):
        fetched(configured(f"memory://site/v.pth#sha256={'0' * 64}"), lambda _: None)


def test_what_is_not_here_is_asked_for_and_not_fetched(store, configured, tmp_path):
    store.rm_file("/site/depth.pth")
    found = {".".join(place): (shown, why) for place, shown, why in awaited(configured())}
    assert found == {
        "model.weights": ("memory://site/v.pth", ""),
        "heads.vehicles.bank": ("memory://site/vehicles/bank.safetensors", ""),
        "heads.metres.checkpoint": (
            "memory://site/depth.pth",
            "memory://site/depth.pth is not there. Look at the address",
        ),
    }
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "state").exists()


@pytest.mark.usefixtures("store")
def test_classes_of_a_bank_are_known_once_it_is_here(configured):
    assert not_there(configured(named="lorry")) == []
    fetched(configured(), lambda _: None)
    (problem,) = not_there(configured(named="lorry"))
    assert "class 'lorry' is not one that head vehicles knows" in problem.message
    assert not_there(configured()) == []


@pytest.mark.usefixtures("store")
def test_a_mistake_in_an_address_has_its_line(configured):
    with pytest.raises(ConfigError, match=r"cameras.yaml:3:\d+.*expected 64 hexadecimal digits") as caught:
        configured("memory://site/v.pth#sha256=12")
    assert "model.weights" in str(caught.value)
