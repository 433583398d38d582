"""The one-pass conversion against a float reference: what the model sees is what the camera meant."""

import av
import cv2
import numpy as np
import pytest
import torch
from av.video.reformatter import ColorRange

from pipeline.sources.video_picture import Converter, VideoPicture

HEIGHT, WIDTH = 720, 1280
MODEL_SIZE = (224, 392)
WEIGHTS = {"601": (0.299, 0.114), "709": (0.2126, 0.0722)}
"""Kr, Kb. Source: ITU-R BT.601-7 and BT.709-6."""
TAGS = {"601": 6, "709": 1}
MAX_MEAN_ERROR = 1.5
"""Grey levels; the scaler without full chroma interpolation is off by more than 4."""


@pytest.fixture(scope="module")
def scene():
    """uint8 (H, W, 3) RGB: colour gradients with texture over them."""
    rng = np.random.default_rng(7)
    base = cv2.resize(rng.integers(0, 255, (18, 32, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    texture = cv2.resize(rng.integers(0, 60, (HEIGHT // 4, WIDTH // 4, 3), np.uint8), (WIDTH, HEIGHT))
    return np.clip(base.astype(int) + texture - 30, 0, 255).astype(np.uint8)


def reference(rgb):
    """float (H, W, 3) of the model's size."""
    pixels = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(pixels, MODEL_SIZE, mode="bilinear", antialias=True, align_corners=False)
    return small[0].permute(1, 2, 0).numpy()


def encoded(rgb, matrix, *, is_full, pixel_format="yuv420p"):
    """A frame as a decoder gives it, made by the standards' own formulas."""
    kr, kb = WEIGHTS[matrix]
    red, green, blue = (rgb[..., i].astype(np.float64) / 255 for i in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    planes = [luma, (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))]
    scales = (255, 255, 255) if is_full else (219, 224, 224)
    offsets = (0 if is_full else 16, 128, 128)
    planes = [plane * scale + offset for plane, scale, offset in zip(planes, scales, offsets, strict=True)]
    if pixel_format == "yuv420p":
        planes[1:] = [plane.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean((1, 3)) for plane in planes[1:]]
    flat = np.concatenate([np.clip(np.round(plane), 0, 255).astype(np.uint8).ravel() for plane in planes])
    shape = (HEIGHT * 3 // 2, WIDTH) if pixel_format == "yuv420p" else (3, HEIGHT, WIDTH)
    frame = av.VideoFrame.from_ndarray(flat.reshape(shape), pixel_format)
    frame.colorspace = TAGS[matrix]
    frame.color_range = ColorRange.JPEG if is_full else ColorRange.MPEG
    return frame


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
@pytest.mark.parametrize("is_full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", ["601", "709"])
def test_the_live_conversion_is_the_picture_that_was_encoded(scene, matrix, is_full, pixel_format):
    frame = encoded(scene, matrix, is_full=is_full, pixel_format=pixel_format)
    rgb = VideoPicture(frame, Converter()).rgb(MODEL_SIZE)
    expected = reference(scene)
    assert np.abs(rgb - expected).mean() < MAX_MEAN_ERROR
    assert np.abs(rgb[..., ::-1] - expected).mean() > 20


def test_without_a_tag_high_definition_is_709(scene):
    frame = encoded(scene, "709", is_full=False)
    frame.colorspace, frame.color_range = 2, ColorRange.UNSPECIFIED
    assert np.abs(VideoPicture(frame, Converter()).rgb(MODEL_SIZE) - reference(scene)).mean() < MAX_MEAN_ERROR


def test_without_a_tag_standard_definition_is_601():
    grey = np.full((96, 160, 3), (200, 40, 60), np.uint8)
    frame = av.VideoFrame.from_ndarray(grey, "rgb24").reformat(format="yuv420p", dst_colorspace="ITU601")
    frame.colorspace, frame.color_range = 2, ColorRange.UNSPECIFIED
    assert np.abs(VideoPicture(frame, Converter()).rgb().astype(int) - grey).max() < 6


def test_full_size_is_not_resized(scene):
    rgb = VideoPicture(encoded(scene, "709", is_full=False), Converter()).rgb()
    assert rgb.shape == scene.shape
    assert np.abs(rgb.astype(int) - scene).mean() < 6


def test_luma_is_the_plane(scene):
    picture = VideoPicture(encoded(scene, "709", is_full=True), Converter())
    weights = np.array([0.2126, 0.7152, 0.0722])
    expected = cv2.resize((scene @ weights).astype(np.float32), (160, 90), interpolation=cv2.INTER_AREA)
    assert picture.luma((90, 160)).shape == (90, 160)
    assert np.abs(picture.luma((90, 160)) - expected).mean() < 1


def test_sizes_change_within_a_stream():
    converter = Converter()
    for height, width in ((96, 160), (48, 80), (96, 160), (720, 1280), (36, 64), (50, 50)):
        frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 99, np.uint8), "rgb24").reformat(
            format="yuv420p"
        )
        picture = VideoPicture(frame, converter)
        assert picture.size == (height, width)
        rgb = picture.rgb((28, 42))
        assert rgb.shape == (28, 42, 3)
        assert abs(int(rgb.mean()) - 99) <= 2


class Turned:
    """A frame with a display matrix; PyAV can read one but not write it."""

    def __init__(self, frame, rotation):
        self._frame = frame
        self.rotation = rotation

    def __getattr__(self, name):
        return getattr(self._frame, name)


class Unwrapping(Converter):
    def rgb(self, frame, size):
        return super().rgb(frame._frame, size)


@pytest.mark.parametrize("rotation", [0, 90, -90, 180, -180])
def test_rotation_is_applied(rotation):
    """Anticlockwise degrees, as PyAV reports them: the upper left corner of the stored picture moves along."""
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:20, :20] = 255
    frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
    picture = VideoPicture(Turned(frame, rotation), Unwrapping())
    expected = np.rot90(pixels, rotation // 90)
    assert picture.size == expected.shape[:2]
    assert np.abs(picture.rgb().astype(int) - expected).mean() < 5
    small = picture.luma((expected.shape[0] // 2, expected.shape[1] // 2))
    assert np.abs(small.astype(int) - cv2.resize(expected[..., 1], small.shape[::-1])).mean() < 25
