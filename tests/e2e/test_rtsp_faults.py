"""What can happen to a camera, against a real RTSP server: the right code, and the next opening works."""

import http.server
import shutil
import socket
import ssl
import subprocess
import threading
import time
import traceback
from contextlib import contextmanager

import pytest

from pipeline.errors import ConnectError, SourceError, StreamStalled
from pipeline.local.rtsp import RtspPublisher, RtspServer
from pipeline.secrets import Secrets
from pipeline.sources.base import Decoded, Quiet
from pipeline.sources.config import SourceConfig
from pipeline.sources.video_live import LiveFeed
from tests.clips import LIVE, make_clip

pytestmark = pytest.mark.rtsp

CANARY = "c4n4ry@/:%&#"
PATIENCE_SECONDS = 30.0
STOP_SECONDS = 1.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("faults") / "clip.mkv", 50, options=LIVE, size=(192, 320))


@pytest.fixture
def server():
    with RtspServer({"admin": CANARY}) as running:
        yield running


@pytest.fixture
def camera(server, clip):
    with RtspPublisher(clip, server.url("cam")) as publisher:
        server.wait_until_live("cam")
        yield publisher


@pytest.fixture(autouse=True)
def _password(monkeypatch):
    monkeypatch.setenv("CAM", f"admin:{CANARY}")


def feed_of(url, *, password_variable="CAM", **fields):
    config = SourceConfig(url=url, credentials="cam", **({"stall_after": 1.2, "open_timeout": 3.0} | fields))
    return LiveFeed("gate", config, Secrets({"cam": f"${{env:{password_variable}}}"}))


def watch(feed, count, then=lambda: None, stop_at=None):
    """Calls `then` after `count` frames; returns the events after it, up to `stop_at` frames of them."""
    after, num_frames, deadline = [], 0, time.monotonic() + PATIENCE_SECONDS
    for event in feed.events(threading.Event()):
        assert time.monotonic() < deadline
        if num_frames >= count:
            after.append(event)
        num_frames += isinstance(event, Decoded)
        if num_frames == count and isinstance(event, Decoded):
            then()
        if stop_at is not None and num_frames >= count + stop_at:
            break
    return after


def works(feed):
    feed.open({})
    assert watch(feed, 0, stop_at=3)
    feed.close()


def fails(feed, code, kind=ConnectError):
    """Opens, or watches what is open, until it fails as it should."""
    with pytest.raises(kind) as caught:
        feed.open({})
    feed.close()
    assert caught.value.code == code
    shows_nothing(caught.value)


def shows_nothing(error):
    text = "".join(traceback.format_exception(error)) + repr(error.args)
    assert "c4n4ry" not in text
    assert isinstance(error, SourceError)


@contextmanager
def black_hole():
    """A port whose SYNs are dropped: the queue of a listener that never accepts is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for each in waiting:
            each.close()


@contextmanager
def mute():
    """A port that accepts and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        yield listener.getsockname()[1]


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_stall_without_closing_is_noticed(server, transport):
    feed = feed_of(server.url("cam"), transport=transport)
    feed.open({})
    with pytest.raises(StreamStalled) as caught:
        watch(feed, 5, lambda: server.stall("cam"))
    feed.close()
    assert caught.value.code == "timeout"
    shows_nothing(caught.value)
    server.stall("cam", is_stalled=False)
    works(feed)


def test_a_stream_joined_between_two_keyframes_says_that_it_runs_until_it_has_a_picture(server, tmp_path):
    clip = make_clip(tmp_path / "rare.mkv", 100, gop=100, options=LIVE, size=(192, 320))
    feed = feed_of(server.url("rare"))
    with RtspPublisher(clip, server.url("rare")):
        server.wait_until_live("rare")
        for _ in range(3):  # whichever part of the four seconds it was opened in
            feed.open({})
            kinds: list[object] = []
            for event in feed.events(threading.Event()):
                kinds.append(event if isinstance(event, Quiet) else type(event))
                if isinstance(event, Decoded):
                    break
            feed.close()
            if Quiet(has_packets=True) in kinds:
                return
    pytest.fail(f"never joined between two keyframes: {kinds}")


@pytest.mark.usefixtures("camera")
def test_stop_is_heard_while_nothing_comes(server):
    feed, stop = feed_of(server.url("cam"), stall_after=20.0), threading.Event()
    feed.open({})
    watch(feed, 5, lambda: server.stall("cam"), stop_at=0)
    begun = time.monotonic()
    threading.Timer(1.0, stop.set).start()
    for _ in feed.events(stop):
        assert time.monotonic() - begun < PATIENCE_SECONDS
    assert time.monotonic() - begun < 1.0 + STOP_SECONDS
    feed.close()


