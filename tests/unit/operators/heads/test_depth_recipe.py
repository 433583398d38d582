import numpy as np
import pytest
import torch

from operators.backbone.checkpoints import build, random_tensors
from operators.backbone.preprocess import centre_pad
from operators.heads.depth_about import HeadMismatchError
from operators.heads.depth_recipe import depth_anything_pixels, depth_anything_size, official_depth
from tests.unit.operators.heads.depth_models import ANYTHING, ARCH, head


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (518, 686)),
        ((240, 320), (518, 686)),
        ((1080, 1920), (518, 924)),
        ((1920, 1080), (924, 518)),
        ((518, 518), (518, 518)),
        ((100, 109), (518, 560)),  # 564.6 rounds to 40 patches
        ((100, 109.46), (518, 574)),  # 40.5 patches and a little more
    ],
)
def test_depth_anything_sees_at_least_518_on_both_sides(size, expected) -> None:
    assert depth_anything_size(size) == expected


def test_padding_is_zero_and_an_odd_row_goes_to_the_bottom() -> None:
    padded = centre_pad(torch.ones(1, 3, 27, 25), 14)
    assert padded.shape == (1, 3, 28, 28)
    assert padded[0, 0].sum() == 27 * 25
    assert padded[0, 0, -1].sum() == 0
    assert padded[0, 0, 0].sum() == 25
    assert padded[0, 0, 0].nonzero().flatten().tolist() == list(range(1, 26))
    assert centre_pad(torch.ones(1, 3, 480, 640), 14).shape == (1, 3, 490, 644)


def test_pixels_are_normalised_per_channel() -> None:
    plain = np.full((70, 70, 3), 255, np.uint8)
    pixels = depth_anything_pixels(plain, 70)
    assert (pixels.shape, pixels.dtype) == ((3, 70, 70), np.float32)
    np.testing.assert_allclose(
        pixels[:, 3, 4], [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225], rtol=1e-6
    )


def test_every_pixel_of_the_picture_gets_its_depth() -> None:
    backbone = build(ARCH, random_tensors(ARCH, 1), "hub_offset")
    picture = np.random.default_rng(0).integers(0, 255, (60, 45, 3), np.uint8)
    for shape, changes in ((None, {}), (ANYTHING, {"form": "relu", "output": "inverse", "is_normed": True})):
        given = {"fingerprint": backbone.fingerprint, "backbone": "", **changes}
        model = head(**given) if shape is None else head(shape, **given)
        depth = official_depth(backbone, model, picture)
        assert (depth.shape, depth.dtype) == ((60, 45), np.float32)
        assert np.isfinite(depth).all()


def test_the_mirrored_picture_counts_as_much_as_the_picture() -> None:
    backbone = build(ARCH, random_tensors(ARCH, 1), "hub_offset")
    picture = np.random.default_rng(0).integers(0, 255, (60, 45, 3), np.uint8)
    model = head(fingerprint=backbone.fingerprint, backbone="")
    alone, other = (official_depth(backbone, model, np.ascontiguousarray(x)) for x in (picture, picture[:, ::-1]))
    both = official_depth(backbone, model, picture, is_mirrored_too=True)
    np.testing.assert_allclose(both, (alone + other[:, ::-1]) / 2, rtol=1e-6)
    assert np.abs(both - alone).max() > 1e-4


def test_what_cannot_be_is_refused() -> None:
    backbone = build(ARCH, random_tensors(ARCH, 1), "hub_offset")
    with pytest.raises(HeadMismatchError, match="belongs to other weights"):
        official_depth(backbone, head(), np.zeros((60, 45, 3), np.uint8))
    model = head(fingerprint=backbone.fingerprint)
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\) RGB, got float64 \(60, 45\)"):
        official_depth(backbone, model, np.zeros((60, 45)))
