"""Files of published heads, whole and broken."""

from __future__ import annotations

import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from operators.backbone.errors import WeightsError
from operators.heads.head_files import read_head

GENERATOR = torch.Generator().manual_seed(3)


def rand(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=GENERATOR) + 0.1


def classifier(dim: int = 384, layers: int = 1) -> dict[str, torch.Tensor]:
    return {"weight": rand(1000, dim * (2 if layers == 1 else 5)), "bias": rand(1000)}


def depth(inputs: int) -> dict[str, torch.Tensor]:
    return {"decode_head.conv_depth.weight": rand(256, inputs, 1, 1), "decode_head.conv_depth.bias": rand(256)}


def segment(inputs: int, classes: int = 21) -> dict[str, torch.Tensor]:
    norm = {f"decode_head.bn.{name}": rand(inputs) for name in ("weight", "bias", "running_mean", "running_var")}
    return {
        "decode_head.conv_seg.weight": rand(classes, inputs, 1, 1),
        "decode_head.conv_seg.bias": rand(classes),
        "decode_head.bn.num_batches_tracked": torch.tensor(7),
        **norm,
    }


def dpt(dim: int) -> dict[str, torch.Tensor]:
    return {
        "decode_head.reassemble_blocks.readout_projects.0.0.weight": rand(dim, 2 * dim),
        "decode_head.conv_depth.head.0.weight": rand(4, 8, 3, 3),
    }


def mmcv(state: dict[str, torch.Tensor]) -> dict[str, object]:
    """As mmcv saves a training: notes with numpy numbers, and the optimiser's moments."""
    notes = {
        "epoch": 3,
        "CLASSES": ("wall", "floor"),
        "hook_msgs": OrderedDict(best=np.float64(0.5), round=np.int64(4), f32=np.float32(1), done=np.bool_(True)),
    }
    moments = {index: {"step": 5, "exp_avg": value.clone()} for index, value in enumerate(state.values())}
    return {"meta": notes, "state_dict": OrderedDict(state), "optimizer": {"state": moments, "param_groups": [{}]}}


@pytest.mark.parametrize(
    ("content", "family", "dim", "layers"),
    [
        (classifier(384, 1), "classify", 384, 1),
        (classifier(1536, 4), "classify", 1536, 4),
        (mmcv(depth(2 * 768)), "depth_linear", 768, 1),
        (mmcv(depth(8 * 384)), "depth_linear", 384, 4),
        (mmcv(segment(384, 150)), "segment", 384, 1),
        (mmcv(segment(4 * 1024)), "segment", 1024, 4),
        (mmcv(dpt(384)), "depth_dpt", 384, 4),
    ],
    ids=lambda value: str(value) if isinstance(value, int | str) else "",
)
def test_every_family_is_told_by_its_tensors(tmp_path: Path, content, family: str, dim: int, layers: int) -> None:
    torch.save(content, tmp_path / "head.pth")
    file = read_head(tmp_path / "head.pth")
    assert (file.family, file.layers(dim)) == (family, layers)
    state = content.get("state_dict", content)
    wanted = {name.removeprefix("decode_head."): value for name, value in state.items() if "num_batches" not in name}
    assert file.tensors.keys() == wanted.keys()
    assert all(torch.equal(file.tensors[name], value) for name, value in wanted.items())
    with pytest.raises(WeightsError, match=r"head for another backbone: expected .* for tokens of 100 values"):
        file.layers(100)


def test_the_same_number_of_inputs_is_read_by_the_width_of_the_backbone(tmp_path: Path) -> None:
    torch.save(mmcv(depth(3072)), tmp_path / "head.pth")
    file = read_head(tmp_path / "head.pth")
    assert (file.layers(384), file.layers(1536)) == (4, 1)


def test_half_precision_is_widened(tmp_path: Path) -> None:
    half = {name: value.half() for name, value in classifier().items()}
    torch.save(half, tmp_path / "head.pth")
    got = read_head(tmp_path / "head.pth").tensors["weight"]
    assert got.dtype == torch.float32
    assert torch.equal(got, half["weight"].float())


@pytest.mark.parametrize("kind", ["Dinov2ForImageClassification", "Dinov2WithRegistersForImageClassification"])
@pytest.mark.parametrize("is_sharded", [False, True])
def test_a_huggingface_classifier_keeps_its_own_names(tmp_path: Path, kind: str, is_sharded: bool) -> None:
    labels = {"0": "cat", "1": "dog", "2": "cow"}
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [kind], "id2label": labels}))
    tensors = {"classifier.weight": rand(3, 768), "classifier.bias": rand(3), "dinov2.layernorm.weight": rand(384)}
    if is_sharded:
        shard = "model-00001-of-00001.safetensors"
        save_file(tensors, str(tmp_path / shard))
        index = {"weight_map": dict.fromkeys(tensors, shard)}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        save_file(tensors, str(tmp_path / "model.safetensors"))
    file = read_head(tmp_path)
    assert (file.origin, file.classes, file.layers(384)) == ("huggingface", ("cat", "dog", "cow"), 1)
    assert torch.equal(file.tensors["weight"], tensors["classifier.weight"])


