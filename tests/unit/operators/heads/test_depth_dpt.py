from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from operators.backbone.errors import WeightsError
from operators.heads.depth_dpt import DepthDpt
from operators.heads.depth_files import depth_from_bytes
from operators.heads.dpt_layers import DptDecoder, Fusion, Readout
from tests.unit.operators.heads.depth_models import ANYTHING, META, about, head, taps, tensors

GRID = (4, 6)


def test_the_readout_in_the_cheap_order_equals_upstreams() -> None:
    layer, given = Readout(16), taps(GRID)[0]
    cls, patches = (torch.from_numpy(each) for each in given)
    both = torch.cat([patches, cls[:, None].expand_as(patches)], dim=-1)
    torch.testing.assert_close(layer(cls, patches), F.gelu(layer.linear(both)), rtol=1e-5, atol=1e-6)


def test_a_fusion_in_the_cheap_order_equals_upstreams() -> None:
    layer = Fusion(6, has_bias=False, has_skip=True)
    x, finer = torch.randn(2, 6, 8, 10), torch.randn(2, 6, 7, 10)
    fitted = F.interpolate(finer, size=(8, 10), mode="bilinear", align_corners=False)
    own = x + fitted + layer.skip.conv2(F.relu(layer.skip.conv1(F.relu(fitted))))
    own = own + layer.own.conv2(F.relu(layer.own.conv1(F.relu(own))))
    slow = layer.out(F.interpolate(own, scale_factor=2, mode="bilinear", align_corners=True))
    kept = x.clone()
    torch.testing.assert_close(layer(x, finer, (16, 20)), slow, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(x, kept)  # nothing that others hold was written to


@pytest.mark.parametrize(("shape", "factor"), [(META, 16), (ANYTHING, 14)])
def test_the_grid_holds_the_mean_of_the_map(shape, factor: int) -> None:
    model = head(shape)
    size = (GRID[0] * factor, GRID[1] * factor)
    fine = model.raw_map(taps(GRID), GRID, size)
    coarse = fine.reshape(1, GRID[0], factor, GRID[1], factor).mean(axis=(2, 4))
    np.testing.assert_allclose(model.predict(taps(GRID), GRID), coarse, rtol=1e-5)


def test_an_odd_grid_has_a_map_of_its_own_size() -> None:
    raw = DptDecoder(META)([(torch.randn(1, 16), torch.randn(1, 15, 16))] * 4, (3, 5))
    assert raw.shape == (1, 64, 96)  # 3 x 5 halves to 2 x 3, and five doublings follow
    assert head().predict(taps((3, 5)), (3, 5)).shape == (1, 3, 5)
    assert head().raw_map(taps((3, 5)), (3, 5), (42, 70)).shape == (1, 42, 70)


def test_pictures_of_a_batch_do_not_meet_and_tensors_are_read_like_arrays() -> None:
    model, given = head(), taps(GRID, batch=2)
    both = model.predict(given, GRID)
    for row in range(2):
        one = {block: (cls[row : row + 1], patches[row : row + 1]) for block, (cls, patches) in given.items()}
        np.testing.assert_allclose(model.predict(one, GRID)[0], both[row], rtol=1e-5)
        as_tensors = {block: tuple(map(torch.from_numpy, each)) for block, each in one.items()}
        np.testing.assert_array_equal(model.predict(as_tensors, GRID), model.predict(one, GRID))


def test_the_last_step_of_each_form() -> None:
    given, size = taps(GRID), (64, 96)
    free = head(form="relu").raw_map(given, GRID, size)
    assert 0 < free.min() < 2 < free.max()
    clamped = head(range_metres=(0.5, 2.0)).raw_map(given, GRID, size)
    np.testing.assert_allclose(clamped, np.clip(free + 0.5, 0.5, 2.0), rtol=1e-5)
    share = head(form="sigmoid", range_metres=(0.001, 20.0)).raw_map(given, GRID, size)
    np.testing.assert_allclose(share, 20 / (1 + np.exp(-free)), rtol=1e-4)


def test_metres_follow_the_focal_length_and_inverse_depth_does_not() -> None:
    given = taps(GRID)
    metric, inverse = head(), head(form="relu", output="inverse", reference_focal_px=0.0, range_metres=(0.0, 0.0))
    np.testing.assert_allclose(metric.predict(given, GRID, 250.0), metric.predict(given, GRID, 500.0) / 2, rtol=1e-6)
    np.testing.assert_array_equal(inverse.predict(given, GRID, 250.0), inverse.predict(given, GRID))
    assert np.isfinite(inverse.predict(given, GRID)).all()


def test_depth_near_the_ends_of_the_range_is_invalid() -> None:
    values = head(range_metres=(0.001, 3.0)).predict_map(taps(GRID), GRID, (64, 96))
    raw = head(range_metres=(0.001, 3.0)).raw_map(taps(GRID), GRID, (64, 96))
    np.testing.assert_array_equal(np.isnan(values), raw > 3.0 * 0.98)
    assert 0 < np.isnan(values).mean() < 1


def test_bytes_carry_everything() -> None:
    for shape in (META, ANYTHING):
        model = head(shape, recipe="r", trained_size=(480, 640), licence="mit")
        again = depth_from_bytes(model.to_bytes())
        assert isinstance(again, DepthDpt)
        assert (again.about, again.decoder.shape) == (model.about, shape)
        np.testing.assert_array_equal(again.predict(taps(GRID), GRID), model.predict(taps(GRID), GRID))
        assert again.to_bytes() == model.to_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"middle.weight": None}, r"1 tensors missing \(middle\.weight\)"),
        ({"middle.odd": torch.ones(1)}, r"1 unknown \(middle\.odd\)"),
        ({"middle.bias": torch.ones(7)}, r"expected float \(6,\) for middle\.bias, got torch\.float32 \(7,\)"),
        ({"middle.bias": torch.ones(6, dtype=torch.int64)}, r"got torch\.int64"),
        ({"middle.bias": torch.full((6,), torch.nan)}, r"middle\.bias holds values that are not finite"),
    ],
)
def test_what_makes_no_decoder_is_one_clear_error(change, message: str) -> None:
    made = {name: tensor for name, tensor in (tensors(META) | change).items() if tensor is not None}
    with pytest.raises(WeightsError, match=message) as caught:
        DepthDpt.build(META, made, about(), "head.pth")
    assert "\n" not in str(caught.value)


def test_bytes_of_something_else_are_refused() -> None:
    data = head().to_bytes()
    for bad in (data[:50], data[:-9], b"", b"\x00" * 40):
        with pytest.raises(ValueError, match=r"not safetensors|damaged|not a file"):
            depth_from_bytes(bad)


def test_a_change_of_what_is_said_changes_nothing_else() -> None:
    model = head()
    other = replace(model, about=replace(model.about, licence="mit"))
    np.testing.assert_array_equal(other.predict(taps(GRID), GRID), model.predict(taps(GRID), GRID))
