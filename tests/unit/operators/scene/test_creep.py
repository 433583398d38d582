"""How far a picture crept, on made-up textures."""

import cv2
import numpy as np
import pytest

from operators.scene.creep import crept, laid_back


def texture() -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=(80, 120)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.5, -0.3), (-1.2, 1.0)])
def test_a_picture_that_crept_is_laid_over_what_was_learnt(offset: tuple[float, float]):
    wanted = texture()
    seen = laid_back(wanted, (-offset[0], -offset[1]))
    found = crept(wanted, seen, np.ones(wanted.shape, bool))
    assert found == pytest.approx(offset, abs=0.03)
    inner = np.s_[8:-8, 8:-8]
    assert np.abs(laid_back(seen, found) - wanted)[inner].max() < 0.1 * np.abs(wanted).max()


def test_what_moves_elsewhere_has_no_say():
    wanted = texture()
    seen, where = laid_back(wanted, (-0.6, 0.0)), np.ones(wanted.shape, bool)
    seen[:, 60:] = np.random.default_rng(4).normal(size=(80, 60))
    where[:, 55:] = False
    assert crept(wanted, seen, where) == pytest.approx((0.6, 0.0), abs=0.03)


def test_it_creeps_by_a_pixel_and_a_half_at_most_and_not_at_all_where_nothing_can_be_seen():
    wanted, everywhere = texture(), np.ones((80, 120), bool)
    far = crept(wanted, laid_back(wanted, (4.0, -4.0)), everywhere)
    assert max(abs(each) for each in far) <= 1.5
    plain = np.zeros((80, 120), np.float32)
    assert crept(plain, wanted, everywhere) == (0.0, 0.0)
    stripes = np.tile(np.sin(np.arange(120, dtype=np.float32)), (80, 1))  # nothing says how far down
    assert crept(stripes, stripes, everywhere) == (0.0, 0.0)
