"""The table of published heads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from operators.backbone.errors import WeightsError
from operators.heads.official_heads import OFFICIAL_HEADS, official_head, read_official_head

BASE = "https://dl.fbaipublicfiles.com/dinov2"


def test_the_table_is_whole() -> None:
    by_family = dict.fromkeys(("classify", "depth_linear", "depth_dpt", "segment"), 0)
    for head in OFFICIAL_HEADS.values():
        by_family[head.family] += 1
        assert (head.row.licence, head.row.commercial) == ("apache-2.0", "yes")
        assert head.row.trained_on
    assert by_family == {"classify": 16, "depth_linear": 16, "depth_dpt": 8, "segment": 16}


@pytest.mark.parametrize(
    ("name", "arch", "url"),
    [
        ("imagenet_linear", "dinov2_vits14", "dinov2_vits14/dinov2_vits14_linear_head.pth"),
        ("imagenet_linear4", "dinov2_vitl14_reg", "dinov2_vitl14/dinov2_vitl14_reg4_linear4_head.pth"),
        ("imagenet_linear", "dinov2_vitg14_reg4", "dinov2_vitg14/dinov2_vitg14_reg4_linear_head.pth"),
        ("nyu_linear", "dinov2_vitb14", "dinov2_vitb14/dinov2_vitb14_nyu_linear_head.pth"),
        ("kitti_dpt", "dinov2_vitl14", "dinov2_vitl14/dinov2_vitl14_kitti_dpt_head.pth"),
        ("ade20k_ms", "dinov2_vitg14", "dinov2_vitg14/dinov2_vitg14_ade20k_ms_head.pth"),
        ("voc2012_linear", "dinov2_vits14", "dinov2_vits14/dinov2_vits14_voc2012_linear_head.pth"),
    ],
)
def test_addresses(name: str, arch: str, url: str) -> None:
    assert official_head(name, arch).row.url == f"{BASE}/{url}"


def test_sizes_that_people_wait_for() -> None:
    """Source: the sizes that the authors' README and public pointers give, in MB."""
    assert official_head("imagenet_linear", "dinov2_vits14").row.about_bytes == 4 * 769_000
    known = official_head("kitti_dpt", "dinov2_vitb14").row
    assert known.size_bytes is not None
    assert known.size_bytes - known.about_bytes == 89_407


@pytest.mark.parametrize(
    ("name", "arch", "expected"),
    [
        ("nyu_linear3", "dinov2_vits14", "unknown head: .*did you mean"),
        ("nyu_linear", "dinov2_vits15", "unknown backbone"),
        ("nyu_linear", "dinov2_vits14_reg", "no nyu_linear is published for dinov2_vits14_reg4: expected .*vitg14"),
    ],
)
def test_a_head_that_is_not_published_is_said(name: str, arch: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        official_head(name, arch)


def test_a_file_under_the_name_of_another_head_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1000, 1920), "bias": torch.ones(1000)}, tmp_path / "dinov2_vits14_linear_head.pth")
    with pytest.raises(WeightsError, match=r"is not imagenet_linear: expected a classify .* got .* on 4"):
        read_official_head("imagenet_linear", "dinov2_vits14", tmp_path)
    torch.save({"weight": torch.ones(1000, 768), "bias": torch.ones(1000)}, tmp_path / "dinov2_vits14_linear_head.pth")
    head, file = read_official_head("imagenet_linear", "dinov2_vits14", tmp_path)
    assert (head.layers, file.layers(384)) == (1, 1)


def test_the_table_does_without_torch() -> None:
    """It is part of the configuration, whose commands answer at once."""
    code = "import operators.heads.official_heads, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
