"""`models`: what it lists, brings and checks, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import random_tensors
from operators.backbone.official_depth_anything import PUBLISHED
from operators.heads.classify_linear import ClassifyLinear
from operators.heads.head_about import HeadAbout
from operators.heads.official_heads import OFFICIAL_HEAD_NAMES
from pipeline.cli.app import UserError
from pipeline.cli.models import app

NOWHERE = "http://127.0.0.1:1/file.pth"


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_the_list_names_everything_with_its_terms(tmp_path: Path) -> None:
    (tmp_path / "dinov2_vitb14_ade20k_ms_head.pth").touch()
    out = run("list", "--cache-dir", tmp_path)
    lines = {line.split()[0]: " ".join(line.split()) for line in out.splitlines() if line.strip()}
    assert {*PUBLISHED, *OFFICIAL_HEAD_NAMES} <= lines.keys()
    assert "cc-by-nc-4.0 no " in lines["depth_anything_v2_large"]
    assert "apache-2.0 yes" in lines["depth_anything_v2_small"]
    assert "dinov3-license yes LVD-1689M" in lines["dinov3_vits16"]
    assert lines["ade20k_ms"].rstrip().endswith("dinov2_vitb14")
    assert "168, 290, ~410, ~742" in lines["kitti_dpt"]
    assert "with and without" in lines["imagenet_linear"]
    assert "with and without" not in lines["nyu_dpt"]


def test_a_file_behind_a_licence_is_put_here_by_hand(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"only to who accepts its licence \(dinov3-license\)") as no:
        run("download", "dinov3_vitb16", "--cache-dir", tmp_path)
    assert f"put dinov3_vitb16_pretrain_lvd1689m-73cec8be.pth into {tmp_path}" in str(no.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_forbids_commerce_says_so_before_it_is_asked_for(tmp_path: Path) -> None:
    asked = ("download", "depth_anything_v2_base", "--cache-dir", tmp_path, "--url", NOWHERE)
    with pytest.raises(
        UserError, match=r"not for commercial use: its licence is cc-by-nc-4.0 .*--accept-licence"
    ) as no:
        run(*asked)
    assert no.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="cannot be reached") as offline:
        run(*asked, "--accept-licence")
    assert offline.value.exit_code == 3
    with pytest.raises(UserError, match="cannot be reached"):
        run("download", "depth_anything_v2_small", "--cache-dir", tmp_path, "--url", NOWHERE)


def test_offline_a_head_says_which_file_to_put_where(tmp_path: Path) -> None:
    wanted = rf"Put dinov2_vitl14_nyu_dpt_head.pth into {tmp_path} and start again"
    with pytest.raises(UserError, match=wanted) as caught:
        run("download", "nyu_dpt", "--backbone", "dinov2_vitl14", "--cache-dir", tmp_path, "--url", NOWHERE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("download", "nyu_linaer"), "unknown checkpoint 'nyu_linaer'.*did you mean 'nyu_linear'"),
        (("verify", "dinov2_vits41"), "unknown checkpoint 'dinov2_vits41'"),
        (("download", "nyu_dpt", "--backbone", "dinov2_vits14_reg"), "no nyu_dpt is published for dinov2_vits14_reg4"),
        (("verify", "ade20k_ms", "--backbone", "dinov2_vitb14"), "models download ade20k_ms --backbone dinov2_vitb14"),
        (("verify", "depth_anything_v2_small"), "models download depth_anything_v2_small"),
    ],
)
def test_a_wrong_name_or_a_missing_file_says_what_to_do(tmp_path: Path, words: tuple[str, ...], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        run(*words, "--cache-dir", tmp_path)


def linear(inputs: int = 1920) -> dict[str, torch.Tensor]:
    return {"weight": torch.rand(1000, inputs), "bias": torch.rand(1000)}


def test_an_official_head_that_is_here_is_checked(tmp_path: Path) -> None:
    torch.save(linear(), tmp_path / "dinov2_vits14_linear4_head.pth")
    out = run("verify", "imagenet_linear4", "--cache-dir", tmp_path)
    assert "classify head on 4 layers of dinov2_vits14" in out
    assert "licence apache-2.0, commercial yes, trained on ImageNet-1k" in out
    assert run("verify", tmp_path / "dinov2_vits14_linear4_head.pth").splitlines() == out.splitlines()[:2]
    torch.save(linear(768), tmp_path / "dinov2_vits14_linear4_head.pth")
    with pytest.raises(UserError, match="is not imagenet_linear4") as caught:
        run("verify", "imagenet_linear4", "--cache-dir", tmp_path)
    assert caught.value.exit_code == 1


def test_a_huggingface_classifier_is_a_backbone_and_a_head(tmp_path: Path) -> None:
    tensors = random_tensors(ARCHITECTURES["dinov2_vits14"], 1)
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["Dinov2ForImageClassification"]}))
    tensors |= {"classifier.weight": torch.rand(3, 768), "classifier.bias": torch.rand(3)}
    save_file(tensors, str(tmp_path / "model.safetensors"))
    out = run("verify", tmp_path)
    assert "classify head on 1 layer of dinov2_vits14" in out
    assert "fingerprint" in out


def test_a_head_of_ours_says_what_it_was_fitted_on(tmp_path: Path) -> None:
    about = HeadAbout("cls", ("a", "b"), (11,), "ab" * 32, recipe="linear probe", figures={"balanced accuracy": 0.912})
    path = tmp_path / "mine.safetensors"
    path.write_bytes(ClassifyLinear(np.zeros((2, 384), np.float32), np.zeros(2, np.float32), about).to_bytes())
    out = run("verify", path)
    assert "classify_linear, fitted on weights abababababab" in out
    assert "linear probe; balanced accuracy 0.912" in out
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match=r"mine.safetensors cannot be used"):
        run("verify", path)


def test_a_damaged_head_is_told_as_a_head(tmp_path: Path) -> None:
    (tmp_path / "my_head.pth").write_bytes(b"<html>")
    with pytest.raises(UserError, match=r"my_head.pth is refused") as caught:
        run("verify", tmp_path / "my_head.pth")
    assert caught.value.exit_code == 1
