import pytest

from pipeline.sources.video_position import Anchor, FilePosition
from pipeline.sources.video_timeline import Timeline


@pytest.mark.parametrize(
    "position",
    [FilePosition(), FilePosition(2, 7, 9, 11), FilePosition(0, 123, 0, 4_880_000_000, Anchor(51200, 100))],
)
def test_positions_survive_as_text(position):
    assert FilePosition.parse(str(position)) == position


def test_epoch_and_seq_alone_are_a_position():
    assert FilePosition.parse("3:17") == FilePosition(3, 17)


@pytest.mark.parametrize("text", ["", "7", "a:b", "1:2:3", "1:2:3:4:5"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - two sentences, one of them Python's own
        FilePosition.parse(text)


def test_time_rises_over_disorder():
    timeline = Timeline(period_ns=40)
    times = [timeline.at(pts, seq) for seq, pts in enumerate([0, 40, 120, 80, 160])]
    assert times == [0, 40, 120, 121, 160]


def test_a_jump_back_goes_on_from_where_it_was():
    second = 1_000_000_000
    timeline = Timeline(period_ns=second // 25)
    before = [timeline.at(pts * second, 0) for pts in (0, 5, 10)]
    after = [timeline.at(pts * second, 0) for pts in (0, 5)]
    assert before == [0, 5 * second, 10 * second]
    assert after == [10 * second + second // 25, 15 * second + second // 25]


def test_frames_without_times_are_a_period_apart():
    timeline = Timeline(period_ns=40)
    assert [timeline.at(None, seq) for seq in range(3)] == [0, 40, 80]


def test_a_loop_follows_by_one_period():
    timeline = Timeline(period_ns=40)
    timeline.at(400, 10)
    timeline.begin_loop()
    assert timeline.at(0, 0) == 440
