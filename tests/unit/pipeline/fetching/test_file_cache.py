"""Files from a real HTTP server on the loopback, and from what fsspec knows without a network."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest

from pipeline.errors import PipelineError
from pipeline.fetching.address import Address, lacking, mistakes
from pipeline.fetching.cache import FileCache

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site():
    """A server that counts what it is asked for; `status` and `break_after` make it misbehave."""

    class Files(BaseHTTPRequestHandler):
        asked = []  # noqa: RUF012 - shared with the test on purpose
        content, status, break_after = CONTENT, 200, None

        def do_GET(self):
            Files.asked.append(self.headers.get("Range"))
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            if Files.status != 200 or start >= len(Files.content):
                self.send_error(Files.status if Files.status != 200 else 416)
                return
            body = Files.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: Files.break_after])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        Files.url = f"http://127.0.0.1:{server.server_port}/models/v.pth"
        yield Files
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path):
    return FileCache(tmp_path / "fetched")


def fetch(cache, text, said=None):
    return cache.fetched(Address.of(text), (said if said is not None else []).append)


def refusal(cache, text):
    with pytest.raises(PipelineError) as caught:
        fetch(cache, text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_lies_under_its_content_and_is_fetched_once_where_that_is_known(cache, site):
    pinned = f"{site.url}#sha256={SHA256}"
    path, found = fetch(cache, pinned)
    assert (path.read_bytes(), found, path.name, path.parent.name) == (CONTENT, SHA256, "v.pth", SHA256)
    assert fetch(cache, pinned) == (path, SHA256)
    assert len(site.asked) == 1


def test_many_who_ask_at_once_fetch_it_once(cache, site):
    threads = [threading.Thread(target=fetch, args=(cache, f"{site.url}#sha256={SHA256}")) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(site.asked) == 1
    assert cache.path(SHA256, "v.pth").read_bytes() == CONTENT


def test_what_broke_off_is_resumed_where_the_content_is_known(cache, site):
    pinned = f"{site.url}#sha256={SHA256}"
    site.break_after = 1_000_000
    assert "broke off after 1000000 of 5120000 bytes. Start again" in refusal(cache, pinned)
    site.break_after = None
    assert fetch(cache, pinned)[0].read_bytes() == CONTENT
    assert site.asked == [None, "bytes=1000000-"]


def test_a_rest_of_another_file_is_fetched_anew(cache, site, tmp_path):
    for rest in (b"x" * 1000, b"x" * (len(CONTENT) + 5)):
        (tmp_path / "fetched").mkdir(exist_ok=True)
        (tmp_path / "fetched" / f"{SHA256}.part").write_bytes(rest)
        assert fetch(cache, f"{site.url}#sha256={SHA256}")[0].read_bytes() == CONTENT
        cache.path(SHA256, "v.pth").unlink()


def test_without_a_hash_nothing_is_resumed_since_the_file_may_be_another_by_now(cache, site):
    site.break_after = 1_000_000
    refusal(cache, site.url)
    site.break_after, site.content = None, CONTENT[::-1]
    assert fetch(cache, site.url)[0].read_bytes() == CONTENT[::-1]
    assert site.asked == [None, None]


def test_another_content_is_refused_and_not_kept(cache, site, tmp_path):
    wrong = "0" * 64
    said = refusal(cache, f"{site.url}#sha256={wrong}")
    assert said.startswith(f"{site.url} is another file: expected sha256 {wrong}, got {SHA256}. Correct")
    assert not list((tmp_path / "fetched").rglob("*.p*"))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (404, "is not there (404). Look at the address"),
        (403, "wants credentials (403). Give a presigned address"),
        (401, "wants credentials (401)"),
        (500, "answers 500 instead of a file"),
    ],
)
def test_refusals_are_one_sentence_without_the_signature(cache, site, status, sentence):
    site.status = status
    said = refusal(cache, f"{site.url}?X-Signature=secret")
    assert said.startswith(f"{site.url} {sentence}")
    assert "secret" not in said


def test_a_host_that_is_not_there(cache):
    assert "http://127.0.0.1:1/v.pth cannot be reached (" in refusal(cache, "http://127.0.0.1:1/v.pth")


def test_what_fsspec_knows_is_read_alike(cache, tmp_path):
    fsspec.filesystem("memory").pipe_file("/bucket/v.pth", CONTENT)
    (tmp_path / "v.pth").write_bytes(CONTENT)
    for text in ("memory://bucket/v.pth", f"file://{tmp_path}/v.pth"):
        assert fetch(cache, text)[0].read_bytes() == CONTENT
    assert refusal(cache, "memory://bucket/w.pth") == "memory://bucket/w.pth is not there. Look at the address"


def test_s3_without_keys_is_one_sentence(cache, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("HOME", str(tmp_path))
    pytest.importorskip("s3fs")
    assert "s3://site/v.pth wants credentials that this machine does not give. Set" in refusal(cache, "s3://site/v.pth")


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    def missing(scheme):
        raise ImportError(scheme)

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    assert lacking("s3://bucket/v.pth") == "no library for s3:// is installed. Install dinostream[s3]"
    assert "what fsspec needs for gs://" in lacking("gs://bucket/v.pth")
    assert lacking("https://host/v.pth") == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"https://host/v.pth#sha256={SHA256}", None),
        ("s3://bucket/v.pth", None),
        ("https://host/v.pth#sha256=abc", "expected 64 hexadecimal digits after #sha256=, got 'abc'"),
        ("htps://host/v.pth", "unknown kind of address 'htps'"),
        ("https://me:secret@host/v.pth", "user and password do not belong in an address"),
        ("https://", "expected an address of a file"),
    ],
)
def test_what_is_wrong_with_an_address_as_it_is_written(text, sentence):
    found = list(mistakes(text))
    assert len(found) == (sentence is not None)
    assert all(sentence in each and "secret" not in each for each in found)
