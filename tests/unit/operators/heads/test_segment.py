"""Segmenters by a linear layer: patches, pixels, shares, windows, files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from operators.backbone import Engine, load_backbone
from operators.backbone.errors import WeightsError
from operators.heads import segment, segment_maps
from operators.heads.base import FrameTokens
from operators.heads.depth_about import HeadMismatchError
from operators.heads.head_about import HeadAbout
from operators.heads.head_files import read_head
from operators.heads.segment import PatchSegments, SegmentLinear, load_segmenter
from operators.heads.segment_windows import (
    LINEAR_WINDOWS,
    MS_WINDOWS,
    SegmentRecipe,
    _spans,
    recipe_of,
    score_strips,
    segment_picture,
)

RNG = np.random.default_rng(5)
DIM = 6
GRID = (4, 5)


def head(blocks: tuple[int, ...] = (3,), classes: int = 7, fingerprint: str = "f" * 64) -> SegmentLinear:
    about = HeadAbout("patches", tuple(f"c{index}" for index in range(classes)), blocks, fingerprint)
    weight = RNG.standard_normal((classes, DIM * len(blocks)), np.float32)
    return SegmentLinear(weight, RNG.standard_normal(classes, np.float32), about)


def normed(blocks: tuple[int, ...] = (3,), batch: int = 1) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    n = GRID[0] * GRID[1]
    return {
        block: (np.zeros((batch, DIM), np.float32), RNG.standard_normal((batch, n, DIM), np.float32))
        for block in blocks
    }


def maps(tokens: dict[int, tuple[np.ndarray, np.ndarray]]) -> torch.Tensor:
    """(B, D L, h, w), as the authors' heads read them."""
    parts = [torch.from_numpy(patches).permute(0, 2, 1).unflatten(2, GRID) for _, patches in tokens.values()]
    return torch.cat(parts, dim=1)


def test_logits_are_batch_norm_and_a_1x1_convolution(tmp_path: Path) -> None:
    """The authors' order of operations, written out, at every official width by shape."""
    inputs = 4 * 384
    state = {
        "conv_seg.weight": torch.randn(21, inputs, 1, 1),
        "conv_seg.bias": torch.randn(21),
        "bn.weight": torch.randn(inputs),
        "bn.bias": torch.randn(inputs),
        "bn.running_mean": torch.randn(inputs),
        "bn.running_var": torch.rand(inputs),
    }
    torch.save({f"decode_head.{name}": value for name, value in state.items()}, tmp_path / "head.pth")
    model = load_segmenter(tmp_path / "head.pth", "dinov2_vits14", tmp_path)
    tokens = {b: (np.zeros((2, 384)), RNG.standard_normal((2, 20, 384), np.float32)) for b in (8, 9, 10, 11)}
    norm = torch.nn.BatchNorm2d(inputs).eval()
    norm.load_state_dict(
        {name.removeprefix("bn."): value for name, value in state.items() if "bn." in name}, strict=False
    )
    with torch.inference_mode():
        expected = F.conv2d(norm(maps(tokens)), state["conv_seg.weight"], state["conv_seg.bias"])
    got = model.logits(tokens, GRID)
    assert np.moveaxis(got, -1, 1) == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-3)
    assert np.array_equal(model.predict(tokens, GRID), got.argmax(-1))


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("size", [(56, 70), (53, 71), (3, 4)], ids=str)
def test_a_map_is_the_best_of_enlarged_logits_whatever_is_held_at_a_time(
    size: tuple[int, int], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_maps, "_CHUNK_BYTES", 4 * 2 * size[0] * size[1] * chunk)
    model, tokens = head((1, 3)), normed((1, 3), batch=2)
    logits = torch.from_numpy(np.moveaxis(model.logits(tokens, GRID), -1, 1).copy())
    expected = F.interpolate(logits, size=size, mode="bilinear", align_corners=False).argmax(dim=1)
    got = segment_maps.predict_map(model, tokens, GRID, size)
    assert got.dtype == np.uint8
    assert np.array_equal(got, expected.numpy())


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_of_equal_scores_the_first_class_wins(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_maps, "_CHUNK_BYTES", 4 * 8 * 10 * chunk)
    model = replace(head(), weight=np.zeros((7, DIM), np.float32), bias=np.array([0, 1, 0, 1, 1, 0, 1], np.float32))
    assert set(segment_maps.predict_map(model, normed(), GRID, (8, 10)).ravel()) == {1}
    assert set(model.predict(normed(), GRID).ravel()) == {1}


