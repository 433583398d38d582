import numpy as np
import pytest
import torch
from torch.nn import functional as F

from operators.heads.depth_linear import DepthAbout, DepthLinear, HeadMismatchError

GRID = (4, 6)
DIM = 8


def taps(blocks=(2, 5), batch=2, seed=0):
    rng = np.random.default_rng(seed)
    return {
        block: (
            rng.normal(size=(batch, DIM)).astype(np.float32),
            rng.normal(size=(batch, GRID[0] * GRID[1], DIM)).astype(np.float32),
        )
        for block in blocks
    }


def about(form, **changes):
    values = {
        "form": form,
        "blocks": (2, 5),
        "reference_focal_px": 260.0,
        "range_metres": (0.001, 80.0),
        "fingerprint": "aa" * 32,
    }
    return DepthAbout(**{**values, **changes})


def bins_head(num_bins=16, seed=1):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(num_bins, 2 * DIM * 2)).astype(np.float32)
    return DepthLinear(weight, rng.normal(size=num_bins).astype(np.float32), about("bins"))


def upstream_order(head: DepthLinear, given) -> torch.Tensor:
    """The slow order: each token map with its broadcast class token upsampled fourfold, then the convolution."""
    maps = []
    for block in head.about.blocks:
        cls, patches = (torch.from_numpy(each) for each in given[block])
        patch_map = patches.transpose(1, 2).reshape(len(cls), DIM, *GRID)
        both = torch.cat([patch_map, cls[:, :, None, None].expand(-1, -1, *GRID)], dim=1)
        maps.append(F.interpolate(both, scale_factor=4, mode="bilinear", align_corners=False))
    weight = torch.from_numpy(head.weight)[:, :, None, None]
    logits = F.conv2d(torch.cat(maps, dim=1), weight, torch.from_numpy(head.bias))
    share = torch.relu(logits) + 0.1
    share = share / share.sum(dim=1, keepdim=True)
    bins = torch.linspace(*head.about.range_metres, head.weight.shape[0])
    return torch.einsum("bkhw,k->bhw", share, bins)


def test_bins_in_the_cheap_order_equal_upstreams_order():
    head, given = bins_head(), taps()
    slow = upstream_order(head, given)
    np.testing.assert_allclose(head.predict_map(given, GRID, (16, 24)), slow.numpy(), rtol=1e-4)
    on_patches = F.avg_pool2d(slow[:, None], 4)[:, 0]
    np.testing.assert_allclose(head.predict(given, GRID), on_patches.numpy(), rtol=1e-4)


def test_log_form_is_exp_of_one_linear_layer():
    rng = np.random.default_rng(3)
    weight, given = 0.1 * rng.normal(size=(1, 4 * DIM)).astype(np.float32), taps()
    head = DepthLinear(weight, np.array([1.5], np.float32), about("log"))
    features = np.concatenate([given[2][1][1, 7], given[2][0][1], given[5][1][1, 7], given[5][0][1]])
    expected = np.exp(features @ weight[0] + 1.5)
    assert head.predict(given, GRID)[1].ravel()[7] == pytest.approx(expected, rel=1e-5)


def test_depth_scales_with_the_focal_length():
    head, given = bins_head(), taps()
    np.testing.assert_allclose(
        head.predict(given, GRID, focal_px=520.0), 2 * head.predict(given, GRID, focal_px=260.0), rtol=1e-6
    )
    np.testing.assert_array_equal(head.predict(given, GRID), head.predict(given, GRID, focal_px=260.0))


def test_depth_near_the_ends_of_the_range_is_invalid():
    given = {2: (np.zeros((1, 1), np.float32), np.log(np.array([1.01, 1.03, 38.9, 39.5], np.float32)).reshape(1, 4, 1))}
    head = DepthLinear(
        np.array([[1.0, 0.0]], np.float32),
        np.zeros(1, np.float32),
        about("log", blocks=(2,), range_metres=(1.0, 40.0)),
    )
    assert np.isnan(head.predict(given, (2, 2)))[0].tolist() == [[True, False], [False, True]]


def test_other_weights_are_refused():
    head = bins_head()
    head.about.check_backbone("aa" * 32)
    with pytest.raises(HeadMismatchError, match="expected fingerprint aaaaaaaaaaaa, got bbbbbbbbbbbb"):
        head.about.check_backbone("bb" * 32)


def test_bytes_and_files_carry_everything(tmp_path):
    head = DepthLinear(bins_head().weight, bins_head().bias, about("bins", figures={"p90": 0.3}, recipe="r"))
    path = tmp_path / "head.safetensors"
    path.write_bytes(head.to_bytes())
    again = DepthLinear.load(path)
    assert again.about == head.about
    np.testing.assert_array_equal(again.weight, head.weight)
    assert again.to_bytes() == head.to_bytes()
    with pytest.raises(ValueError, match="not safetensors"):
        DepthLinear.from_bytes(head.to_bytes()[:40])


def test_metas_head_is_read_and_others_are_refused():
    source = bins_head()
    state = {
        "decode_head.conv_depth.weight": torch.from_numpy(source.weight)[:, :, None, None],
        "decode_head.conv_depth.bias": torch.from_numpy(source.bias),
    }
    head = DepthLinear.from_meta(state, about("bins"))
    np.testing.assert_array_equal(head.predict(taps(), GRID), source.predict(taps(), GRID))
    with pytest.raises(ValueError, match=r"conv_depth\.bias"):
        DepthLinear.from_meta({"decode_head.conv_depth.weight": state["decode_head.conv_depth.weight"]}, about("bins"))
    with pytest.raises(ValueError, match="3 blocks"):
        DepthLinear.from_meta(state, about("bins", blocks=(2, 5, 8)))
