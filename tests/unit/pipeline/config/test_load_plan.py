from dataclasses import replace
from pathlib import Path

import pytest

from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.config import ModelConfig
from pipeline.config import load_config
from pipeline.config.load_plan import LoadPlan, memory_mib, plan_load

EXAMPLE = Path(__file__).parent / "example.yaml"


def plan(offered, rate=10.0, cores=2, decode=0.0):
    return LoadPlan({"cam": offered}, rate, cores, decode)


def test_every_camera_is_reckoned_with_what_it_asks_for():
    found = plan_load(load_config(EXAMPLE), model_rate=20.0, cores=2)
    assert dict(found.wanted) == {"dock-03": 5.0, "yard-01": 2.0, "weighbridge": 0.0, "dock-sim": 5.0, "archive": 0.0}
    assert found.offered == 12.0


def test_decoding_takes_its_share_of_the_cores():
    assert plan(5.0, decode=0.5).capacity == pytest.approx(7.5)
    assert plan(5.0, decode=2.5).share == float("inf")


def test_more_than_the_model_gives_is_refused_unless_dropping_is_accepted():
    assert plan(10.0).refusal("refuse") is None
    assert "expected at most 10.0" in plan(10.1).refusal("refuse")
    assert plan(10.1).refusal("degrade") is None


def test_the_age_grows_with_the_load_and_has_no_end_at_capacity():
    ages = [plan(offered).age_seconds(lanes=2) for offered in (0.0, 5.0, 9.0, 9.9)]
    assert ages == sorted(ages)
    assert ages[0] == pytest.approx(0.205)
    assert plan(10.0).age_seconds(lanes=2) is None


def test_memory_grows_with_cameras_and_model():
    config = load_config(EXAMPLE)
    assert memory_mib(config, 5) - memory_mib(config, 4) == 290
    assert memory_mib(config, 4) == 490 + 4 * 290 + 84 + 5 * 12


@pytest.mark.parametrize(
    ("name", "mib"), [("dinov2_vitg14", 4335), ("depth_anything_v2_base", 330), ("dinov3_vits16", 82)]
)
def test_memory_is_known_of_every_backbone(name, mib):
    config, other = load_config(EXAMPLE), ModelConfig.model_validate({"backbone": name})
    changed = replace(config, sections=config.sections.model_copy(update={"model": other}))
    assert memory_mib(changed, 4) - memory_mib(config, 4) == mib - 84
    assert all(each.num_parameters > 10**7 for each in ARCHITECTURES.values())
