import pytest

from operators.rules.config import RuleConfig
from pipeline.config.light_notes import light_note

RULE = {"measure": "distance_to(dock)", "enter": "< 3 m", "exit": "> 4 m"}
PLAIN, CONTENT = RuleConfig.model_validate(RULE), RuleConfig.model_validate({**RULE, "accept": "one_light"})
BESIDE = RuleConfig.model_validate({**RULE, "measure": "camera_depth(apron).p05"})

A_WAITS = "a is unknown until it has seen two"


@pytest.mark.parametrize(
    ("rules", "lights", "said"),
    [
        (
            {"near": PLAIN, "beside": BESIDE},
            0,
            "learning, 0 of 2 lights; rules that need subjects are unknown until it has seen two",
        ),
        ({"near": PLAIN}, 1, "learning, 1 of 2 lights; rules that need subjects are unknown until it has seen two"),
        ({"near": CONTENT}, 0, "no light yet; near is unknown until it has seen one (`accept: one_light`)"),
        ({"near": CONTENT}, 1, "one light; near goes by depth alone until it has seen two (`accept: one_light`)"),
        (
            {"a": PLAIN, "b": CONTENT, "c": CONTENT},
            0,
            f"learning, 0 of 2 lights; {A_WAITS}; b, c are unknown until it has seen one (`accept: one_light`)",
        ),
        (
            {"a": PLAIN, "b": CONTENT, "c": CONTENT},
            1,
            f"learning, 1 of 2 lights; {A_WAITS}; b, c go by depth alone until it has seen two (`accept: one_light`)",
        ),
        ({"near": CONTENT}, 3, "3 lights"),
        ({}, 1, "one light"),
    ],
)
def test_a_view_says_which_rules_wait_for_how_many_lights(rules, lights, said):
    assert light_note(rules, "view/gate@4", lights, has_pose=True) == f"empty view view/gate@4: {said}"


def test_a_camera_without_a_pose_goes_by_looks():
    assert light_note({"near": CONTENT}, None, 1, has_pose=False).startswith(
        "empty view: one light; near goes by looks"
    )
