"""Which JPEG pictures RTP can carry."""

import av
import pytest

from pipeline.local.rtsp_jpeg import JpegAgain, huffman_tables, is_carried
from tests.clips import make_clip, number_of


def pictures(path) -> list[bytes]:
    with av.open(str(path)) as media:
        return [bytes(packet) for packet in media.demux(media.streams.video[0]) if packet.size]


@pytest.fixture
def clip(tmp_path):
    def make(huffman: str, pixel_format: str = "yuvj420p"):
        options = {"huffman": huffman}
        return make_clip(tmp_path / "c.avi", 3, codec="mjpeg", pixel_format=pixel_format, options=options)

    return make


@pytest.mark.parametrize(
    ("huffman", "pixel_format", "expected"),
    [
        ("default", "yuvj420p", True),
        ("default", "yuvj422p", True),
        ("default", "yuvj444p", False),
        ("optimal", "yuvj420p", False),
    ],
)
def test_rtp_carries_standard_tables_and_two_samplings(clip, huffman, pixel_format, expected):
    assert is_carried(pictures(clip(huffman, pixel_format))[0], pixel_format) is expected


def test_restart_markers_are_not_carried(clip):
    whole = pictures(clip("default"))[0]
    assert is_carried(whole[:2] + b"\xff\xdd\x00\x04\x00\x00" + whole[2:], "yuvj420p")  # none, said in so many words
    assert not is_carried(whole[:2] + b"\xff\xdd\x00\x04\x00\x30" + whole[2:], "yuvj420p")


def test_a_picture_without_tables_has_the_standard_ones(clip):
    whole = pictures(clip("default"))[0]
    start = whole.index(b"\xff\xc4")
    size = int.from_bytes(whole[start + 2 : start + 4], "big")
    bare = whole[:start] + whole[start + 2 + size :]
    assert huffman_tables(whole)
    assert not huffman_tables(bare)
    assert is_carried(bare, "yuvj420p")


def test_a_picture_is_made_again_at_its_time_and_is_the_same_to_the_eye(clip, tmp_path):
    source = clip("optimal", "yuvj444p")
    with av.open(str(source)) as media, av.open(str(tmp_path / "again.mkv"), "w") as output:
        again = JpegAgain(output, media.streams.video[0])
        packets = [packet for packet in media.demux(media.streams.video[0]) if packet.size]
        made = [(packet.pts * packet.time_base, each) for packet in packets for each in again.encode(packet)]
    assert [each.pts * each.time_base for _, each in made] == [due for due, _ in made]
    assert all(is_carried(bytes(each), "yuvj420p") for _, each in made)
    decoder = av.CodecContext.create("mjpeg", "r")
    assert [number_of(frame.to_ndarray(format="rgb24")) for _, each in made for frame in decoder.decode(each)] == [
        0,
        1,
        2,
    ]


def test_sides_that_rtp_cannot_count_are_refused(tmp_path):
    wide = make_clip(tmp_path / "w.avi", 1, codec="mjpeg", pixel_format="yuvj420p", size=(64, 2064))
    with (
        av.open(str(wide)) as media,
        av.open(str(tmp_path / "again.mkv"), "w") as output,
        pytest.raises(ValueError, match="at most 2040 pixels, got 64x2064"),
    ):
        JpegAgain(output, media.streams.video[0])
