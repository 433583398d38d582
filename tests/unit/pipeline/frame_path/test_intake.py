from dataclasses import replace

import numpy as np
import pytest

from operators.scene.change_gate import SIZE, ChangeGate
from pipeline.frame_path.owner.config import GateConfig, SampleConfig
from pipeline.frame_path.owner.intake import Intake
from pipeline.frame_path.owner.model_picture import blacked_out, model_picture
from pipeline.frame_path.owner.sampling import FrozenWatch, Sampler
from tests.fakes import SHAPE, PlainPicture, owned, times

RNG = np.random.default_rng(3)


def kept(sampler: Sampler, seconds) -> int:
    return sum(sampler.is_due(round(each * 1e9)) for each in seconds)


@pytest.mark.parametrize("source_fps", [25.0, 12.5, 30.0])
def test_sampling_gives_the_wanted_rate_whatever_the_source_and_its_jitter(source_fps):
    n = np.arange(int(60 * source_fps))
    regular = n / source_fps
    jittered = regular + RNG.uniform(-0.3, 0.3, n.size) / source_fps
    assert kept(Sampler(5.0), regular) == pytest.approx(300, abs=3)
    assert kept(Sampler(5.0), np.sort(jittered)) == pytest.approx(300, abs=3)


def test_a_source_of_just_the_wanted_rate_loses_nothing_to_jitter():
    seconds = np.arange(300) / 5.0 + RNG.uniform(-0.02, 0.02, 300)
    assert kept(Sampler(5.0), seconds) >= 298


def test_without_a_rate_every_frame_is_due_and_after_a_gap_sampling_goes_on():
    assert kept(Sampler(None), np.arange(10) / 25.0) == 10
    close = Sampler(None)
    assert all(close.is_due(1_750_000_000_000_000_000 + n) for n in range(1000)), "no rounding of nanoseconds"
    sampler = Sampler(1.0)
    assert [sampler.is_due(round(s * 1e9)) for s in (0.0, 0.5, 1.0, 60.0, 60.5, 61.0)] == [1, 0, 1, 1, 0, 1]


def test_a_time_that_steps_back_begins_anew_instead_of_waiting_for_ever():
    sampler = Sampler(1.0)
    assert sampler.is_due(10**12)
    assert sampler.is_due(0)
    assert not sampler.is_due(round(0.5e9))


def test_the_same_picture_again_and_again_is_frozen_after_a_while():
    watch, picture = FrozenWatch(10.0), np.full(SIZE, 90, np.uint8)
    assert [watch.is_frozen(picture, round(s * 1e9)) for s in (0, 5, 9.9, 10.0, 20.0)] == [False] * 3 + [True] * 2
    other = picture.copy()
    other[40, 80] += 1
    assert not watch.is_frozen(other, round(21e9))
    assert not watch.is_frozen(other, round(30e9))


def test_a_static_but_noisy_scene_is_never_frozen():
    watch = FrozenWatch(10.0)
    base = RNG.integers(20, 200, SIZE)
    for second in range(0, 24 * 3600, 30):
        noisy = np.round(base + RNG.normal(0, 0.4, SIZE)).astype(np.uint8)
        assert not watch.is_frozen(noisy, second * 10**9)


def test_two_pictures_far_apart_are_no_proof_of_a_frozen_camera():
    watch, picture = FrozenWatch(10.0), np.zeros(SIZE, np.uint8)
    assert not watch.is_frozen(picture, 0)
    assert not watch.is_frozen(picture, round(60e9))
    assert watch.is_frozen(picture, round(120e9))


def scene(shift=0.0, thing=False, noise=1.5, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    luma = np.linspace(40, 180, SIZE[1])[None, :].repeat(SIZE[0], 0) + shift
    if thing:
        luma[50:56, 70:76] += 30
    return np.clip(luma + rng.normal(0, noise, SIZE), 0, 255).astype(np.uint8)


def test_the_gate_ignores_noise_and_sees_a_small_thing():
    gate = ChangeGate(GateConfig(refresh=3600.0))
    assert gate.is_changed(scene(), 0.0)
    assert not any(gate.is_changed(scene(seed=n), n / 10) for n in range(1, 50))
    assert gate.is_changed(scene(thing=True, seed=60), 6.0)
    assert not gate.is_changed(scene(thing=True, seed=61), 6.1)
    assert gate.is_changed(scene(seed=62), 6.2), "the thing has left"


def test_slow_changes_add_up_to_a_change():
    gate = ChangeGate(GateConfig(refresh=3600.0))
    opened = [gate.is_changed(scene(shift=0.1 * n, noise=0.5, seed=n), n / 10) for n in range(100)]
    assert 2 <= sum(opened) <= 5


def test_the_gate_opens_at_least_every_refresh():
    gate = ChangeGate(GateConfig(refresh=2.0))
    opened = [n / 4 for n in range(41) if gate.is_changed(scene(noise=0.0), n / 4)]
    assert opened == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]


def test_an_unchanged_picture_is_converted_all_the_same_where_it_may_not_be_reused():
    intake = Intake(owned(sample=SampleConfig(gate=GateConfig(refresh=3600.0))))
    assert intake.look(PlainPicture(9), times(0), may_reuse=True).converted is not None
    assert intake.look(PlainPicture(9), times(1), may_reuse=True).converted is None
    assert intake.look(PlainPicture(9), times(2), may_reuse=False).converted is not None


def test_a_picture_keeps_its_proportions_and_the_placement_leads_back():
    wide = np.zeros((90, 200, 3), np.uint8)
    wide[:, :, 0] = np.arange(200)[None, :]
    pixels, placement = model_picture(PlainPicture(wide), SHAPE, ())
    assert pixels.shape == (*SHAPE, 3)
    assert placement.source_size == (90, 200)
    x = 30
    source_x = x * placement.scale[1] + placement.offset[1]
    assert pixels[10, x, 0] == pytest.approx(source_x, abs=4)
    assert placement.scale[0] == pytest.approx(placement.scale[1], rel=0.05)


def test_privacy_is_black_in_the_model_picture_and_in_the_evidence_and_the_source_is_untouched():
    corner = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))
    white = np.full((36, 54, 3), 255, np.uint8)
    intake = Intake(owned(privacy=(corner,), wants_evidence=True))
    converted = intake.look(PlainPicture(white), times(0), may_reuse=False).converted
    for picture in (converted.pixels, converted.full_size):
        height, width = picture.shape[:2]
        assert picture[: height // 2, : width // 2].max() == 0
        assert picture[-height // 3 :, -width // 3 :].min() == 255
    assert white.min() == 255


def test_blacking_out_covers_the_edge_of_the_polygon():
    white = np.full((10, 10, 3), 255, np.uint8)
    black = blacked_out(white, [((0.22, 0.22), (0.78, 0.22), (0.78, 0.78), (0.22, 0.78))])
    assert black[2:8, 2:8].max() == 0


def test_a_camera_gets_the_shape_nearest_to_its_own_pictures_and_keeps_it():
    camera = replace(owned("cam"), shapes=((112, 196), (112, 154), (112, 112)))
    intake = Intake(camera)
    assert intake.convert(PlainPicture(np.zeros((288, 384, 3), np.uint8))).pixels.shape == (112, 154, 3)
    assert intake.convert(PlainPicture(np.zeros((360, 640, 3), np.uint8))).pixels.shape == (112, 154, 3)
    assert Intake(camera).convert(PlainPicture(np.zeros((360, 640, 3), np.uint8))).pixels.shape == (112, 196, 3)
