"""Whether a camera still shows what it learnt, on a simulated yard that no limit was tuned on."""

from functools import cache

import cv2
import numpy as np
import pytest

from operators.backbone.preprocess import place
from operators.scene.structure import Structure, build_structure, gray_picture, match_view
from operators.scene.view_check import MIN_FRAMES, SURE, Verdict, ViewWatch, check_view
from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.movers import MoverState
from pipeline.simulation.pose import POSES, Pose
from tests.bench.scene_pictures import covered, day_to_night, infrared, lamp_lit, moved

SITE, POSE = 860_001, POSES["P0"]
SECOND = 1_000_000_000


@cache
def scene(pose: Pose = POSE) -> DockScene:
    return DockScene(SITE, pose)


def picture(light: Light, pose: Pose = POSE, movers: tuple[MoverState, ...] = ()) -> np.ndarray:
    return scene(pose).render(movers, light, 3).rgb


def pixels(rgb: np.ndarray) -> np.ndarray:
    return place(rgb, (224, 392))[0]


@cache
def learnt() -> Structure:
    lights = [[gray_picture(pixels(picture(Light.drift(seed, 20.0 * k)))) for k in range(3)] for seed in (1, 2, 4)]
    return build_structure(lights)


def verdict(rgb: np.ndarray, *masks: np.ndarray) -> str:
    return check_view(learnt(), pixels(rgb), masks)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_lights_that_were_not_learnt_from_day_to_night_are_the_same_view(share: float):
    assert verdict(lamp_lit(picture(day_to_night(77, share, 30.0)), 5, share)) == "ok"


def test_infrared_is_the_same_view():
    assert verdict(infrared(picture(Light.of(78)), 1)) == "ok"


@pytest.mark.parametrize("what", ["pan", "tilt", "zoom", "re-aimed"])
def test_a_camera_that_was_turned_is_moved(what: str):
    said = verdict(picture(Light.of(79), moved(POSE, what, 3)))
    assert said == ("lost" if what == "re-aimed" else "moved")


@pytest.mark.parametrize(
    ("what", "said"), [("hand", "covered"), ("sheet", "covered"), ("dirt", "covered"), ("defocus", "blurred")]
)
def test_what_is_on_the_lens_is_told(what: str, said: str):
    assert verdict(covered(picture(Light.of(80)), what, 4)) == said


def test_a_cobweb_is_told_whatever_it_is_called():
    assert verdict(covered(picture(Light.of(80)), "web", 4)) in {"covered", "blurred"}


