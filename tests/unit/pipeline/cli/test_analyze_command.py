"""`analyze`, `bank build` and `models` as functions, on pictures drawn here and the stand-in weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from operators.backbone import load_backbone
from operators.heads.classify_linear import ClassifyLinear
from operators.heads.depth_linear import DepthAbout, DepthLinear
from operators.heads.head_about import HeadAbout
from operators.heads.segment import SegmentLinear
from operators.retrieval.bank import Bank
from operators.retrieval.vectors import Vote
from pipeline.cli import analyze_model
from pipeline.cli.analyze import analyze
from pipeline.cli.app import UserError
from pipeline.cli.bank import build
from pipeline.cli.models import list_models, verify
from pipeline.cli.pictures.segments import class_colour


def draw(path: Path, colour: tuple[int, int, int], size=(120, 212), at: int = 60) -> None:
    bgr = np.full((*size, 3), 120, np.uint8)
    bgr[::8] = 100
    cv2.rectangle(bgr, (at, 30), (at + 60, 100), colour, -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), bgr)
    mask = np.zeros(size, np.uint8)
    cv2.rectangle(mask, (at, 30), (at + 60, 100), 255, -1)
    cv2.imwrite(str(path.with_suffix("")) + ".mask.png", mask)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(3):
        draw(tmp_path / f"classes/red/{index}.png", (20, 20, 220), at=20 + 30 * index)
        draw(tmp_path / f"classes/blue/{index}.jpg", (220, 30, 20), at=20 + 30 * index)
    return tmp_path / "classes"


def build_bank(folder: Path, tmp_path: Path) -> Path:
    build(folder, out=tmp_path / "bank", weights="standin", shape=["112x196"], k=3)
    return tmp_path / "bank"


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "labels.jsonl").read_text().splitlines()]


def test_bank_and_analyze_agree_on_what_they_saw(folder: Path, tmp_path: Path, capsys) -> None:
    bank = build_bank(folder, tmp_path)
    said = capsys.readouterr().out
    assert "not the official DINOv2 checkpoint" in said
    assert "things under masks, each left out once" in said
    assert "blue 3, red 3" in said
    assert Bank.load(bank).pooled is not None
    assert len(list((bank / "pictures").rglob("*.jpg"))) == 6
    analyze(folder, out=tmp_path / "out", weights="standin", shape=["112x196"], bank=[f"colours={bank}"], depth="none")
    found = lines(tmp_path / "out")
    assert [(each["name"].split("__")[0], each["labels"][0]["label"]) for each in found] == [
        *[("blue", "blue")] * 3,
        *[("red", "red")] * 3,
    ]
    with np.load(tmp_path / "out/embeddings.npz") as stored:
        assert stored["embeddings"].shape == (6, 384)
        assert stored["names"].tolist() == [each["name"] for each in found]
        assert str(stored["fingerprint"]) == load_backbone("dinov2_vits14", "standin").fingerprint


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_file_bytes_to_embedding_equal_pil_and_torch(tmp_path: Path, kind: str) -> None:
    bgr = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (30, 53, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / f"a.{kind}"), cv2.resize(bgr, (424, 240), interpolation=cv2.INTER_CUBIC))
    analyze(tmp_path / f"a.{kind}", out=tmp_path / "out", weights="standin", shape=["224x392"], depth="none")
    image = Image.open(tmp_path / f"a.{kind}").convert("RGB")
    image = image.resize((392, 224), Image.Resampling.BICUBIC, box=(2, 0, 422, 240))
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        expected = load_backbone("dinov2_vits14", "standin")((x - mean.view(3, 1, 1)) / std.view(3, 1, 1))[0].numpy()
    with np.load(tmp_path / "out/embeddings.npz") as stored:
        got = stored["embeddings"][0].astype(np.float32)
    assert got @ expected / np.linalg.norm(got) / np.linalg.norm(expected) >= 0.9995


def test_depth_is_written_in_millimetres_and_in_colour(folder: Path, tmp_path: Path) -> None:
    fingerprint = load_backbone("dinov2_vits14", "standin").fingerprint
    about = DepthAbout("log", (2, 5, 8, 11), 196.0, (0.5, 40.0), fingerprint)
    head = DepthLinear(np.zeros((1, 8 * 384), np.float32), np.array([np.log(5.0)], np.float32), about)
    (tmp_path / "head.safetensors").write_bytes(head.to_bytes())
    analyze(
        folder / "red/0.png",
        out=tmp_path / "out",
        weights="standin",
        shape=["112x196"],
        depth=str(tmp_path / "head.safetensors"),
    )
    depth = cv2.imread(str(tmp_path / "out/depth/0.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16
    assert depth.shape == (112, 196)
    assert np.abs(depth.astype(int) - 5000).max() <= 3
    line = lines(tmp_path / "out")[0]
    assert line["depth"]["file"] == "depth/0.png"
    assert line["depth"]["is_calibrated"] is False


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_pictures_to_look_at_are_those_that_apply(folder: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    analyze(folder / "red", out=out, weights="standin", shape=["112x196"], depth="none")
    assert names(out / "pictures") == [f"{index}_{kind}.jpg" for index in range(3) for kind in ("neighbours", "pca")]
    sheet = cv2.imread(str(out / "sheet.jpg"))
    assert sheet.shape[0] > 3 * 190
    assert sheet.shape[1] > 2 * 320
    assert "to look at: " in capsys.readouterr().out
    assert [each for each in names(out) if each.startswith(".")] == []  # what was kept for the end is gone
    analyze(folder / "red", out=tmp_path / "none", weights="standin", shape=["112x196"], depth="none", pictures="none")
    assert names(tmp_path / "none") == ["embeddings.npz", "labels.jsonl"]
    analyze(folder / "red", out=tmp_path / "one", weights="standin", shape=["112x196"], pictures="depth")
    assert names(tmp_path / "one/pictures") == [f"{index}_depth.jpg" for index in range(3)]


def linear_head(path: Path, kind: type[SegmentLinear | ClassifyLinear], fingerprint: str, classes: tuple) -> Path:
    """The second class wins everywhere."""
    reads, blocks = ("patches", (11,)) if kind is SegmentLinear else ("cls", ())
    about = HeadAbout(reads=reads, classes=classes, blocks=blocks, fingerprint=fingerprint)
    bias = np.zeros(len(classes), np.float32)
    bias[1] = 5.0
    path.write_bytes(kind(np.zeros((len(classes), 384), np.float32), bias, about).to_bytes())
    return path


def test_segments_of_whole_pictures(folder: Path, tmp_path: Path) -> None:
    fingerprint = load_backbone("dinov2_vits14", "standin").fingerprint
    segmenter = linear_head(tmp_path / "s.safetensors", SegmentLinear, fingerprint, ("wall", "floor", "sky"))
    made = SegmentLinear.from_bytes(segmenter.read_bytes())
    segmenter.write_bytes(replace(made, about=replace(made.about, short_side=112)).to_bytes())
    asked = {"weights": "standin", "shape": ["112x112"], "depth": "none", "pictures": "segments"}
    analyze(folder / "red/0.png", out=tmp_path / "out", segment=str(segmenter), segment_by="whole", **asked)
    line = lines(tmp_path / "out")[0]
    assert line["segments"] == [{"head": "segment", "shares": [["floor", 1.0]], "file": "segments/0.png"}]
    classes = cv2.imread(str(tmp_path / "out/segments/0.png"), cv2.IMREAD_UNCHANGED)
    assert (classes.shape, classes.dtype, set(classes.ravel())) == ((120, 212), np.uint8, {1})
    assert names(tmp_path / "out/pictures") == ["0_segments.jpg"]
    with pytest.raises(UserError, match="--segment-by windows: no head gives segments"):
        analyze(folder, out=tmp_path / "no", segment_by="windows", **(asked | {"pictures": "none"}))
    with pytest.raises(UserError, match="--segment-by: expected one of patches, whole, windows, got 'tiles'"):
        analyze(folder, out=tmp_path / "no", segment=str(segmenter), segment_by="tiles", **asked)


def test_segments_and_classes_of_fitted_heads(folder: Path, tmp_path: Path) -> None:
    fingerprint = load_backbone("dinov2_vits14", "standin").fingerprint
    segmenter = linear_head(tmp_path / "s.safetensors", SegmentLinear, fingerprint, ("wall", "floor", "sky"))
    classifier = linear_head(tmp_path / "c.safetensors", ClassifyLinear, fingerprint, ("cat", "dog"))
    analyze(
        folder / "red/0.png",
        out=tmp_path / "out",
        weights="standin",
        shape=["112x196"],
        depth="none",
        segment=str(segmenter),
        classify=str(classifier),
    )
    line = lines(tmp_path / "out")[0]
    assert line["segments"] == [{"head": "segment", "shares": [["floor", 1.0]]}]
    assert [(each["head"], each["label"]) for each in line["labels"]] == [("classify", "dog")]
    drawn = cv2.imread(str(tmp_path / "out/pictures/0_segments.jpg"))[:, :, ::-1].astype(int)
    legend = drawn[28 + 14, -100:]
    assert (np.abs(legend - class_colour(1)).max(axis=1) < 40).any()
    other = linear_head(tmp_path / "o.safetensors", SegmentLinear, "f" * 64, ("wall", "floor"))
    with pytest.raises(UserError, match="--segment: this head belongs to other weights"):
        analyze(folder, out=tmp_path / "no", weights="standin", depth="none", segment=str(other))


def test_neighbours_are_those_of_the_same_colour(tmp_path: Path) -> None:
    for name, colour in (("red1", (20, 20, 220)), ("red2", (20, 20, 220)), ("blue", (220, 30, 20))):
        draw(tmp_path / f"in/{name}.png", colour, at=90 if name == "red2" else 30)
    analyze(tmp_path / "in", out=tmp_path / "out", weights="standin", shape=["112x196"], pictures="neighbours")
    strip = cv2.imread(str(tmp_path / "out/pictures/red1_neighbours.jpg"))
    second = strip[:, 340:640].reshape(-1, 3).astype(int)
    assert ((second[:, 2] > 180) & (second[:, 0] < 60)).sum() > 1000


def test_a_tall_picture_says_what_was_cut_off(tmp_path: Path, capsys) -> None:
    draw(tmp_path / "tall.png", (0, 0, 255), (300, 160))
    analyze(tmp_path / "tall.png", out=tmp_path / "out", weights="standin", shape=["112x112"], depth="none")
    assert "47% of each 300x160 picture lies outside 112x112" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": Path("nothing.jpg")}, r"nothing\.jpg does not exist"),
        ({"shape": ["100x100"]}, "--shape: expected multiples of 14"),
        ({"shape": ["big"]}, "--shape: expected height x width"),
        ({"backbone": "dinov2"}, "--backbone: unknown backbone"),
        ({"weights": "no/such.pth"}, r"no/such\.pth does not exist"),
        ({"bank": ["vehicles"]}, "--bank: expected NAME=FOLDER"),
        ({"bank": ["vehicles=nowhere"]}, "--bank vehicles: no bank"),
        ({"vote": "loud"}, "--vote: expected whitened, balanced or paper"),
        ({"hfov": "74"}, "--hfov: expected an angle"),
        ({"depth": "no.safetensors"}, r"--depth: no depth head: no\.safetensors does not exist"),
        ({"segment": "ade20k_lineer"}, "--segment: unknown checkpoint 'ade20k_lineer'.*did you mean 'ade20k_linear'"),
        ({"classify": "no/such.pth"}, r"--classify: .*no/such\.pth"),
        ({"precision": "int8"}, "--precision: expected auto, fp32 or bf16"),
        ({"pictures": "depht"}, "--pictures: expected all, none or some of depth,segments,pca,neighbours, got 'depht'"),
        ({"pictures": "pca,depth"}, "--pictures depth: no depth head; name one with --depth"),
        ({"pictures": "segments"}, "--pictures segments: no head gives segments; name one with --segment"),
    ],
)
def test_a_mistake_is_one_sentence(folder: Path, tmp_path: Path, change: dict, message: str) -> None:
    arguments = {"source": folder, "out": tmp_path / "out", "weights": "standin", "depth": "none", **change}
    with pytest.raises(UserError, match=message):
        analyze(**arguments)


def test_a_file_that_is_no_picture_is_named_and_the_others_are_analysed(folder: Path, tmp_path: Path) -> None:
    (folder / "red/broken.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"(?s)1 files left out:.*red/broken\.jpg: no picture") as caught:
        analyze(folder / "red", out=tmp_path / "out", weights="standin", shape=["112x196"], depth="none")
    assert caught.value.exit_code == 1
    assert len(lines(tmp_path / "out")) == 3


def test_every_vote_that_a_head_may_have_labels_here_too(folder: Path, tmp_path: Path) -> None:
    bank = build_bank(folder, tmp_path)
    for vote in get_args(Vote):
        out = tmp_path / vote
        analyze(
            folder / "red/0.png",
            out=out,
            weights="standin",
            shape=["112x196"],
            bank=[f"c={bank}"],
            vote=vote,
            depth="none",
        )
        assert lines(out)[0]["labels"][0]["label"] == "red"


def test_a_bank_of_other_weights_is_refused_before_anything_runs(folder: Path, tmp_path: Path) -> None:
    bank = build_bank(folder, tmp_path)
    with pytest.raises(UserError, match=r"made with dinov2_vits14 standin .* expected the space"):
        analyze(folder, out=tmp_path / "out", weights="random", shape=["112x196"], bank=[f"c={bank}"], depth="none")
    assert not (tmp_path / "out").exists()


def test_the_shipped_head_is_left_out_loudly_for_other_weights(
    folder: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    about = DepthAbout("log", (2,), 196.0, (0.5, 40.0), "f" * 64)
    head = DepthLinear(np.zeros((1, 768), np.float32), np.zeros(1, np.float32), about)
    (tmp_path / "head.safetensors").write_bytes(head.to_bytes())
    monkeypatch.setattr(analyze_model, "_SHIPPED_DEPTH", tmp_path / "head.safetensors")
    analyze(folder / "red/0.png", out=tmp_path / "out", weights="standin", shape=["112x196"])
    assert "no depth: " in capsys.readouterr().out
    assert "depth" not in lines(tmp_path / "out")[0]


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty/a").mkdir(parents=True)
    with pytest.raises(UserError, match="no picture in a"):
        build(tmp_path / "empty", out=tmp_path / "bank", weights="standin")
    with pytest.raises(UserError, match="is no folder"):
        build(tmp_path / "none", out=tmp_path / "bank", weights="standin")


def test_models_says_licence_and_that_the_standin_is_none_of_metas(tmp_path: Path, capsys) -> None:
    list_models(cache_dir=tmp_path)
    said = capsys.readouterr().out
    assert said.count("apache-2.0") == 8 + 3 + 12  # backbones of Meta, small ones of Depth Anything, heads
    assert "mit" in said
    assert "The stand-in is not the official checkpoint" in said
    verify("standin", cache_dir=tmp_path)
    assert "positions hf, fingerprint" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"dinov2_vits14_pretrain\.pth is not here") as caught:
        verify("dinov2_vits14", cache_dir=tmp_path)
    assert caught.value.exit_code == 3
    (tmp_path / "dinov2_vits14_pretrain.pth").write_bytes(b"short")
    with pytest.raises(UserError, match="expected 88283115 bytes, got 5") as caught:
        verify("dinov2_vits14", cache_dir=tmp_path)
    assert caught.value.exit_code == 1
