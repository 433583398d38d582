"""What `validate` and `run` say of classes and segments that are read from pictures of another size."""

import numpy as np
import pytest

from operators.heads.classify_linear import ClassifyLinear
from operators.heads.head_about import HeadAbout
from pipeline.config import load_config
from pipeline.config.head_notes import head_notes

CAMERA = """\
version: 1
sinks: {{jsonl: {{path: out}}}}
model: {{backbone: dinov2_vits14, weights: official, shapes: [{shape}]}}
heads:
  metres: {{kind: depth, checkpoint: nyu_linear}}
  seen: {{kind: {kind}, checkpoint: {checkpoint}}}
cameras:
  gate:
    source: {{url: "rtsp://gate.lan/x"}}
    heads: [{heads}]
"""


def notes(folder, kind, checkpoint, shape="224x392", heads="seen"):
    path = folder / "cameras.yaml"
    path.write_text(CAMERA.format(kind=kind, checkpoint=checkpoint, shape=shape, heads=heads))
    return list(head_notes(load_config(path), "gate", None))


def fitted(folder, short_side):
    about = HeadAbout("cls", ("a", "b"), (), "f" * 64, short_side=short_side)
    path = folder / "head.safetensors"
    path.write_bytes(ClassifyLinear(np.zeros((2, 384), np.float32), np.zeros(2, np.float32), about).to_bytes())
    return path


@pytest.mark.parametrize(
    ("kind", "checkpoint", "off"),
    [
        ("segment", "ade20k_linear", "224 px is 0.44 x the 512 px"),
        ("segment", "voc2012_ms", "224 px is 0.35 x the 640 px"),
        ("classify", "imagenet_linear4", None),
    ],
)
def test_published_heads_are_told_by_their_names(tmp_path, kind, checkpoint, off):
    said = notes(tmp_path, kind, checkpoint)
    assert said == ([] if off is None else [f"{kind} {checkpoint}: short side {off} it was trained with"])


def test_larger_pictures_suit_segments_and_do_not_suit_classes(tmp_path):
    assert notes(tmp_path, "segment", "ade20k_linear", "448x784") == []
    (said,) = notes(tmp_path, "classify", "imagenet_linear", "448x784")
    assert "448 px is 2.00 x the 224 px" in said


def test_a_head_in_a_file_is_asked(tmp_path):
    (said,) = notes(tmp_path, "classify", fitted(tmp_path, 448))
    assert said.endswith("head.safetensors: short side 224 px is 0.50 x the 448 px it was trained with")
    assert notes(tmp_path, "classify", fitted(tmp_path, 224)) == []


def test_what_those_who_load_it_report_is_not_reported_here(tmp_path):
    assert notes(tmp_path, "classify", tmp_path / "nowhere.safetensors") == []
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no head")
    assert notes(tmp_path, "classify", damaged) == []


def test_depth_is_told_beside_the_others(tmp_path):
    first, second = notes(tmp_path, "segment", "ade20k_linear", heads="metres, seen")
    assert first.startswith("depth nyu_linear: ")
    assert second.startswith("segment ade20k_linear: ")
