from __future__ import annotations

import io
from pathlib import Path

import av
import pytest

from pipeline.sources.tape import PacketTape
from tests.clips import make_clip, number_of

FPS = 10
SECOND = 10**9


def filled(path: Path, *, window: float = 60.0, max_bytes: int = 10**8, codec: str = "libx264") -> PacketTape:
    """Of thirty groups of ten pictures."""
    tape = PacketTape(window, max_bytes)
    make_clip(path, 300, fps=FPS, codec=codec, options={"sc_threshold": "0"} if codec == "libx264" else {})
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        session = tape.begin()
        for packet in container.demux(stream):
            tape.add(packet, stream, session)
    return tape


def numbers(data: bytes) -> list[int]:
    with av.open(io.BytesIO(data)) as container:
        return [number_of(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_a_cut_begins_at_the_keyframe_before_and_has_every_picture_up_to_its_end(tmp_path):
    clip = filled(tmp_path / "a.mp4").cut(int(15.5 * SECOND), 20 * SECOND, 10**8)
    shown = numbers(clip.data)
    assert shown[0] == 150
    assert shown == list(range(150, shown[-1] + 1))
    assert 200 <= shown[-1] <= 203
    assert clip.from_ns == 15 * SECOND
    assert not clip.is_shortened


def test_what_is_older_than_the_window_is_let_go_but_never_the_keyframe_that_it_begins_with(tmp_path):
    tape = filled(tmp_path / "a.mp4", window=5.0)
    assert numbers(tape.cut(0, 40 * SECOND, 10**8).data)[0] == 240
    assert tape.num_cut_short == 0


def test_the_bound_on_bytes_holds_and_is_counted(tmp_path):
    whole = filled(tmp_path / "a.mp4").num_bytes
    tape = filled(tmp_path / "a.mp4", max_bytes=whole // 3)
    assert tape.num_bytes <= whole // 3
    assert tape.num_cut_short > 0
    shown = numbers(tape.cut(0, 40 * SECOND, 10**8).data)
    assert shown[0] % 10 == 0
    assert shown[-1] == 299


def test_a_long_cut_loses_its_end_and_says_so(tmp_path):
    tape = filled(tmp_path / "a.mp4")
    clip = tape.cut(0, 40 * SECOND, tape.num_bytes // 2)
    assert clip.is_shortened
    assert numbers(clip.data)[0] == 0
    assert len(numbers(clip.data)) < 200


def test_another_stream_begins_anew_and_late_packets_of_the_old_one_are_left_out(tmp_path):
    tape = filled(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        packet = next(iter(container.demux(stream)))
        tape.begin()
        assert not tape.is_running
        tape.add(packet, stream, 1)
    assert tape.newest_ns() is None
    assert tape.cut(0, SECOND, 10**8) is None


def test_what_players_do_not_show_in_an_mp4_is_not_taped(tmp_path):
    assert not filled(tmp_path / "a.mkv", codec="ffv1").is_running


@pytest.mark.parametrize("seconds", [31.0, 1000.0])
def test_a_time_that_is_not_on_the_tape_gives_what_there_is_or_nothing(tmp_path, seconds):
    tape = filled(tmp_path / "a.mp4")
    late = tape.cut(int(seconds * SECOND), int((seconds + 5) * SECOND), 10**8)
    assert numbers(late.data)[0] == 290, "the last group"
    assert filled(tmp_path / "b.mp4", window=5.0).cut(0, SECOND, 10**8) is None
