import cv2
import numpy as np
import pytest

from pipeline.sources.images import NotAPicture, decode_image, image_size

PIXELS = np.full((33, 57, 3), (200, 30, 90), np.uint8)
ENDINGS = (".jpg", ".png", ".webp")


def encoded(ending, *options):
    return cv2.imencode(ending, cv2.cvtColor(PIXELS, cv2.COLOR_RGB2BGR), list(options))[1].tobytes()


@pytest.mark.parametrize("ending", ENDINGS)
def test_kinds_are_told_by_content_and_give_rgb(ending):
    data = encoded(ending)
    assert image_size(data) == (33, 57)
    assert np.abs(decode_image(data).astype(int) - PIXELS).mean() < 4


def test_lossless_webp_has_another_header():
    assert image_size(encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 101)) == (33, 57)


def test_progressive_jpeg():
    assert decode_image(encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)).shape == (33, 57, 3)


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_cut_picture_passes_as_whole(ending):
    data = encoded(ending)
    for length in (0, 1, 3, 11, 25, len(data) // 2, len(data) - 3):
        with pytest.raises(NotAPicture):
            decode_image(data[:length])


def test_a_cut_jpeg_is_not_shown_with_a_grey_half():
    noise = np.random.default_rng(3).integers(0, 255, (200, 300, 3), np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    cut = data[: len(data) * 2 // 3]
    with pytest.raises(NotAPicture, match="without its end"):
        decode_image(cut)


@pytest.mark.parametrize("data", [b"garbage", b"GIF89a" + bytes(40), b"\xff\xd8" + bytes(300)])
def test_other_content_is_refused(data):
    with pytest.raises(NotAPicture):
        decode_image(data)


def test_a_claimed_size_that_would_eat_the_memory_is_refused_before_decoding():
    bomb = bytearray(encoded(".png"))
    bomb[16:24] = (30_000).to_bytes(4, "big") * 2
    with pytest.raises(NotAPicture, match="at most"):
        decode_image(bytes(bomb))