def test_shares_count_patches_largest_first() -> None:
    indices = np.array([[0, 2, 2], [2, 0, 1]], np.uint8)
    got = segment.segments("parts", ("a", "b", "c", "d"), indices, is_mask_wanted=True)
    assert got.shares == (("c", 0.5), ("a", pytest.approx(1 / 3)), ("b", pytest.approx(1 / 6)))
    assert (got.head, got.classes, got.is_mask_wanted) == ("parts", ("a", "b", "c", "d"), True)


def test_a_head_reads_its_blocks_of_one_frame() -> None:
    model, tokens = head((1, 3)), normed((1, 3))
    frame = FrameTokens(np.zeros(DIM), np.zeros((20, DIM)), {}, GRID, "", "", tokens)
    mine = PatchSegments("parts", model)
    assert mine.normed_blocks == {1, 3}
    got = mine.of_frame(frame)
    assert np.array_equal(got.indices, model.predict(tokens, GRID)[0])
    assert (got.head, got.is_mask_wanted) == ("parts", False)


@pytest.mark.parametrize(
    ("side", "window", "stride", "expected"),
    [
        (512, 512, 341, [(0, 512)]),
        (683, 512, 341, [(0, 512), (171, 683)]),
        (853, 512, 341, [(0, 512), (341, 853)]),
        (854, 512, 341, [(0, 512), (341, 853), (342, 854)]),
        (300, 512, 341, [(0, 300)]),
        (1920, 640, 320, [(0, 640), (320, 960), (640, 1280), (960, 1600), (1280, 1920)]),
    ],
)
def test_windows_lie_as_mmsegmentation_lays_them(side: int, window: int, stride: int, expected: list) -> None:
    assert _spans(side, window, stride) == expected


def test_the_official_recipe_follows_the_number_of_layers() -> None:
    one, four = head(), head((0, 1, 2, 3))
    assert recipe_of(one, "windows") == LINEAR_WINDOWS == SegmentRecipe(512, 512, 341)
    assert recipe_of(four, "windows") == MS_WINDOWS
    assert [int(640 * scale) for scale in MS_WINDOWS.scales] == [640, 844, 1107, 1459, 1920]
    assert recipe_of(one, "whole") == SegmentRecipe(512)
    assert recipe_of(replace(one, about=replace(one.about, short_side=224)), "whole") == SegmentRecipe(224)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_backbone("dinov2_vits14", "random"), "fp32")


def fitted(engine: Engine, classes: int = 3) -> SegmentLinear:
    about = HeadAbout("patches", tuple("abc"), (11,), engine.backbone.fingerprint, short_side=84)
    return SegmentLinear(RNG.standard_normal((classes, 384), np.float32), np.zeros(classes, np.float32), about)


@pytest.mark.parametrize("size", [(30, 41), (200, 90), (14, 300)], ids=str)
def test_a_picture_of_any_size_gets_a_class_per_pixel(engine: Engine, size: tuple[int, int]) -> None:
    pixels = RNG.integers(0, 255, (*size, 3), np.uint8)
    model = fitted(engine)
    got = segment_picture(engine, pixels, model)
    assert (got.shape, got.dtype) == (size, np.uint8)
    shares = torch.cat(list(score_strips(engine, pixels, model, SegmentRecipe(56, 70, 35))), dim=1)
    assert tuple(shares.shape) == (3, *size)
    assert shares.sum(dim=0).numpy() == pytest.approx(np.ones(size), rel=1e-5)


def test_a_mirrored_look_alone_gives_the_mirrored_map(engine: Engine) -> None:
    pixels = RNG.integers(0, 255, (56, 84, 3), np.uint8)
    recipe = SegmentRecipe(56, is_mirrored=True)
    model = fitted(engine)
    straight = torch.cat(list(score_strips(engine, pixels, model, recipe)), dim=1)
    mirrored = torch.cat(list(score_strips(engine, pixels[:, ::-1].copy(), model, recipe)), dim=1)
    assert straight.flip(-1).numpy() == pytest.approx(mirrored.numpy(), rel=1e-4, abs=1e-6)


