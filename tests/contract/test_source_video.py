import socket
from pathlib import Path

import pytest

from pipeline.local.rtsp import RtspPublisher, RtspServer
from pipeline.secrets import Secrets
from pipeline.sources.base import Feed
from pipeline.sources.config import SourceConfig
from pipeline.sources.video_file import FileFeed
from pipeline.sources.video_live import LiveFeed
from tests.clips import LIVE, make_clip
from tests.contract.source_contract import CAMERA, CANARY, ReplayableContract, SourceContract

LENGTH = 50


class TestFile(ReplayableContract):
    length = LENGTH

    @pytest.fixture(autouse=True)
    def _clip(self, tmp_path: Path) -> None:
        self.path = make_clip(tmp_path / "clip.mp4", LENGTH)

    def make(self) -> Feed:
        return FileFeed(CAMERA, SourceConfig(file=str(self.path), loop=True))

    def make_unreachable(self) -> Feed:
        return FileFeed(CAMERA, SourceConfig(file=str(self.path.with_name("nix.mp4"))))


ENCODINGS = {
    "h264": {"options": LIVE},
    "h265": {
        "codec": "libx265",
        "options": {"x265-params": "log-level=none:bframes=0:keyint=10", "preset": "ultrafast"},
    },
    "mjpeg": {"codec": "mjpeg", "pixel_format": "yuvj420p", "options": {"huffman": "default"}},
    "mjpeg_own_tables": {"codec": "mjpeg", "pixel_format": "yuvj444p", "options": {"huffman": "optimal"}},
}


@pytest.fixture(scope="class")
def rtsp_url(request, tmp_path_factory):
    """A camera with the class's encoding and authentication; its password is the canary."""
    clip = tmp_path_factory.mktemp("rtsp") / "clip.mkv"
    make_clip(clip, LENGTH, size=(192, 320), **ENCODINGS[request.cls.encoding])
    with RtspServer({"admin": CANARY}, schemes=request.cls.schemes) as server, RtspPublisher(clip, server.url("cam")):
        server.wait_until_live("cam")
        yield server.url("cam")


class RtspContract(SourceContract):
    """Against our own relay."""

    length = LENGTH
    encoding = "h264"
    transport = "tcp"
    schemes = ("digest",)

    @pytest.fixture(autouse=True)
    def _camera(self, rtsp_url, monkeypatch):
        self.url = rtsp_url
        monkeypatch.setenv("CAM", f"admin:{CANARY}")

    def feed(self, url: str) -> Feed:
        config = SourceConfig(url=url, credentials="cam", transport=self.transport)
        return LiveFeed(CAMERA, config, Secrets({"cam": "${env:CAM}"}))

    def make(self) -> Feed:
        return self.feed(self.url)

    def make_unreachable(self) -> Feed:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return self.feed(f"rtsp://127.0.0.1:{free.getsockname()[1]}/cam")


@pytest.mark.rtsp
class TestRtspTcp(RtspContract):
    pass


@pytest.mark.rtsp
class TestRtspUdp(RtspContract):
    transport = "udp"
    schemes = ("basic",)


@pytest.mark.rtsp
class TestRtspH265(RtspContract):
    encoding = "h265"


@pytest.mark.rtsp
class TestRtspMjpeg(RtspContract):
    encoding = "mjpeg"

    def test_the_clock_of_rtp_is_no_declared_rate(self):
        """MJPEG says nothing of its rate, and FFmpeg then guesses the 90,000 ticks a second of the time stamps."""
        feed = self.make()
        try:
            assert feed.open({}).declared_fps in {None, 25.0}
        finally:
            feed.close()


@pytest.mark.rtsp
class TestRtspMjpegOwnTables(RtspContract):
    """Huffman tables of their own and 4:4:4: RTP carries neither, so the relay's publisher encodes them again."""

    encoding = "mjpeg_own_tables"