class Bomb:
    """Runs a command when a pickle of it is opened without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch '{self.mark}'",))


@pytest.mark.parametrize("place", ["state_dict", "meta", "plain", "old_format", "bare"])
def test_a_malicious_file_is_refused_by_name_and_nothing_runs(tmp_path: Path, place: str) -> None:
    mark, path = tmp_path / "it-ran", tmp_path / "head.pth"
    bomb = Bomb(mark)
    match place:
        case "state_dict":
            torch.save({"state_dict": {**segment(384), "x": bomb}}, path)
        case "meta":
            torch.save({**mmcv(segment(384)), "meta": {"hook": bomb}}, path)
        case "plain":
            torch.save({**classifier(), "x": bomb}, path)
        case "old_format":
            torch.save({"state_dict": {"x": bomb}}, path, _use_new_zipfile_serialization=False)
        case _:
            path.write_bytes(pickle.dumps(bomb, protocol=2))
    with pytest.raises(WeightsError, match=r"refused: expected tensors and numbers, got (posix|nt)\.system") as caught:
        read_head(path)
    assert "nothing in it was executed" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not mark.exists()
    pickle.loads(pickle.dumps(bomb))
    assert mark.exists(), "the bomb is real"


BAD = {
    "empty.pth": (b"", "damaged"),
    "text.pth": (b"<html>404</html>", "refused"),
    "list.pth": ([torch.zeros(1)], "expected a dictionary of tensors, got list"),
    "nothing.pth": ({}, "expected a dictionary of tensors, got dict"),
    "odd.pth": ({"state_dict": {"epoch": 3}}, r"expected tensors alone, got others \(epoch\)"),
    "backbone.pth": ({"cls_token": rand(1, 1, 8), "norm.weight": rand(8)}, r"no head .* got 2 tensors \(cls_token"),
    "no_norm.pth": (
        {name: value for name, value in segment(384).items() if "running_var" not in name},
        "incomplete: expected bn.running_var",
    ),
    "flat.pth": ({"weight": rand(1000), "bias": rand(1000)}, r"expected outputs x inputs for weight, got \(1000,\)"),
    "bias.pth": ({"weight": rand(1000, 768), "bias": rand(999)}, r"expected \(1000,\) for bias, got \(999,\)"),
    "kernel.pth": (
        {"decode_head.conv_depth.weight": rand(256, 768, 3, 3), "decode_head.conv_depth.bias": rand(256)},
        r"expected \(256, 768, 1, 1\)",
    ),
    "norm.pth": ({**segment(384), "decode_head.bn.bias": rand(5)}, r"expected \(384,\) for bn.bias, got \(5,\)"),
    "nan.pth": ({"weight": rand(10, 768) * float("nan"), "bias": rand(10)}, "weight holds values that are not finite"),
    "below.pth": ({**segment(384), "decode_head.bn.running_var": -rand(384)}, "values below 0"),
    "whole.pth": ({"weight": torch.ones(10, 768, dtype=torch.int64), "bias": rand(10)}, "expected floats for weight"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_error(tmp_path: Path, name: str) -> None:
    content, expected = BAD[name]
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=expected) as caught:
        read_head(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [10, 1000, 100_000])
def test_a_truncated_file_is_damaged(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "head.pth"
    torch.save(mmcv(segment(384)), path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(WeightsError, match="damaged") as caught:
        read_head(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no head: .*gone.pth does not exist"):
        read_head(tmp_path / "gone.pth")


def folder(path: Path, config: object, tensors: dict[str, torch.Tensor] | bytes | None) -> Path:
    if config is not None:
        (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if isinstance(tensors, bytes):
        (path / "model.safetensors").write_bytes(tensors)
    elif tensors is not None:
        save_file(tensors, str(path / "model.safetensors"))
    return path


KIND = ["Dinov2ForImageClassification"]
HEAD = {"classifier.weight": rand(3, 768), "classifier.bias": rand(3)}


@pytest.mark.parametrize(
    ("config", "tensors", "expected"),
    [
        (None, HEAD, "expected config.json"),
        ("{", HEAD, "config.json is damaged"),
        ({"architectures": None}, HEAD, "config.json is damaged"),
        ({"architectures": ["Dinov2Model"]}, HEAD, "holds no classifier: expected .* got Dinov2Model"),
        ({"architectures": KIND}, None, "expected model.safetensors"),
        ({"architectures": KIND}, b"no safetensors", "model.safetensors is damaged"),
        ({"architectures": KIND}, {"classifier.weight": rand(3, 768)}, "classifier.bias cannot be read"),
        ({"architectures": KIND, "id2label": {"1": "a"}}, HEAD, "id2label to count from 0"),
    ],
)
def test_a_bad_folder_is_one_clear_error(tmp_path: Path, config, tensors, expected: str) -> None:
    with pytest.raises(WeightsError, match=expected) as caught:
        read_head(folder(tmp_path, config, tensors))
    assert "\n" not in str(caught.value)
