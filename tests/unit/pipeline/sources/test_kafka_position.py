import pytest

from pipeline.sources.kafka_position import KafkaPosition, Mark, SettledLine


def test_positions_survive_as_text():
    position = KafkaPosition(3, 120, 120 << 16 | 7)
    assert KafkaPosition.parse(str(position)) == position


@pytest.mark.parametrize("text", ["", "1:2", "a:b:c", "-1:2:3"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="position"):
        KafkaPosition.parse(text)


def test_marks_survive_as_metadata():
    mark = Mark(120, 7_864_320, 1_790_000_000_000)
    assert Mark.read(120, mark.metadata) == mark


@pytest.mark.parametrize("metadata", [None, "", "someone else's"])
def test_foreign_metadata_is_no_lease(metadata):
    assert Mark.read(120, metadata) == Mark(120, 0, 0)


def test_the_slowest_camera_holds_a_partition_back():
    line = SettledLine()
    line.reading("a", KafkaPosition(0, 5, 5))
    line.reading("b", KafkaPosition(0, 6, 6))
    line.reading("c", KafkaPosition(1, 3, 3))
    line.settled("a", KafkaPosition(0, 90, 90))
    assert line.marks(lease=8) == {0: Mark(6, 6, 8)}
    line.settled("b", KafkaPosition(0, 95, 95))
    assert line.marks(lease=8)[0] == Mark(90, 90, 8)


def test_reading_on_does_not_settle():
    line = SettledLine()
    line.reading("a", KafkaPosition(0, 5, 5))
    line.reading("a", KafkaPosition(0, 9, 9))
    assert line.marks(lease=1) == {}
    line.reading("b", KafkaPosition(0, 7, 7))
    line.settled("b", KafkaPosition(0, 8, 8))
    assert line.marks(lease=1) == {0: Mark(5, 5, 1)}


def test_a_bitstream_goes_back_to_its_keyframe():
    line = SettledLine()
    line.settled("a", KafkaPosition(0, 40, 45 << 16))
    line.settled("b", KafkaPosition(0, 43, 44 << 16))
    assert line.marks(lease=1)[0] == Mark(40, 44 << 16, 1)
