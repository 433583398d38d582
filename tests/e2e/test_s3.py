"""Weights and evidence in a store that speaks S3, over the network: what comes, what is refused and how it is said."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import fsspec
import pytest

from pipeline.errors import PipelineError
from pipeline.fetching.address import Address
from pipeline.fetching.cache import FileCache
from pipeline.frame_path.publisher.evidence import EvidenceStore, StillNamed, evidence_path
from pipeline.frame_path.publisher.evidence_shelves import read_evidence, shelf_of
from pipeline.local.child import ServerError, free_port
from pipeline.sinks.config import EvidenceConfig
from tests.clips import make_clip
from tests.e2e.test_clips import FPS, NUM_FRAMES, run
from tests.servers.s3 import SECRET_KEY, S3Server

pytestmark = pytest.mark.s3

MIB = 1 << 20
CONTENT = os.urandom(MIB) * 20
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """With a bucket `site`, and this process set up for it as a user's is."""
    try:
        found = S3Server(tmp_path / "s3")
    except ServerError as error:
        pytest.skip(str(error))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))  # no files with keys
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    found.bucket("site")
    _forget()
    with found:
        yield found
    _forget()


def _forget():
    """fsspec keeps connections with the keys that they began with."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def weights(server):
    path = server.buckets / "site" / "models" / "v.pth"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def cache(tmp_path):
    return FileCache(tmp_path / "fetched")


def fetch(cache, text, say=lambda _: None):
    return cache.fetched(Address.of(text), say)


def refusal(cache, text, say=lambda _: None):
    with pytest.raises(PipelineError) as caught:
        fetch(cache, text, say)
    assert "\n" not in str(caught.value)
    assert SECRET_KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


# --- files by their address -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("weights")
def test_a_file_comes_whole_and_is_fetched_once_where_its_content_is_known(cache, server):
    pinned = f"s3://site/models/v.pth#sha256={SHA256}"
    path, found = fetch(cache, pinned)
    assert (path.read_bytes(), found, path.parent.name) == (CONTENT, SHA256, SHA256)
    server.stop()
    assert fetch(cache, pinned) == (path, SHA256), "nobody is asked"


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize(
    ("address", "environment", "sentence"),
    [
        ("s3://site/models/w.pth", {}, "is not there. Look at the address"),
        ("s3://nowhere/models/v.pth", {}, "is not there (NoSuchBucket). Look at the address"),
        ("s3://site/models", {}, "is a folder. Name a file in it"),
        ("s3://site/models/v.pth", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses the credentials that this machine"),
        ("s3://site/models/v.pth", {"AWS_ACCESS_KEY_ID": "NOBODY"}, "refuses the credentials that this machine"),
        ("s3://site/models/v.pth", {"AWS_ACCESS_KEY_ID": ""}, "wants credentials that this machine does not give"),
        ("s3://site/models/v.pth", {"AWS_PROFILE": "nobody"}, "wants credentials that this machine does not give"),
        ("s3://site/models/v.pth", {"AWS_DEFAULT_REGION": "mars-1"}, "is refused (400). Look at the address and at "),
        ("s3://site/models/v.pth", {"AWS_ENDPOINT_URL": "nonsense"}, "cannot be reached (ValueError). Look at the"),
    ],
)
def test_a_refusal_is_one_sentence_that_says_what_to_do(cache, monkeypatch, address, environment, sentence):
    for name, value in environment.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    if "AWS_PROFILE" in environment:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert refusal(cache, address).startswith(f"{address} {sentence}")


@pytest.mark.usefixtures("server")
def test_nobody_listens(cache, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    said = refusal(cache, "s3://site/models/v.pth")
    assert "cannot be reached (EndpointConnectionError). Look at the address, at the settings of the library" in said
    assert "AWS_ENDPOINT_URL" in said


def test_what_broke_off_goes_on_where_it_was(cache, server, weights, tmp_path):
    content = CONTENT * 4
    weights.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    pinned = f"s3://site/models/v.pth#sha256={sha256}"
    said = refusal(cache, pinned, lambda _: server.kill())  # it tells of each quarter
    assert said.startswith("s3://site/models/v.pth cannot be reached (")
    part = tmp_path / "fetched" / f"{sha256}.part"
    have = part.stat().st_size
    assert 20 * MIB <= have < 80 * MIB
    server.start()
    asked = _ranges(server)
    assert fetch(cache, pinned)[0].read_bytes() == content
    assert _ranges(server) - asked <= (len(content) - have) // (8 * MIB) + 2, "only the rest"


def _ranges(server):
    """Answers with a part of a file."""
    return server.log.count("| 206 |")


# --- evidence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", ["s3://site", "s3://site/evidence/a"])
def test_age_and_bytes_hold_there(server, store):
    evidence = EvidenceStore(EvidenceConfig(store=store, keep="1h", max_bytes="10B"))
    paths = [evidence_path("dock-03", "near", episode, "start") for episode in range(1, 5)]
    pictures = [evidence.put(path, b"12345") for path in paths]
    shelf_of(store).put("notes.txt", b"somebody else's")
    below = server.buckets / store.removeprefix("s3://")
    assert [each.path for each in pictures] == [f"{store}/{path}" for path in paths]
    assert all((below / path).read_bytes() == read_evidence(f"{store}/{path}") == b"12345" for path in paths)
    now_ns = max(each.written_ns for each in shelf_of(store).files())
    assert evidence.prune(now_ns, StillNamed(events=frozenset(paths[:1]))) == 2
    left = sorted(file.relative_to(below).as_posix() for file in below.rglob("*.jpg"))
    assert left == [paths[0], paths[3]]
    assert evidence.prune(now_ns + round(3601e9)) == 2
    assert [file.name for file in below.rglob("*") if file.is_file()] == ["notes.txt"]
    with pytest.raises(FileNotFoundError):
        read_evidence(f"{store}/{paths[0]}")


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("store", ["s3://nowhere", "s3://nowhere/a"])
def test_a_bucket_that_is_not_there_is_said_and_not_made(server, store):
    shelf = shelf_of(store)
    for use in (lambda: list(shelf.files()), lambda: shelf.put("dock-03/near/000001-start.jpg", b"x")):
        with pytest.raises(FileNotFoundError) as caught:
            use()
        assert caught.value.strerror == "the store is not there (NoSuchBucket). Look at the address"
    assert not (server.buckets / "nowhere").exists()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("store", ["s3://site", "s3://site/a"])
def test_wrong_keys_are_said_and_not_told(monkeypatch, store):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-and-secret")
    shelf = shelf_of(store)
    for use in (lambda: list(shelf.files()), lambda: shelf.put("dock-03/near/000001-start.jpg", b"x")):
        with pytest.raises(OSError, match="the store refuses the credentials that this machine gives") as caught:
            use()
        assert "wrong-and-secret" not in str(caught.value)


def test_an_alert_leaves_its_picture_and_clip_there(server, tmp_path):
    clip = make_clip(tmp_path / "a.mp4", NUM_FRAMES, fps=FPS, gop=10)
    found = run(tmp_path, clip, store="s3://site/evidence")
    said = [found["start/evidence"]["picture"], found["start/evidence/clip"]["clip"]]
    assert [Path(each["path"]).suffix for each in said] == [".jpg", ".mp4"]
    for each in said:
        data = (server.buckets / each["path"].removeprefix("s3://")).read_bytes()
        assert data == read_evidence(each["path"])
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (each["sha256"], each["num_bytes"])
