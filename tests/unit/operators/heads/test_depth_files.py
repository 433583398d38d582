"""Depth heads from files of four layouts, small ones with seeded weights."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from operators.backbone import architectures
from operators.backbone.checkpoints import load_backbone, random_tensors
from operators.backbone.errors import WeightsError
from operators.heads.depth_about import HeadMismatchError
from operators.heads.depth_dpt import DepthDpt
from operators.heads.depth_files import load_depth_head, read_depth_head
from operators.heads.depth_linear import DepthLinear
from tests.unit.operators.heads.depth_models import (
    ANYTHING,
    ARCH,
    META,
    anything_layout,
    head,
    meta_layout,
    taps,
    tensors,
)

GRID = (4, 6)
TUNED = replace(ARCH, name="depth_anything_v2_small", sizes_of="dinov2_vits14")


@pytest.fixture(autouse=True)
def _small_architectures(monkeypatch) -> None:
    for arch in (ARCH, TUNED, replace(TUNED, name="depth_anything_v2_small_metric_indoor")):
        monkeypatch.setitem(architectures.ARCHITECTURES, arch.name, arch)


def write_meta(path: Path, **changes) -> Path:
    state = meta_layout(tensors(META)) | changes
    moments = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": np.float64(1e-4)}]}
    torch.save({"meta": {"iter": 38400}, "state_dict": state, "optimizer": moments}, path)
    return path


def write_anything(path: Path, seed: int = 3) -> Path:
    encoder = {f"pretrained.{name}": each for name, each in random_tensors(ARCH, seed).items()}
    torch.save(encoder | {"pretrained.mask_token": torch.ones(1, 16)} | anything_layout(tensors(ANYTHING)), path)
    return path


def test_metas_dpt_is_read_from_its_container(tmp_path) -> None:
    model = read_depth_head(write_meta(tmp_path / "dinov2_vits14_nyu_dpt_head.pth"), ARCH)
    np.testing.assert_array_equal(model.predict(taps(GRID), GRID), head().predict(taps(GRID), GRID))
    said = model.about
    assert (said.form, said.blocks, said.range_metres) == ("relu_clamped", (0, 1, 2, 3), (0.001, 10.0))
    assert (said.backbone, said.fingerprint, said.is_normed, said.trained_size) == (
        "dinov2_vits14",
        "",
        False,
        (480, 640),
    )
    kitti = read_depth_head(write_meta(tmp_path / "kitti.pth"), ARCH).about
    assert (kitti.range_metres[1], kitti.trained_size) == (80.0, (352, 1216))


def test_metas_linear_heads_tell_their_layers_by_their_width(tmp_path) -> None:
    for layers, blocks in ((1, (3,)), (4, (0, 1, 2, 3))):
        path = tmp_path / f"nyu_{layers}.pth"
        weight = torch.randn(256, 2 * 16 * layers, 1, 1)
        torch.save(
            {"state_dict": {"decode_head.conv_depth.weight": weight, "decode_head.conv_depth.bias": torch.ones(256)}},
            path,
        )
        model = read_depth_head(path, ARCH)
        assert isinstance(model, DepthLinear)
        assert (model.about.blocks, model.about.form, model.about.range_metres) == (blocks, "bins", (0.001, 10.0))


@pytest.mark.parametrize(
    ("file", "output", "largest", "form"),
    [
        ("depth_anything_v2_vits.pth", "inverse", 0.0, "relu"),
        ("depth_anything_v2_metric_hypersim_vits.pth", "metric", 20.0, "sigmoid"),
        ("depth_anything_v2_metric_vkitti_vits.pth", "metric", 80.0, "sigmoid"),
    ],
)
def test_depth_anything_is_told_by_its_file_name(tmp_path, file: str, output: str, largest: float, form: str) -> None:
    model = read_depth_head(write_anything(tmp_path / file), ARCH)
    said = model.about
    assert (said.output, said.range_metres[1], said.form, said.is_normed) == (output, largest, form, True)
    assert isinstance(model, DepthDpt)
    np.testing.assert_array_equal(
        model.raw_map(taps(GRID), GRID, (56, 84)),
        head(ANYTHING, form=form, range_metres=said.range_metres).raw_map(taps(GRID), GRID, (56, 84)),
    )


def test_depth_anything_brings_its_own_encoder(tmp_path) -> None:
    path = write_anything(tmp_path / "depth_anything_v2_vits.pth")
    tuned = load_backbone("depth_anything_v2_small", path)
    assert (tuned.info.published_as, tuned.info.licence, tuned.info.commercial) == (TUNED.name, "apache-2.0", "yes")
    model = load_depth_head("depth_anything", TUNED.name, str(path))
    model.about.check_backbone(tuned.fingerprint, tuned.info.published_as)
    plain = load_backbone("dinov2_vits14", path)  # the same tensors under the name of their architecture
    assert (plain.fingerprint, plain.info.published_as) == (tuned.fingerprint, "")
    model.about.check_backbone(plain.fingerprint)
    other = load_backbone(TUNED.name, write_anything(tmp_path / "other.pth", seed=4))
    with pytest.raises(HeadMismatchError, match="belongs to other weights"):
        model.about.check_backbone(other.fingerprint, other.info.published_as)
    assert tuned.space((224, 224)) != other.space((224, 224))


def test_published_heads_take_published_weights_alone(tmp_path) -> None:
    model = read_depth_head(write_meta(tmp_path / "nyu.pth"), ARCH)
    torch.save(random_tensors(ARCH, 1), tmp_path / "meta.pth")
    published = load_backbone("dinov2_vits14", tmp_path / "meta.pth")
    model.about.check_backbone(published.fingerprint, published.info.published_as)
    for weights in ("random", write_anything(tmp_path / "tuned.pth")):
        other = load_backbone("dinov2_vits14", weights)
        with pytest.raises(HeadMismatchError, match="expected those published for dinov2_vits14, got others"):
            model.about.check_backbone(other.fingerprint, other.info.published_as)


def test_non_commercial_models_are_refused_before_anything_is_fetched(tmp_path) -> None:
    for load in (
        lambda: load_depth_head(
            "depth_anything", "depth_anything_v2_base", licences=("apache-2.0",), cache_dir=tmp_path
        ),
        lambda: load_backbone("depth_anything_v2_base", licences=("apache-2.0",), cache_dir=tmp_path),
    ):
        with pytest.raises(WeightsError, match=r"its licence is cc-by-nc-4\.0, expected one of apache-2\.0"):
            load()
    assert not list(tmp_path.iterdir())


def write_folder(folder: Path, **config) -> Path:
    folder.mkdir()
    encoder = {"backbone.embeddings.cls_token": torch.ones(1, 1, 16)}
    save_file(
        encoder | {"neck.reassemble_stage.readout_projects.0.0.weight": torch.ones(16, 32)},
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text(json.dumps(config))
    return folder


class Evil:
    def __reduce__(self):
        return os.mkdir, (str(Evil.path),)


def make(kind: str, folder: Path) -> Path:
    path = folder / "dinov2_vits14_nyu_dpt_head.pth"
    match kind:
        case "absent":
            return path
        case "text":
            path.write_text("no head")
        case "cut":
            path.write_bytes(write_meta(path).read_bytes()[:-2000])
        case "malicious":
            Evil.path = folder / "ran"
            torch.save({"state_dict": {"decode_head.x": Evil()}}, path)
        case "not finite":
            write_meta(path, **{"decode_head.project.conv.bias": torch.full((6,), torch.inf)})
        case "wrong shape":
            write_meta(path, **{"decode_head.project.conv.bias": torch.ones(5)})
        case "unknown tensor":
            write_meta(path, **{"decode_head.more": torch.ones(5)})
        case "no range":
            return write_meta(folder / "head.pth")
        case "segment":
            bn = {
                f"decode_head.bn.{name}": torch.ones(16) for name in ("weight", "bias", "running_mean", "running_var")
            }
            seg = {"decode_head.conv_seg.weight": torch.ones(3, 16, 1, 1), "decode_head.conv_seg.bias": torch.ones(3)}
            torch.save({"state_dict": bn | seg}, path)
        case "contradiction":
            return write_anything(folder / "depth_anything_v2_metric_vkitti_vits.pth")
        case "another kind of ours":
            path = folder / "bank.safetensors"
            save_file({"x": torch.ones(1)}, path)
        case "no config":
            (write_folder(folder / "hf") / "config.json").unlink()
            return folder / "hf"
        case "bad config":
            (write_folder(folder / "hf") / "config.json").write_text("{")
            return folder / "hf"
        case "bad blocks":
            return write_folder(folder / "hf", backbone_config={"out_indices": [3, 6, 9, 12]})
        case "half a folder":
            return write_folder(folder / "hf", backbone_config={"out_indices": [1, 2, 3, 4]})
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("absent", "does not exist"),
        ("text", "is refused|is damaged"),
        ("cut", "is damaged"),
        ("malicious", "is refused.*nothing in it was executed"),
        ("not finite", r"middle\.bias|project\.conv\.bias holds values that are not finite"),
        ("wrong shape", r"expected float \(6,\) for middle\.bias, got torch\.float32 \(5,\)"),
        ("unknown tensor", r"1 unknown \(more\)"),
        ("no range", "expected nyu or kitti in the name"),
        ("segment", "is no depth head: it is one to segment"),
        ("contradiction", "expected a relative model, got metres up to 80"),
        ("another kind of ours", "is no depth head of ours"),
        ("no config", "expected config.json"),
        ("bad config", "expected JSON"),
        ("bad blocks", "expected four of 1 to 4"),
        ("half a folder", "no whole DPT depth head"),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path, kind: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        read_depth_head(make(kind, tmp_path), TUNED if kind == "contradiction" else ARCH)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_head_for_another_width_is_refused(tmp_path) -> None:
    path = write_meta(tmp_path / "nyu.pth")
    with pytest.raises(WeightsError, match="for another backbone"):
        read_depth_head(path, replace(ARCH, dim=24))
    with pytest.raises(WeightsError, match=r"for another backbone|does not hold"):
        read_depth_head(write_anything(tmp_path / "da.pth"), replace(ARCH, dim=24))


def test_a_file_of_ours_is_read_back(tmp_path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(head().to_bytes())
    assert read_depth_head(path, ARCH).about == head().about


def test_depth_anything_needs_such_weights(tmp_path) -> None:
    for weights in ("official", "standin", "random"):
        with pytest.raises(WeightsError, match=f"no depth_anything head in {weights} weights of dinov2_vits14"):
            load_depth_head("depth_anything", "dinov2_vits14", weights, cache_dir=tmp_path)
    with pytest.raises(WeightsError, match="no depth_anything head in standin weights"):
        load_depth_head("depth_anything", TUNED.name, "standin", cache_dir=tmp_path)