def crept(rgb: np.ndarray, right_px: float, down_px: float) -> np.ndarray:
    """A model-size picture of a camera that crept, in pixels of half that size."""
    moved_by = np.array([[1.0, 0.0, 2 * right_px], [0.0, 1.0, 2 * down_px]])
    return cv2.warpAffine(rgb, moved_by, rgb.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize(("right_px", "down_px"), [(0.5, 0.0), (-0.8, 0.6), (1.3, 0.0)])
def test_a_camera_that_creeps_by_a_pixel_is_not_out_of_focus_and_one_that_is_does_not_hide_it_so(
    right_px: float, down_px: float
):
    sharp = crept(pixels(picture(Light.of(80))), right_px, down_px)
    assert check_view(learnt(), sharp, ()) == "ok"
    hazy = crept(pixels(covered(picture(Light.of(80)), "defocus", 4)), right_px, down_px)
    assert check_view(learnt(), hazy, ()) == "blurred"


def trucked(y_metres: float) -> tuple[np.ndarray, np.ndarray]:
    """A truck's rear at about `y_metres`, and the patches that it covers."""
    shown = scene().render([MoverState("truck", 0.0, y_metres, 0.0, 12)], Light.of(81), 3)
    mask = pixels(np.repeat((shown.mover_map > 0).astype(np.uint8)[..., None] * 255, 3, axis=2))[..., 0]
    return shown.rgb, mask.reshape(16, 14, 28, 14).mean(axis=(1, 3)) > 20


def test_a_truck_before_the_lens_is_a_subject_and_no_cover():
    rgb, patches = trucked(4.2)
    assert patches.mean() > 0.3
    assert verdict(rgb, patches) == "ok"
    assert verdict(rgb) not in SURE, "although nobody found the truck"


def test_a_truck_that_fills_the_picture_is_never_a_sure_fault():
    rgb, patches = trucked(2.6)
    assert patches.mean() > 0.6
    assert verdict(rgb, patches) not in SURE
    assert verdict(rgb) not in SURE


def test_a_plain_view_is_never_judged():
    plain = build_structure([[np.full((112, 196), 120, np.uint8)]])
    assert check_view(plain, np.zeros((224, 392, 3), np.uint8), ()) == "unsure"
    assert check_view(None, np.zeros((224, 392, 3), np.uint8), ()) == "unsure"


def test_privacy_polygons_do_not_hold_a_moved_camera_in_place():
    def hidden(rgb: np.ndarray) -> np.ndarray:
        found = pixels(rgb).copy()
        for top in range(24, 224, 56):
            for left in range(20, 392, 56):
                found[top : top + 12, left : left + 12] = 0
        return found

    lights = [[gray_picture(hidden(picture(Light.drift(seed, 9.0))))] for seed in (1, 2)]
    structure = build_structure(lights)
    assert check_view(structure, hidden(picture(Light.of(82))), ()) == "ok"
    assert check_view(structure, hidden(picture(Light.of(82), moved(POSE, "pan", 3))), ()) in {"moved", "lost"}


def test_patches_of_an_absorbed_thing_are_not_looked_for():
    grays = [[gray_picture(pixels(picture(Light.of(1))))]]
    patches = np.zeros((16, 28), bool)
    patches[:, :14] = True
    whole, half = build_structure(grays), build_structure(grays, patches)
    count = [match_view(each, grays[0][0]).num_blocks for each in (whole, half)]
    assert count[1] <= 0.65 * count[0]


def test_a_picture_of_another_shape_is_one_sentence():
    with pytest.raises(ValueError, match=r"gray must be \(112, 196\) as in the view, got \(4, 4\)"):
        match_view(learnt(), np.zeros((4, 4), np.uint8))


def repeated(verdict: Verdict, count: int) -> list[Verdict]:
    return [verdict] * count


def watched(*verdicts: Verdict, step_seconds: float = 1.0, watch: ViewWatch | None = None) -> ViewWatch:
    watch = watch or ViewWatch()
    for number, each in enumerate(verdicts):
        watch = watch.step(each, int(number * step_seconds * SECOND))
    return watch


def test_a_state_needs_several_frames_over_several_seconds():
    assert watched(*repeated("moved", 5)).state == "ok"
    assert watched(*repeated("moved", 6)).state == "moved"
    assert watched(*repeated("moved", 20), step_seconds=0.2).state == "ok"
    assert watched(*repeated("moved", MIN_FRAMES - 1), step_seconds=60.0).state == "ok"
    assert watched(*repeated("moved", MIN_FRAMES), step_seconds=60.0).state == "moved"


def test_what_a_parked_truck_may_look_like_takes_two_minutes():
    assert watched(*repeated("faded", 120)).state == "ok"
    assert watched(*repeated("faded", 121)).state == "covered"
    assert watched(*repeated("lost", 121)).state == "moved"
    assert watched(*repeated("faded", 50), *repeated("covered", 5), "faded").state == "ok"
    assert watched(*repeated("faded", 50), *repeated("covered", 6)).state == "covered"


def test_one_good_frame_begins_the_doubt_anew():
    assert watched(*repeated("covered", 5), "ok", *repeated("covered", 5)).state == "ok"


def test_frames_that_tell_nothing_change_nothing():
    assert watched("covered", "unsure", "unsure", "covered", "unsure", "covered", "covered").state == "covered"
    assert watched(*repeated("unsure", 50)).state == "ok"


def test_faults_in_a_row_count_together_and_the_last_one_names_the_state():
    assert watched("moved", "covered", "moved", "covered", "moved", "covered").state == "covered"


def test_it_is_well_again_as_slowly_as_it_fell():
    fallen = watched(*repeated("blurred", 6))
    assert watched(*repeated("ok", 5), watch=fallen).state == "blurred"
    assert watched(*repeated("ok", 6), watch=fallen).state == "ok"


def test_the_watch_survives_a_restart():
    watch = watched("moved", "moved")
    assert ViewWatch.from_dict(watch.to_dict()) == watch