def test_a_picture_needs_the_weights_that_its_head_was_fitted_on(engine: Engine) -> None:
    pixels = np.zeros((28, 28, 3), np.uint8)
    with pytest.raises(HeadMismatchError, match="belongs to other weights"):
        segment_picture(engine, pixels, head())
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\) RGB, got float64"):
        segment_picture(engine, pixels / 255, fitted(engine))


def test_a_file_of_ours_comes_back_as_it_was() -> None:
    model = head((0, 3))
    again = SegmentLinear.from_bytes(model.to_bytes())
    assert again.about == model.about
    assert np.array_equal(again.weight, model.weight)
    assert np.array_equal(again.bias, model.bias)


@pytest.mark.parametrize(
    ("head_of", "sides", "blocks", "anchor"),
    [
        (("ade20k_linear", "dinov2_vits14"), (150, 384), (11,), "flag"),
        (("voc2012_ms", "dinov2_vitb14"), (21, 3072), (8, 9, 10, 11), "tvmonitor"),
        (("ade20k_ms", "dinov2_vitl14"), (150, 4096), (20, 21, 22, 23), "flag"),
        (("voc2012_linear", "dinov2_vitg14"), (21, 1536), (39,), "tvmonitor"),
    ],
)
def test_official_names_are_looked_for_in_the_cache(tmp_path, head_of, sides, blocks, anchor) -> None:
    (name, arch), (outputs, inputs) = head_of, sides
    state = {
        "decode_head.conv_seg.weight": torch.rand(outputs, inputs, 1, 1),
        "decode_head.conv_seg.bias": torch.rand(outputs),
        **{f"decode_head.bn.{each}": torch.rand(inputs) for each in ("weight", "bias", "running_mean", "running_var")},
    }
    torch.save({"state_dict": state}, tmp_path / f"{arch}_{name}_head.pth")
    about = load_segmenter(name, arch, tmp_path).about
    assert (about.blocks, about.classes[-1], about.backbone) == (blocks, anchor, arch)
    assert about.short_side == (512 if len(blocks) == 1 else 640)


def bad_files() -> dict[str, tuple[bytes, str]]:
    good = head()
    odd = replace(good, about=replace(good.about, blocks=(0, 1, 2, 3)))
    many = SegmentLinear(
        np.zeros((257, DIM), np.float32),
        np.zeros(257, np.float32),
        replace(good.about, classes=tuple(map(str, range(257)))),
    )
    return {
        "cut.safetensors": (good.to_bytes()[:-3], "is no segmenting head: damaged: the tensors"),
        "odd.safetensors": (odd.to_bytes(), r"6 inputs for blocks \(0, 1, 2, 3\)"),
        "cls.safetensors": (replace(good, about=replace(good.about, reads="cls")).to_bytes(), "damaged segment_linear"),
        "many.safetensors": (many.to_bytes(), "at most 256 classes, got 257"),
        "none.safetensors": (replace(good, about=replace(good.about, blocks=())).to_bytes(), "damaged segment_linear"),
    }


@pytest.mark.parametrize("name", bad_files())
def test_a_bad_file_of_ours_is_one_clear_error(tmp_path: Path, name: str) -> None:
    content, expected = bad_files()[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=expected) as caught:
        load_segmenter(tmp_path / name, "dinov2_vits14", tmp_path)
    assert name in str(caught.value)


def test_too_many_classes_and_another_kind_are_said(tmp_path: Path) -> None:
    torch.save({"weight": torch.rand(1000, 768), "bias": torch.rand(1000)}, tmp_path / "head.pth")
    with pytest.raises(WeightsError, match=r"head.pth is no segmenting head: got a classify head"):
        load_segmenter(tmp_path / "head.pth", "dinov2_vits14", tmp_path)
    state = {"conv_seg.weight": torch.rand(300, 384, 1, 1), "conv_seg.bias": torch.rand(300)}
    state |= {f"bn.{each}": torch.rand(384) for each in ("weight", "bias", "running_mean", "running_var")}
    torch.save(state, tmp_path / "many.pth")
    assert read_head(tmp_path / "many.pth").family == "segment"
    with pytest.raises(WeightsError, match="expected at most 256, got 300"):
        load_segmenter(tmp_path / "many.pth", "dinov2_vits14", tmp_path)