@pytest.mark.usefixtures("camera")
def test_a_short_stall_goes_on_in_the_same_session(server):
    feed = feed_of(server.url("cam"), stall_after=20.0)
    feed.open({})
    again = threading.Timer(1.5, lambda: server.stall("cam", is_stalled=False))

    def stall():
        server.stall("cam")
        again.start()

    after = watch(feed, 5, stall, stop_at=10)
    feed.close()
    assert any(isinstance(event, Quiet) for event in after)
    assert sum(isinstance(event, Decoded) for event in after) == 10


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
def test_a_connection_that_is_closed_is_an_end(server, reset, transport):
    feed = feed_of(server.url("cam"), transport=transport)
    feed.open({})
    with pytest.raises(ConnectError) as caught:
        watch(feed, 5, lambda: server.kick("cam", reset=reset))
    feed.close()
    assert caught.value.code == "ended"
    shows_nothing(caught.value)
    works(feed)


def test_a_publisher_that_dies_and_comes_back(server, camera, clip):
    feed = feed_of(server.url("cam"))
    feed.open({})
    with pytest.raises(ConnectError) as caught:
        watch(feed, 5, camera.kill)
    feed.close()
    assert caught.value.code == "ended"
    fails(feed, "not_found")
    with RtspPublisher(clip, server.url("cam")):
        server.wait_until_live("cam")
        works(feed)


@pytest.mark.usefixtures("camera")
def test_a_server_that_dies_and_comes_back(server, clip):
    feed = feed_of(server.url("cam"))
    feed.open({})
    with pytest.raises(ConnectError) as caught:
        watch(feed, 5, server.stop)
    feed.close()
    assert caught.value.code == "ended"
    fails(feed, "refused")
    with RtspServer({"admin": CANARY}, port=server.port) as second, RtspPublisher(clip, second.url("cam")):
        second.wait_until_live("cam")
        works(feed)


@pytest.mark.usefixtures("camera")
def test_a_wrong_password_is_unauthorized(server, monkeypatch):
    monkeypatch.setenv("OTHER", "admin:c4n4ry-but-wrong")
    fails(feed_of(server.url("cam"), password_variable="OTHER"), "unauthorized")
    works(feed_of(server.url("cam")))


@pytest.mark.usefixtures("camera")
def test_an_unknown_path_is_not_found(server):
    fails(feed_of(server.url("nix")), "not_found")


def test_a_black_holed_address_times_out():
    with black_hole() as port:
        fails(feed_of(f"rtsp://127.0.0.1:{port}/cam", open_timeout=1.0), "timeout")
        fails(feed_of(f"http://127.0.0.1:{port}/cam", open_timeout=1.0), "timeout")


def test_a_peer_that_says_nothing_times_out():
    with mute() as port:
        fails(feed_of(f"rtsp://127.0.0.1:{port}/cam", open_timeout=1.0), "timeout")


def test_an_unknown_name_is_dns():
    fails(feed_of("rtsp://camera.invalid/cam"), "dns")


@pytest.mark.usefixtures("camera")
def test_lost_packets_do_not_end_the_stream(server):
    feed = feed_of(server.url("cam"), transport="udp")
    feed.open({})
    after = watch(feed, 5, lambda: server.lose("cam", 0.05), stop_at=50)
    feed.close()
    assert sum(isinstance(event, Decoded) for event in after) == 50


@pytest.mark.usefixtures("camera")
def test_sender_reports_give_the_camera_s_clock(server):
    """The relay's publisher sends its first report after some seconds; until then there is only the arrival."""
    feed, deadline = feed_of(server.url("cam")), time.monotonic() + PATIENCE_SECONDS
    feed.open({})
    for event in feed.events(threading.Event()):
        assert time.monotonic() < deadline
        if isinstance(event, Decoded) and event.capture_clock == "rtcp":
            break
    feed.close()
    assert event.capture_ns is not None
    assert abs(time.time_ns() - event.capture_ns) < 5_000_000_000


@pytest.fixture
def certificate(tmp_path, missing_server):
    """(certificate, key) for 127.0.0.1, signed by itself."""
    if shutil.which("openssl") is None:
        missing_server("no openssl to make a certificate with")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def test_rtsps_is_read_only_where_the_certificate_is_trusted(clip, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    ca_file = str(certificate[0])
    with RtspServer({"admin": CANARY}, tls=context) as server, RtspPublisher(clip, server.url("cam")):
        server.wait_until_live("cam")
        works(feed_of(server.url("cam", tls=True), ca_file=ca_file))
        fails(feed_of(server.url("cam", tls=True)), "tls")
        fails(feed_of(server.url("cam").replace("rtsp:", "rtsps:"), ca_file=ca_file, open_timeout=1.0), "tls")


@pytest.fixture
def web(tmp_path):
    """A folder with a transport stream, over HTTP."""
    make_clip(tmp_path / "stream.ts", 60, options=LIVE)
    (tmp_path / "page.html").write_text("<html>no video here</html>" * 100)

    class Quietly(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quietly) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_http_streams_are_live_and_their_end_is_a_failure(web):
    feed = feed_of(f"{web}/stream.ts")
    feed.open({})
    frames = []
    with pytest.raises(ConnectError) as caught:
        frames.extend(event for event in feed.events(threading.Event()) if isinstance(event, Decoded))
    feed.close()
    assert caught.value.code == "ended"


def test_http_failures_have_their_codes(web):
    fails(feed_of(f"{web}/nix.ts"), "not_found")
    fails(feed_of(f"{web}/page.html"), "unsupported")
