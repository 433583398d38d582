"""What `validate` and `run` say of depth that is used otherwise than it was made for."""

import pytest

from pipeline.config import load_config
from pipeline.config.depth_notes import depth_notes

CAMERA = """\
version: 1
sinks: {{jsonl: {{path: out}}}}
model: {{backbone: {backbone}, weights: official, shapes: [{shapes}]}}
heads:
  depth: {{kind: depth, checkpoint: {checkpoint}}}
cameras:
  gate:
    source: {{url: "rtsp://gate.lan/x"}}
    heads: [depth]
    view: {{hfov: 74deg, height: 3.4m, pitch: 22deg}}
"""


def notes(folder, size=None, *, checkpoint, shapes="224x392", backbone="dinov2_vits14"):
    path = folder / "cameras.yaml"
    path.write_text(CAMERA.format(checkpoint=checkpoint, shapes=shapes, backbone=backbone))
    return list(depth_notes(load_config(path), "gate", size))


def test_a_published_head_off_its_recipe_is_told_side_by_side_with_what_it_was_trained_with(tmp_path):
    (said,) = notes(tmp_path, checkpoint="kitti_linear4")
    assert said == (
        "depth kitti_linear4: short side 224 px is 0.64 x the 352 px it was trained with; long side 392 px is 0.32 x "
        "the 1216 px it was trained with; focal length 260 px is 0.36 x the 722 px it was trained with"
    )


def test_a_published_head_within_its_recipe_is_not_told(tmp_path):
    assert notes(tmp_path, checkpoint="nyu_dpt", shapes="420x560", size=(480, 640)) == []


@pytest.mark.parametrize("backbone", ["depth_anything_v2_small", "depth_anything_v2_small_metric_indoor"])
def test_the_head_of_depth_anything_was_trained_on_squares(tmp_path, backbone):
    (said,) = notes(tmp_path, checkpoint="depth_anything", backbone=backbone)
    assert said.startswith("depth depth_anything: short side 224 px is 0.43 x the 518 px")
    assert "long side" not in said


def test_a_head_fitted_before_a_picture_is_seen_is_told_where_another_shape_may_come(tmp_path):
    (said,) = notes(tmp_path, checkpoint="fit_for_view", shapes="224x392, 224x294")
    assert "fitted at 224x392 before a picture was seen" in said
    assert notes(tmp_path, checkpoint="fit_for_view", shapes="224x392") == []
    assert notes(tmp_path, checkpoint="fit_for_view", shapes="224x392, 224x294", size=(480, 640)) == []
