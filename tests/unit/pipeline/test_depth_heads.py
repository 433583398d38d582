from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from operators.geometry import FloorCamera
from operators.heads.depth_linear import DepthAbout, DepthLinear
from operators.heads.shipped import ASSETS, shipped_head
from operators.scene.config import ViewConfig
from pipeline.cli.demo.stage import DOCK_SEEDS
from pipeline.cli.demo.stage import SHAPE as DEMO_SHAPE
from pipeline.simulation import depth_heads
from pipeline.simulation.depth_heads import head_for_view, pose_of, random_pose, simulated_head
from pipeline.sources.simulated import pose_for

VIEW = ViewConfig(height=3.5, pitch=32.0, hfov=74.0, yaw=6.0)
SHAPE = (112, 196)


@dataclass
class Backbone:
    fingerprint: str = "ab" * 32


@dataclass
class FakeEngine:
    backbone: Backbone = field(default_factory=Backbone)


@pytest.fixture
def fits(monkeypatch):
    """Records every fit instead of running a backbone."""
    done = []

    def head(engine):
        about = DepthAbout("log", (2,), 260.0, (0.5, 40.0), engine.backbone.fingerprint)
        return DepthLinear(np.full((1, 4), len(done), np.float32), np.zeros(1, np.float32), about)

    def fit_for_view(engine, view, pictures, shape, progress=None):  # noqa: ARG001 - the real one's signature
        sizes = {picture.rgb.shape[:2] for picture in pictures}
        done.append((view.pitch, sizes, shape))
        return head(engine)

    def fit_over_poses(engine, shape, num_pictures, seed, progress=None):  # noqa: ARG001 - the real one's signature
        done.append(("poses", num_pictures))
        return head(engine)

    monkeypatch.setattr(depth_heads, "PICTURES_PER_FIT", 2)
    monkeypatch.setattr(depth_heads, "fit_for_view", fit_for_view)
    monkeypatch.setattr(depth_heads, "fit_over_poses", fit_over_poses)
    return done


def test_a_head_is_fitted_once_per_view_and_weights(fits, tmp_path):
    first = head_for_view(FakeEngine(), VIEW, SHAPE, tmp_path)
    again = head_for_view(FakeEngine(), VIEW, SHAPE, tmp_path)
    assert fits == [(32.0, {(366, 640)}, SHAPE)]
    np.testing.assert_array_equal(again.weight, first.weight)
    head_for_view(FakeEngine(), VIEW.model_copy(update={"pitch": 30.0}), SHAPE, tmp_path)
    other = head_for_view(FakeEngine(Backbone("cd" * 32)), VIEW, SHAPE, tmp_path)
    assert [fit[0] for fit in fits] == [32.0, 30.0, 32.0]
    assert other.about.fingerprint == "cd" * 32
    assert len(list(tmp_path.iterdir())) == 3


def test_weights_without_a_shipped_head_get_one_fit_over_many_poses(fits, tmp_path):
    simulated_head(FakeEngine(), SHAPE, tmp_path)
    simulated_head(FakeEngine(), SHAPE, tmp_path)
    assert fits == [("poses", 2)]


def test_weights_with_a_shipped_head_get_it_without_a_fit(fits, tmp_path):
    shipped = DepthLinear.load(next(ASSETS.glob("depth_*.safetensors")))
    found = simulated_head(FakeEngine(Backbone(shipped.about.fingerprint)), SHAPE, tmp_path)
    assert found.about == shipped.about
    assert fits == []


def test_the_demos_view_ships_with_the_head_that_a_fit_would_give_it(fits, tmp_path):
    fingerprint = DepthLinear.load(ASSETS / "depth_standin_vits14.safetensors").about.fingerprint
    (pose,) = {pose_for(seed) for seed in DOCK_SEEDS.values()}
    head = head_for_view(FakeEngine(Backbone(fingerprint)), pose.view(), DEMO_SHAPE, tmp_path)
    assert fits == []  # a change of the recipe must bring a new file
    assert head.about.fingerprint == fingerprint
    assert "view 3.5 m, 32 deg, hfov 74 deg" in head.about.recipe


def test_the_shipped_head_says_how_wrong_it_is_on_what_it_never_saw():
    about = DepthLinear.load(ASSETS / "depth_standin_vits14.safetensors").about
    assert about.figures["unseen_pictures"] >= 100
    assert about.relative_error == about.figures["movers_median_abs_rel"] < 0.15


def test_random_poses_are_plausible_and_differ():
    poses = [random_pose(np.random.default_rng(seed)) for seed in range(50)]
    nearest = [FloorCamera(pose.view(), (360, 640)).nearest_visible_floor() for pose in poses]
    assert len({pose.height for pose in poses}) == 50
    assert 0 < min(nearest) < max(nearest) < 6


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
