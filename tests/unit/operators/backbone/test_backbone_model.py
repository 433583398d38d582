from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from operators.backbone import Engine
from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import build, random_tensors
from operators.backbone.engine import has_native_bf16
from operators.backbone.position import PositionRule, position_table

SMALL = replace(ARCHITECTURES["dinov2_vits14_reg4"], depth=3)


@pytest.fixture(scope="module")
def backbone():
    return build(SMALL, random_tensors(SMALL, 1), "hub_antialias")


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.Generator(np.random.PCG64(2)).integers(0, 256, (3, 70, 98, 3), dtype=np.uint8)


@pytest.mark.parametrize("grid", [(16, 16), (16, 28), (16, 21), (32, 32), (35, 46), (50, 9)], ids=str)
@pytest.mark.parametrize("rule", ["hub_offset", "hub_antialias", "hf"])
def test_positions_are_what_torch_interpolates(grid: tuple[int, int], rule: PositionRule) -> None:
    table = torch.randn(1, 1 + 37 * 37, 8, generator=torch.Generator().manual_seed(1))
    square = table[:, 1:].reshape(1, 37, 37, 8).permute(0, 3, 1, 2)
    how = {
        "hub_offset": {"scale_factor": ((grid[0] + 0.1) / 37, (grid[1] + 0.1) / 37)},
        "hub_antialias": {"size": grid, "antialias": True},
        "hf": {"size": grid},
    }[rule]
    expected = F.interpolate(square, mode="bicubic", align_corners=False, **how).permute(0, 2, 3, 1).reshape(1, -1, 8)
    got = position_table(table, grid, rule)
    assert torch.equal(got[:, 0], table[:, 0])
    torch.testing.assert_close(got[:, 1:], expected, atol=5e-5, rtol=0)


def test_the_trained_grid_keeps_the_table_itself() -> None:
    table = torch.randn(1, 1 + 37 * 37, 8)
    assert position_table(table, (37, 37), "hub_offset") is table


def test_engine_gives_what_the_backbone_gives(backbone, pixels) -> None:
    out = Engine(backbone, "fp32").run(pixels, taps=(0, 2))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((torch.from_numpy(pixels).float() / 255 - mean) / std).permute(0, 3, 1, 2)
    tokens = backbone.forward_features(x)
    np.testing.assert_allclose(out.cls, tokens.cls, atol=1e-5)
    np.testing.assert_allclose(out.patches, tokens.patches, atol=1e-5)
    raw = backbone.intermediate(x, [0], norm=False)[0]
    np.testing.assert_allclose(out.taps[0][0], raw.cls, atol=1e-5)
    np.testing.assert_allclose(out.taps[0][1], raw.patches, atol=1e-5)
    assert out.patches.shape == (3, 35, 384)
    assert out.taps[2][1].dtype == np.float32


def test_engine_gives_the_norm_of_those_blocks_that_want_it(backbone, pixels) -> None:
    out = Engine(backbone, "fp32").run(pixels, taps=(0,), normed=(1, 2))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((torch.from_numpy(pixels).float() / 255 - mean) / std).permute(0, 3, 1, 2)
    expected = backbone.intermediate(x, [1, 2], norm=True)
    assert (set(out.taps), set(out.normed)) == ({0}, {1, 2})
    for block, tokens in zip((1, 2), expected, strict=True):
        np.testing.assert_allclose(out.normed[block][0], tokens.cls, atol=1e-5)
        np.testing.assert_allclose(out.normed[block][1], tokens.patches, atol=1e-5)
    np.testing.assert_array_equal(out.normed[2][1], out.patches)


def test_stopping_early_gives_the_early_blocks_tokens(backbone, pixels) -> None:
    engine = Engine(backbone, "fp32")
    short, full = engine.run(pixels, taps=(0,), stop_after=1), engine.run(pixels, taps=(0, 1))
    np.testing.assert_array_equal(short.taps[0][1], full.taps[0][1])
    normed = backbone.norm(torch.from_numpy(full.taps[1][0])).numpy()
    np.testing.assert_allclose(short.cls, normed, atol=1e-6)


def test_intermediate_is_ascending_and_counts_from_the_end(backbone) -> None:
    x = torch.zeros(1, 3, 28, 28)
    by_count, by_index = backbone.intermediate(x, 2), backbone.intermediate(x, [2, 1])
    for a, b in zip(by_count, by_index, strict=True):
        assert torch.equal(a.patches, b.patches)
    with pytest.raises(ValueError, match=r"no such block: expected 0 to 2, got \[3\]"):
        backbone.intermediate(x, [3])


def test_a_picture_does_not_depend_on_its_batch(backbone, pixels) -> None:
    engine = Engine(backbone, "fp32")
    together, alone = engine.run(pixels), engine.run(pixels[1:2])
    np.testing.assert_allclose(together.cls[1], alone.cls[0], atol=2e-5)


def test_bf16_stays_near_fp32_and_keeps_positions_exact(pixels) -> None:
    tensors = random_tensors(SMALL, 1)
    exact = Engine(build(SMALL, tensors, "hub_antialias"), "fp32").run(pixels)
    low = Engine(build(SMALL, tensors, "hub_antialias"), "bf16")
    assert low.backbone.pos_embed.dtype == torch.float32
    assert low.backbone.dtype == torch.bfloat16
    got = low.run(pixels)
    cosine = (got.cls * exact.cls).sum(1) / np.linalg.norm(got.cls, axis=1) / np.linalg.norm(exact.cls, axis=1)
    assert cosine.min() > 0.999


def test_lanes_share_one_engine(pixels) -> None:
    engine = Engine(build(SMALL, random_tensors(SMALL, 1), "hub_antialias"), "fp32")
    expected = [engine.run(pixels[:, : 14 * size]).cls for size in (1, 3, 5)]
    found: dict[tuple[int, int], np.ndarray] = {}

    def lane(number: int) -> None:
        for index, size in enumerate((1, 3, 5)):
            found[number, index] = engine.run(pixels[:, : 14 * size]).cls

    threads = [threading.Thread(target=lane, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    for (_, index), cls in found.items():
        np.testing.assert_allclose(cls, expected[index], atol=2e-5)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 28, 28, 3), np.float32),
        np.zeros((28, 28, 3), np.uint8),
        np.zeros((0, 28, 28, 3), np.uint8),
        np.zeros((1, 28, 27, 3), np.uint8),
    ],
)
def test_pixels_of_another_kind_are_refused(backbone, pixels) -> None:
    with pytest.raises(ValueError, match="pixels: expected"):
        Engine(backbone, "fp32").run(pixels)


@pytest.mark.parametrize(
    ("text", "native"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu avx512f\n", False),
        ("Features : asimd bf16\n", True),
        ("", False),
    ],
)
def test_native_bf16_is_read_from_the_processors_flags(tmp_path: Path, text: str, native: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert has_native_bf16(tmp_path / "cpuinfo") is native
