"""Thresholds in metres against the range of a depth head, at the camera's own focal length."""

from pathlib import Path

import pytest

from operators.scene.residuals import Stop, measured
from pipeline.config import ConfigError, load_config
from pipeline.control.drive_ins import DriveIns
from pipeline.control.drive_ins_here import out_of_range

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


def critical(folder, **how):
    file = written(folder, **how)
    file.write_text(file.read_text().replace("hold: 600ms", "severity: critical"))
    return load_config(file)


def test_a_margin_that_is_written_counts(tmp_path):
    file = written(tmp_path, checkpoint="nyu_linear4", enter=3.2, leave=3.9)
    assert load_config(file).cameras
    file.write_text(file.read_text().replace("hold: 600ms", "margin: 0.5m"))
    with pytest.raises(
        ConfigError, match=r"3.9 m asked and 0.5 m of margin: > 4.4 m is beyond what head depth"
    ) as caught:
        load_config(file)
    assert [each.place[-1] for each in caught.value.problems] == ["exit"]


@pytest.mark.parametrize(("too_far", "places"), [(0.05, []), (0.5, ["exit"]), (1.0, ["enter", "exit"])])
def test_the_threshold_that_a_rule_fires_at_counts_once_a_vehicle_has_driven_in(tmp_path, too_far, places):
    config = critical(tmp_path, checkpoint="nyu_linear4", enter=3.2, leave=3.9)
    stop = Stop("dock", "here", 5.0, (5.0 + too_far,) * 5, None, "2026-03-01T09:30:00Z")
    found = out_of_range(config, {"dock-03": DriveIns(measured("f", [stop]))})
    assert [each.place[-1] for each in found] == places


def test_the_range_of_a_head_that_is_made_here_is_known_before_it_is_made(tmp_path):
    config = critical(tmp_path, checkpoint="fit_for_view", enter=30, leave=31.9)
    assert out_of_range(config, {"dock-03": DriveIns(None)}) == []
    stop = Stop("dock", "here", 5.0, (5.2,) * 5, None, "2026-03-01T09:30:00Z")
    (problem,) = out_of_range(config, {"dock-03": DriveIns(measured("f", [stop]))})
    assert "31.9 m asked and 0.2 m of margin: > 32.1 m is beyond what head depth can tell" in problem.message
