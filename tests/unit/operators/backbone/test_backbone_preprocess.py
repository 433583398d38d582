from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from operators.backbone import Engine, load_backbone
from operators.backbone.preprocess import MEAN, STD, centre_pad, classification_pixels, normalise, place, resize_rgb
from operators.frames import fit, nearest_shape
from operators.picture_file import decode_picture

SHAPES = ((224, 392), (224, 294), (224, 224))


def scene(height: int = 360, width: int = 640) -> np.ndarray:
    """uint8 (H, W, 3): edges, gradients and grain, the three channels unlike each other."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 // width, y * 255 // height, ((x // 40 + y // 30) % 2) * 180], axis=2)
    rgb[height // 3 : height // 2, width // 4 : width // 2] = (220, 40, 30)
    grain = np.random.Generator(np.random.PCG64(1)).integers(-12, 12, rgb.shape)
    return np.clip(rgb + grain, 0, 255).astype(np.uint8)


def file_bytes(rgb: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, kind, **({"quality": 92} if kind == "JPEG" else {}))
    return buffer.getvalue()


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.ravel() @ b.ravel() / np.linalg.norm(a) / np.linalg.norm(b))


def by_pil_and_torch(data: bytes, shape: tuple[int, int]) -> torch.Tensor:
    """The reference: PIL decodes and resizes, torch normalises. Independent of ours but for the cut."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    placement = fit((image.height, image.width), shape)
    top, left = placement.offset
    height, width = placement.scale[0] * shape[0], placement.scale[1] * shape[1]
    image = image.resize(shape[::-1], Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    return (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("swapped", [False, True], ids=["rgb", "bgr"])
def test_file_bytes_to_embedding_equal_pil_and_torch(kind: str, swapped: bool) -> None:
    backbone = load_backbone("dinov2_vits14", "standin")
    data = file_bytes(scene(), kind)
    with torch.inference_mode():
        expected = backbone.forward_features(by_pil_and_torch(data, (224, 392)))
    pixels, _ = place(decode_picture(data), (224, 392))
    if swapped:
        pixels = pixels[:, :, ::-1]
    got = Engine(backbone, "fp32").run(pixels[None])
    if swapped:
        assert cosine(got.cls, expected.cls.numpy()) < 0.9995
        assert cosine(got.patches, expected.patches.numpy()) < 0.9995
    else:
        assert cosine(got.cls, expected.cls.numpy()) >= 0.99995
        assert cosine(got.patches, expected.patches.numpy()) >= 0.9995


def test_resize_is_pils_bicubic_but_for_its_rounding() -> None:
    rgb = scene()
    for size, grey_levels in (((224, 398), 1), ((100, 37), 1), ((500, 700), 2)):
        pil = np.array(Image.fromarray(rgb).resize(size[::-1], Image.Resampling.BICUBIC))
        assert np.abs(resize_rgb(rgb, size).astype(int) - pil).max() <= grey_levels


def test_normalise_uses_each_channels_own_constants() -> None:
    pixels = torch.tensor([[[[255, 0, 0]]]], dtype=torch.uint8)
    red, green, blue = normalise(pixels).flatten().tolist()
    assert red == pytest.approx((1 - 0.485) / 0.229, rel=1e-6)
    assert green == pytest.approx(-0.456 / 0.224, rel=1e-6)
    assert blue == pytest.approx(-0.406 / 0.225, rel=1e-6)


@pytest.mark.parametrize(
    ("size", "shape"),
    [((720, 1280), (224, 392)), ((480, 640), (224, 294)), ((500, 500), (224, 224)), ((1280, 720), (224, 224))],
)
def test_nearest_shape_goes_by_proportions(size, shape) -> None:
    assert nearest_shape(size, SHAPES) == shape


def test_fit_covers_the_shape_and_cuts_evenly_at_even_offsets() -> None:
    placement = fit((720, 1280), (224, 392))
    height, width = placement.scale[0] * 224, placement.scale[1] * 392
    assert (height, width) == (720, 1260)
    assert placement.offset == (0, 10)
    assert abs(placement.scale[0] / placement.scale[1] - 1) < 2e-3


def test_fit_of_a_picture_smaller_than_the_shape_enlarges_it() -> None:
    pixels, placement = place(scene(100, 180), (224, 392))
    assert pixels.shape == (224, 392, 3)
    assert placement.scale[0] < 1


@pytest.mark.parametrize(
    "size", [(300, 401), (401, 300), (1080, 1920), (200, 300), (256, 700), (256, 256), (97, 100)], ids=str
)
def test_classification_pixels_are_pils_to_the_last_bit(size: tuple[int, int]) -> None:
    height, width = size
    wide = (256, int(256 * width / height)) if height <= width else (int(256 * height / width), 256)
    pil = Image.fromarray(scene(height, width)).resize(wide[::-1], Image.Resampling.BICUBIC)
    left, top = round((pil.width - 224) / 2), round((pil.height - 224) / 2)
    expected = np.array(pil.crop((left, top, left + 224, top + 224)))
    assert np.array_equal(classification_pixels(scene(height, width)), expected)


@pytest.mark.parametrize(
    ("size", "padded", "start"),
    [
        ((480, 640), (490, 644), (5, 2)),
        ((352, 1216), (364, 1218), (6, 1)),
        ((15, 28), (28, 28), (6, 0)),
        ((28, 15), (28, 28), (0, 6)),
    ],
)
def test_padding_surrounds_the_picture_and_the_odd_pixel_comes_last(size, padded, start) -> None:
    x = torch.rand((1, 3, *size)) + 1
    got = centre_pad(x, 14)
    assert tuple(got.shape[2:]) == padded
    inside = got[:, :, start[0] : start[0] + size[0], start[1] : start[1] + size[1]]
    assert torch.equal(inside, x)
    assert float(got.sum()) == pytest.approx(float(x.sum()), rel=1e-6)


def test_the_engine_pads_after_normalising() -> None:
    engine = Engine(load_backbone("dinov2_vits14", "random"), "fp32")
    pixels = scene(50, 71)[None]
    with torch.inference_mode():
        expected = engine.backbone.forward_features(centre_pad(normalise(torch.from_numpy(pixels)), 14)).patches.numpy()
    assert np.array_equal(engine.run(pixels, is_padded=True).patches, expected)
    with pytest.raises(ValueError, match="multiples of 14"):
        engine.run(pixels)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0broken"])
def test_bytes_that_are_no_picture_are_one_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="no picture"):
        decode_picture(data)
