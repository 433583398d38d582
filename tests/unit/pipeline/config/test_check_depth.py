"""Thresholds in metres against the range of a depth head, at the camera's own focal length."""

from pathlib import Path

import pytest

from pipeline.config import ConfigError, load_config

HERE = Path(__file__).parent
RIGHT = (HERE / "right.yaml").read_text()


def written(folder, *, checkpoint, enter, leave, hfov="74deg"):
    text = RIGHT
    for old, new in (
        ("weights: standin", "weights: official"),
        ("depth: {kind: depth}", f"depth: {{kind: depth, checkpoint: {checkpoint}}}"),
        ("< 3.0 m", f"< {enter} m"),
        ("> 3.6 m", f"> {leave} m"),
        ("hfov: 74deg", f"hfov: {hfov}"),
    ):
        assert old in text
        text = text.replace(old, new)
    file = folder / "cameras.yaml"
    file.write_text(text)
    return file


def test_a_threshold_beyond_four_fifths_of_the_range_is_a_mistake(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, checkpoint="nyu_linear4", enter=3.9, leave=4.2))
    # 10 m at 518.86 px are 5.0 m at the 260 px of this camera
    assert [each.place[-1] for each in caught.value.problems] == ["exit"]
    assert "4.2 m is beyond what head depth can tell: expected at most 4.0 m" in str(caught.value)


def test_a_longer_lens_sees_further(tmp_path):
    assert load_config(written(tmp_path, checkpoint="nyu_linear4", enter=3.9, leave=4.2, hfov="60deg")).cameras


def test_the_outdoor_head_tells_more(tmp_path):
    assert load_config(written(tmp_path, checkpoint="kitti_linear4", enter=15, leave=16)).cameras
    with pytest.raises(ConfigError, match="24 m is beyond"):
        load_config(written(tmp_path, checkpoint="kitti_linear4", enter=19, leave=24))
