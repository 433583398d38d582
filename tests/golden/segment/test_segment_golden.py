"""Our segmenters against Meta's head and mmsegmentation's windows on the same seeded weights."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.backbone import Engine
from operators.backbone.architectures import Architecture
from operators.backbone.checkpoints import build, random_tensors
from operators.heads import segment
from operators.heads.head_files import read_head
from operators.heads.segment import SegmentLinear
from operators.heads.segment_maps import predict_map
from operators.heads.segment_windows import SegmentRecipe, score_strips, segment_picture
from operators.picture_file import decode_picture
from tests.golden.pictures import JPEG, tiles
from tests.golden.segment.segment_cases import CASES, FILE, SEED, Case, head_tensors, summary

TOLERANCE = 1e-4
"""Relative, float32."""


@lru_cache(maxsize=1)
def engine_of(arch: Architecture) -> Engine:
    backbone = build(arch, random_tensors(arch, SEED), "hub_offset")
    backbone.info = replace(backbone.info, published_as=arch.name)
    return Engine(backbone, "fp32")


def head_of(case: Case, folder: Path) -> SegmentLinear:
    torch.save({"state_dict": head_tensors(case.arch, case.layers, case.classes), "meta": {}}, folder / "head.pth")
    return SegmentLinear.published(read_head(folder / "head.pth"), case.arch)


def shares(case: Case, head: SegmentLinear, recipe: SegmentRecipe) -> np.ndarray:
    rgb = decode_picture(JPEG.read_bytes()) if case.is_file else tiles(case.size)
    return torch.cat(list(score_strips(engine_of(case.arch), rgb, head, recipe)), dim=1).numpy()


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_shares_equal_the_authors(case: Case, tmp_path: Path) -> None:
    found = shares(case, head_of(case, tmp_path), case.recipe)
    with np.load(FILE) as golden:
        assert relative(summary(found), golden[f"{case.key}/shares"]) < TOLERANCE
        best = golden[f"{case.key}/best"]
    assert (found.argmax(axis=0)[::6, ::6] == best).mean() > 0.9995  # two shares may be equal but for their last bits


def test_a_picture_is_put_together_in_strips_of_any_height(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[4]
    recipe = replace(case.recipe, scales=(1.0, 1.3), is_mirrored=True)
    head = head_of(case, tmp_path)
    whole = segment_picture(engine_of(case.arch), tiles(case.size), head, recipe)
    monkeypatch.setattr("operators.heads.segment_windows._CHUNK_BYTES", 4 * case.classes * 234 * 7)
    strips = list(score_strips(engine_of(case.arch), tiles(case.size), head, recipe))
    assert max(strip.shape[1] for strip in strips) == 7
    assert np.array_equal(torch.cat(strips, dim=1).argmax(dim=0).numpy(), whole)


def test_the_goldens_tell_wrong_recipes_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[4]
    head = head_of(case, tmp_path)
    with np.load(FILE) as golden:
        wanted = golden[f"{case.key}/shares"]
    assert relative(summary(shares(case, head, SegmentRecipe(100))), wanted) > 10 * TOLERANCE
    assert relative(summary(shares(case, head, SegmentRecipe(100, 140, 92))), wanted) < TOLERANCE  # two windows anyway
    early = replace(head, about=replace(head.about, blocks=(10,)))
    assert relative(summary(shares(case, early, case.recipe)), wanted) > 10 * TOLERANCE
    monkeypatch.setattr(segment, "NORM_EPS", 1e-3)
    assert relative(summary(shares(case, head_of(case, tmp_path), case.recipe)), wanted) > 2 * TOLERANCE


def test_a_map_over_one_window_is_the_patches_enlarged(tmp_path: Path) -> None:
    case = next(each for each in CASES if each.size == (224, 224))
    head, engine = head_of(case, tmp_path), engine_of(case.arch)
    normed = engine.run(tiles(case.size)[None], normed=head.about.blocks).normed
    best = predict_map(head, normed, (16, 16), case.size)[0]
    with np.load(FILE) as golden:
        assert (best[::6, ::6] == golden[f"{case.key}/best"]).mean() > 0.9995
