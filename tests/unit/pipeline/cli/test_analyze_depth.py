"""`analyze --official-recipe`, on files in Meta's layout with weights made here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from operators.backbone import Engine, load_backbone
from operators.backbone.architectures import architecture
from operators.backbone.checkpoints import build, random_tensors
from operators.heads.depth_dpt import DepthDpt
from operators.heads.depth_files import read_depth_head
from operators.heads.depth_recipe import official_depth
from pipeline.cli.analyze import analyze
from pipeline.cli.analyze_depth import picture_depth
from pipeline.cli.app import UserError
from tests.official_files import depth_head, mmcv, write_backbone
from tests.unit.operators.heads.depth_models import head


@pytest.fixture(scope="module")
def engine() -> Engine:
    arch = replace(architecture("dinov2_vits14"), depth=1)
    return Engine(build(arch, random_tensors(arch, 1), "hub_offset"), "fp32")


def test_depth_of_whole_pictures_by_the_recipe_of_its_authors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (15, 26, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    cv2.imwrite(str(tmp_path / "room.png"), picture[:, :, ::-1])
    weights, path = write_backbone(tmp_path), tmp_path / "dinov2_vits14_nyu_linear4_head.pth"
    torch.save(mmcv(depth_head()), path)
    asked = {
        "weights": str(weights),
        "shape": ["112x112"],
        "pictures": "depth",
        "official_recipe": True,
        "precision": "fp32",
    }
    analyze(tmp_path / "room.png", out=tmp_path / "out", depth=str(path), **asked)
    said = json.loads((tmp_path / "out/labels.jsonl").read_text())["depth"]
    assert (said["file"], said["valid_share"], said["is_calibrated"]) == ("depth/room.png", 1.0, False)
    written = cv2.imread(str(tmp_path / "out/depth/room.png"), cv2.IMREAD_UNCHANGED)
    backbone = load_backbone("dinov2_vits14", weights)
    model = read_depth_head(path, architecture("dinov2_vits14"))
    expected = official_depth(backbone, model, picture, is_mirrored_too=True)
    assert (written.shape, written.dtype) == ((120, 208), np.uint16)
    np.testing.assert_allclose(written / 1000, expected, atol=1e-3)
    assert said["median_metres"] == pytest.approx(float(np.median(expected)), abs=2e-3)
    assert "metres of the camera that the head was trained with" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out/pictures").iterdir()] == ["room_depth.jpg"]


@pytest.mark.parametrize(
    ("model", "hfov", "why"),
    [
        (None, None, "expected --depth with a published head .* got none"),
        (head(fingerprint="ab"), None, "expected --depth with a published head .* got a head that was fitted here"),
        (head(trained_size=(480, 640)), "70deg", "expected no --hfov"),
    ],
)
def test_what_has_no_recipe_is_refused(
    model: DepthDpt | None, hfov: str | None, why: str, tmp_path: Path, engine: Engine
) -> None:
    with pytest.raises(UserError, match=f"^--official-recipe.* {why}"):
        picture_depth(engine, model, tmp_path, is_asked=True, hfov=hfov)
    assert picture_depth(engine, model, tmp_path, is_asked=False, hfov=hfov) is None
