"""A camera over HTTP that stops in the middle of a body and keeps the connection open: noticed, and read again."""

import http.server
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import StreamStalled
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.owner.owner import Owner
from pipeline.secrets import Secrets
from pipeline.sources.base import Decoded
from pipeline.sources.config import BackoffConfig, SourceConfig
from pipeline.sources.video_live import LiveFeed
from tests.clips import LIVE, make_clip, numbered
from tests.fakes import FakeAnalyzer, FakePublisher, owned

LIMIT_SECONDS = 30.0
FPS = 25


@dataclass
class Camera:
    """Sends pieces at 25 a second, for ever; while `is_fine` is clear it breaks off within a piece and holds on."""

    pieces: list[bytes]
    content_type: str
    is_fine: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)
    num_connections: int = 0
    url: str = ""

    def send(self, write: Callable[[bytes], object]) -> None:
        self.num_connections += 1
        number = 0
        while not self.is_over.wait(1 / FPS):
            piece = self.pieces[number % len(self.pieces)]
            if not self.is_fine.is_set():
                write(piece[: len(piece) // 2])
                self.is_over.wait()
                return
            write(piece)
            number += 1


def served(camera: Camera):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", camera.content_type)
            self.end_headers()
            try:
                camera.send(self.wfile.write)
            except OSError:
                return  # the reader hung up

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    camera.url = f"http://127.0.0.1:{server.server_port}/video"
    return server


def multipart() -> Camera:
    parts = []
    for number in range(50):
        jpeg = cv2.imencode(".jpg", numbered(number, (192, 320)))[1].tobytes()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        parts.append(head.encode() + jpeg + b"\r\n")
    return Camera(parts, "multipart/x-mixed-replace; boundary=frame")


def transport_stream(folder) -> Camera:
    data = make_clip(folder / "clip.ts", 250, options=LIVE, size=(192, 320)).read_bytes()
    size = -(-len(data) // 250)
    return Camera([data[at : at + size] for at in range(0, len(data), size)], "video/mp2t")


@pytest.fixture(params=["multipart", "ts"])
def camera(request, tmp_path):
    made = multipart() if request.param == "multipart" else transport_stream(tmp_path)
    made.is_fine.set()
    with served(made) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        made.is_over.set()
        server.shutdown()
        thread.join()


def feed_of(camera: Camera) -> LiveFeed:
    source = SourceConfig(url=camera.url, stall_after=1.5, open_timeout=2.0)
    return LiveFeed("dock-03", source, Secrets({}))


def test_a_body_that_stops_half_way_is_a_stall(camera):
    feed = feed_of(camera)
    feed.open({})
    frames: list[Decoded] = []

    def watch() -> None:
        for event in feed.events(threading.Event()):
            if isinstance(event, Decoded):
                frames.append(event)
            if len(frames) == 10:
                camera.is_fine.clear()

    with pytest.raises(StreamStalled) as caught:
        watch()
    feed.close()
    assert caught.value.code == "timeout"
    assert len(frames) >= 10


def test_the_state_says_so_and_the_camera_comes_back(camera, tmp_path):
    seen: list[str] = []
    publisher = FakePublisher()
    owner = Owner(
        "decode-0",
        [
            FeedPlan(
                (owned("dock-03", sample=SampleConfig(max_age=60.0)),),
                lambda: feed_of(camera),
                backoff=BackoffConfig(first=0.2, max=1.0),
                stall_after_seconds=1.5,
            )
        ],
        analyzers=[(FakeAnalyzer(), 2)],
        publisher_of=lambda _: publisher,
        clock=SystemClock(),
        state_dir=tmp_path,
        limits=BatchLimits(),
    )

    def until(holds: Callable[[], bool], what: str) -> None:
        never, deadline = threading.Event(), time.monotonic() + LIMIT_SECONDS
        while not holds():
            state = owner.snapshot()[0].state
            if not seen or seen[-1] != state:
                seen.append(state)
            assert time.monotonic() < deadline, f"never: {what}; seen {seen}"
            never.wait(0.005)

    owner.start()
    try:
        until(lambda: owner.snapshot()[0].ledger.analysed > 5, "the first frames")
        camera.is_fine.clear()
        until(lambda: "backoff" in seen, "backoff")
        before = owner.snapshot()[0].ledger.analysed
        camera.is_fine.set()
        until(lambda: owner.snapshot()[0].ledger.analysed > before + 5, "frames again")
    finally:
        owner.stop(5.0)
    after = seen[seen.index("live") :]
    assert after[:2] == ["live", "stalled"], seen
    assert after[-1] == "live"
    assert camera.num_connections >= 3
    assert owner.snapshot()[0].ledger.unaccounted == 0
