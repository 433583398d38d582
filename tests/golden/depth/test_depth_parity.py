"""Our depth against that of Meta's and Depth Anything's own code on the same seeded weights, from files on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from operators.backbone.architectures import DINOV2_PATCH as PATCH
from operators.backbone.checkpoints import build, load_backbone, random_tensors
from operators.backbone.vit import VisionTransformer
from operators.heads import dpt_layers
from operators.heads.base import DepthModel
from operators.heads.depth_files import read_depth_head
from operators.heads.depth_recipe import official_depth
from operators.picture_file import decode_picture
from tests.golden.depth.depth_cases import CASES, FILE, SEED, Case, file_content, network_input, picture, summary
from tests.golden.pictures import JPEG

TOLERANCE = 1e-5
"""Relative, float32. Promised is 1e-4; this tells Meta's + 0.001 m from nothing."""


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("official")


def models(case: Case, folder: Path) -> tuple[VisionTransformer, DepthModel]:
    """Both from files as they are published."""
    tensors = random_tensors(case.arch, SEED)
    torch.save(file_content(case, tensors), folder / case.file_name)
    if case.arch.depth == 4:  # no published size: the head from its file, the backbone from memory
        backbone = build(case.arch, tensors, "hub_offset")
        backbone.info = replace(backbone.info, published_as=case.arch.name)
    elif case.is_depth_anything:
        backbone = load_backbone(case.arch.name, folder / case.file_name)
    else:
        torch.save(tensors | {"mask_token": torch.ones(1, case.arch.dim)}, folder / "dinov2_vits14_pretrain.pth")
        backbone = load_backbone(case.arch.name, folder / "dinov2_vits14_pretrain.pth")
    return backbone, read_depth_head(folder / case.file_name, case.arch)


def taps_of(backbone: VisionTransformer, head: DepthModel, pixels: torch.Tensor, *, is_normed: bool) -> dict:
    with torch.inference_mode():
        tokens = backbone.intermediate(pixels, head.about.blocks, norm=is_normed)
        pairs = [(each.cls.numpy(), each.patches.numpy()) for each in tokens]
    return dict(zip(head.about.blocks, pairs, strict=True))


def ours(case: Case, folder: Path) -> np.ndarray:
    backbone, head = models(case, folder)
    if case.is_network_input:
        taps = taps_of(backbone, head, network_input(case.size), is_normed=head.about.is_normed)
        return head.raw_map(taps, (case.size[0] // PATCH, case.size[1] // PATCH), case.size)[0]
    if case.is_file:
        return official_depth(backbone, head, decode_picture(JPEG.read_bytes()))
    is_encoded, png = cv2.imencode(".png", np.ascontiguousarray(picture(case.size)[:, :, ::-1]))
    assert is_encoded
    return official_depth(backbone, head, decode_picture(png.tobytes()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_depth_equals_the_authors(case: Case, folder: Path) -> None:
    with np.load(FILE) as golden:
        assert relative(summary(ours(case, folder)), golden[case.key]) < TOLERANCE


Models = Callable[[Case], tuple[VisionTransformer, DepthModel]]


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Models:
    """As `models`, each case once; for small ones."""
    return cache(lambda case: models(case, folder))


def small(kind: str, letter: str = "b") -> Case:
    return next(case for case in CASES if case.kind == kind and case.arch.name == f"dinov2_vit{letter}14")


def error(case: Case, loaded: Models, *, is_normed: bool | None = None, **about) -> float:
    """Of one change to what the head says about itself."""
    backbone, head = loaded(case)
    head = replace(head, about=replace(head.about, **about))
    is_normed = head.about.is_normed if is_normed is None else is_normed
    taps = taps_of(backbone, head, network_input(case.size), is_normed=is_normed)
    grid = (case.size[0] // PATCH, case.size[1] // PATCH)
    with np.load(FILE) as golden:
        return relative(summary(head.raw_map(taps, grid, case.size)[0]), golden[case.key])


def test_the_goldens_see_the_final_norm(loaded: Models) -> None:
    for case in (small("dpt"), small("relative"), small("linear4")):
        assert error(case, loaded) < TOLERANCE
        assert error(case, loaded, is_normed=not case.is_depth_anything) > 100 * TOLERANCE


def test_the_goldens_see_the_least_depth_and_the_clamp(loaded: Models) -> None:
    assert error(small("dpt"), loaded, form="relu") > 5 * TOLERANCE  # 0.001 of 9 m
    assert error(small("dpt", "l"), loaded, range_metres=(0.001, 80.0)) > 100 * TOLERANCE
    assert error(small("linear4"), loaded, range_metres=(0.001, 10.0)) > 100 * TOLERANCE


def test_the_goldens_see_corners_that_are_not_aligned(loaded: Models, monkeypatch) -> None:
    def enlarged(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        return torch.nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)

    monkeypatch.setattr(dpt_layers, "enlarged", enlarged)
    for case in (small("dpt"), small("relative")):
        assert error(case, loaded) > 100 * TOLERANCE
