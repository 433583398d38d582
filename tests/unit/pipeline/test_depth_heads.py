from dataclasses import replace

import numpy as np
import pytest

from operators.backbone import Engine, load_backbone
from operators.heads.depth_linear import DepthLinear
from operators.heads.shipped import ASSETS, shipped_head
from operators.scene.config import ViewConfig
from pipeline.simulation import depth_heads
from pipeline.simulation.depth_heads import head_for_view, pose_of, simulated_head

VIEW = ViewConfig(height=3.5, pitch=32.0, hfov=74.0, yaw=6.0)
SHAPE = (112, 196)


@pytest.fixture(scope="module")
def engine():
    return Engine(load_backbone("dinov2_vits14", "random"), "fp32")


def test_a_head_is_fitted_once_per_view_and_weights(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(depth_heads, "PICTURES_PER_FIT", 4)
    done = []
    head = head_for_view(engine, VIEW, SHAPE, tmp_path, done.append)
    assert done == [4]
    assert head.about.fingerprint == engine.backbone.fingerprint
    again = head_for_view(engine, VIEW, SHAPE, tmp_path, done.append)
    assert done == [4]  # from the cache
    np.testing.assert_array_equal(again.weight, head.weight)
    head_for_view(engine, VIEW.model_copy(update={"pitch": 30.0}), SHAPE, tmp_path, done.append)
    assert done == [4, 4]
    assert len(list(tmp_path.iterdir())) == 2


def test_other_weights_get_a_fit_over_many_poses(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(depth_heads, "PICTURES_PER_FIT", 12)
    head = simulated_head(engine, SHAPE, tmp_path)
    assert head.about.fingerprint == engine.backbone.fingerprint
    assert "at 2 poses" in head.about.recipe


def test_a_shipped_head_is_found_by_its_weights_alone(monkeypatch, tmp_path):
    assert shipped_head("0" * 64) is None
    head = DepthLinear.load(next(ASSETS.glob("depth_*.safetensors")))
    mine = replace(head, about=replace(head.about, fingerprint="f" * 64))
    (tmp_path / "depth_mine.safetensors").write_bytes(mine.to_bytes())
    monkeypatch.setattr("operators.heads.shipped.ASSETS", tmp_path)
    found = shipped_head("f" * 64)
    assert found is not None
    assert found.about == mine.about


def test_a_turned_camera_looks_at_the_lane():
    pose = pose_of(VIEW)
    # Five metres ahead of the dock the optical axis meets the lane's middle.
    assert pose.lateral + 5.0 * np.tan(np.radians(pose.yaw)) == pytest.approx(0.0)
