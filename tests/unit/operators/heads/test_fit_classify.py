"""Classifiers: chosen on one part, judged on another that nothing else saw."""

from dataclasses import replace

import numpy as np
import pytest

from operators.backbone import Engine, load_backbone
from operators.heads.base import FrameTokens
from operators.heads.classify_linear import ClassifyLabels, ClassifyLinear
from operators.heads.fit_classify import (
    classify_about,
    confusion,
    fit_classify,
    last_blocks,
    picture_vectors,
    recalls,
)
from operators.heads.fit_parts import CHOSEN, FITTED, JUDGED
from operators.heads.head_about import HeadAbout

DIM = 8
ABOUT = HeadAbout("cls4_mean", ("a", "b"), (8, 9, 10, 11), "f" * 64)


def problem(count=60, told_by=slice(4 * DIM, 5 * DIM)):
    """Vectors whose columns `told_by` alone tell the class."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, count)
    features = rng.normal(size=(count, 5 * DIM)).astype(np.float32)
    features[:, told_by] += 2.0 * (2 * labels[:, None] - 1)
    return features, labels, np.arange(count) % 5


def parts_of(fifths):
    return np.select([fifths < 3, fifths == 3], [FITTED, CHOSEN], JUDGED)


def test_the_reading_that_tells_is_chosen():
    features, labels, fifths = problem()
    fit = fit_classify(features, labels, parts_of(fifths), ABOUT, iterations=150)
    assert fit.head.about.reads in {"cls_mean", "cls4_mean"}
    assert fit.head.about.figures["balanced_accuracy"] == 1.0
    assert fit.head.about.figures["judged_pictures"] == 12


def test_judged_pictures_change_nothing_but_the_figures():
    features, labels, fifths = problem()
    parts = parts_of(fifths)
    before = fit_classify(features, labels, parts, ABOUT, iterations=60)
    features[parts == JUDGED] = 0
    after = fit_classify(features, labels, parts, ABOUT, iterations=60)
    np.testing.assert_array_equal(before.head.weight, after.head.weight)
    assert before.head.about.recipe == after.head.about.recipe
    assert before.head.about.figures != after.head.about.figures


def test_things_are_read_as_subjects_are():
    features, labels, fifths = problem()
    fit = fit_classify(features[:, 4 * DIM :], labels, parts_of(fifths), replace(ABOUT, reads="pooled"), iterations=80)
    assert fit.head.about.reads == "pooled"
    assert fit.head.weight.shape == (2, DIM)


def test_confusion_has_truth_in_rows():
    table = confusion(np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1]), 3)
    assert table.tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(recalls(table), [1 / 3, 1, np.nan])


@pytest.mark.parametrize("reads", ["cls", "cls_mean", "cls4_mean"])
def test_the_head_gives_frames_the_logits_that_it_was_judged_by(reads):
    """What was cached of a picture, and what the analyzer hands over, are the same vector."""
    engine = Engine(load_backbone("dinov2_vits14", "random"), "fp32")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 28, 42, 3), dtype=np.uint8)
    blocks = last_blocks(12)
    out = engine.run(pixels, normed=blocks)
    vector = picture_vectors(out, 12)[0]
    columns = {"cls": slice(3 * 384, 4 * 384), "cls_mean": slice(3 * 384, None), "cls4_mean": slice(None)}[reads]
    about = replace(classify_about(engine, (28, 42), ("a", "b"), "pictures"), reads=reads)
    weight = np.random.default_rng(1).normal(size=(2, len(vector[columns]))).astype(np.float32)
    head = ClassifyLinear(weight, np.zeros(2, np.float32), about)
    space = engine.backbone.space((28, 42))
    tokens = FrameTokens(out.cls[0], out.patches[0], {}, (2, 3), space, "", dict(out.normed))
    np.testing.assert_allclose(head.logits(head.features(tokens)), weight @ vector[columns], rtol=1e-4, atol=1e-4)
    assert ClassifyLabels("mine", head).of_frame(tokens).top
