"""Downloads from a real HTTP server on the loopback."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from operators.backbone.download import official_file
from operators.backbone.errors import WeightsError
from operators.backbone.official import OFFICIAL, Official

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ROW = Official("dinov2_vits14", "w.pth", "http://127.0.0.1:1/w.pth", len(CONTENT), len(CONTENT), SHA256)


class Files(BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; breaks off after `break_after` bytes while that is set."""

    break_after: int | None = None
    knows_ranges = True
    asked: list[str | None] = []  # noqa: RUF012 - shared with the test on purpose

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        Files.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.knows_ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.break_after is None else body[: self.break_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Files, "asked", [])
    monkeypatch.setattr(Files, "break_after", None)
    monkeypatch.setattr(Files, "knows_ranges", True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/w.pth"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_reports_progress_and_is_kept(tmp_path: Path, url: str) -> None:
    seen: list[tuple[int, int]] = []
    path = official_file(ROW, tmp_path, lambda *now: seen.append(now), url)
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    official_file(ROW, tmp_path, url="http://127.0.0.1:1/never-asked")


def test_a_broken_download_is_resumed_where_it_broke(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Files, "break_after", 1_000_000)
    with pytest.raises(WeightsError, match=r"Put w.pth into"):
        official_file(ROW, tmp_path, url=url)
    monkeypatch.setattr(Files, "break_after", None)
    assert official_file(ROW, tmp_path, url=url).read_bytes() == CONTENT
    assert Files.asked == [None, "bytes=1000000-"]


def test_a_server_without_ranges_starts_over(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Files, "knows_ranges", False)
    (tmp_path / "w.pth.part").write_bytes(CONTENT[:500])
    assert official_file(ROW, tmp_path, url=url).read_bytes() == CONTENT


def test_a_complete_part_is_checked_and_named(tmp_path: Path, url: str) -> None:
    (tmp_path / "w.pth.part").write_bytes(CONTENT)
    assert official_file(ROW, tmp_path, url=url).read_bytes() == CONTENT


def test_wrong_content_is_refused_and_removed(tmp_path: Path, url: str) -> None:
    (tmp_path / "w.pth.part").write_bytes(b"x" * 1000)
    with pytest.raises(WeightsError, match="expected sha256"):
        official_file(ROW, tmp_path, url=url)
    assert list(tmp_path.iterdir()) == []


def test_offline_is_one_sentence_that_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"^no official .* cannot be reached \(.*\). Put w.pth into ") as caught:
        official_file(ROW, tmp_path)
    assert "\n" not in str(caught.value)


def test_the_table_is_whole() -> None:
    assert len(OFFICIAL) == 8
    for row in OFFICIAL.values():
        assert row.url == f"https://dl.fbaipublicfiles.com/dinov2/{row.name.removesuffix('_reg4')}/{row.file}"
        assert (row.licence, row.commercial) == ("apache-2.0", "yes")
        assert row.size_bytes is None or 0 < row.size_bytes - row.about_bytes < 200_000
