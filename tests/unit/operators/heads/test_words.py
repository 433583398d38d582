"""`kind: words`: what its shares are, what it reads, what it refuses; on files in Meta's layout, made small."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.analyzer import Analyzer
from operators.backbone import Engine, architectures
from operators.backbone.checkpoints import build, random_tensors
from operators.backbone.errors import WeightsError
from operators.backbone.spaces import WeightsInfo
from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times
from operators.heads.base import FrameTokens
from operators.heads.config import WordsHead
from operators.heads.depth_about import HeadMismatchError
from operators.heads.kinds import HEAD_KINDS, build_head
from operators.heads.words import BACKBONE, WordsLabels, WordsModel, embed_sentence, load_words, space_of_words
from operators.labelling import Seen, label_all
from operators.results import Subject
from tests.words_files import ARCH, CLASSES, DIM, write_words

SHAPE, GRID = (28, 42), (2, 3)


@pytest.fixture(autouse=True)
def _small_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(architectures.ARCHITECTURES, BACKBONE, ARCH)


@pytest.fixture
def head(tmp_path: Path) -> WordsHead:
    return write_words(tmp_path)


def engine_of(published_as: str) -> Engine:
    info = WeightsInfo("file", "file", "apache-2.0", "yes", "nothing", "", published_as)
    return Engine(build(ARCH, random_tensors(ARCH, 4), "hub_antialias", info), "fp32")


def tokens_of(engine: Engine, pixels: np.ndarray) -> FrameTokens:
    out = engine.run(pixels[None])
    return FrameTokens(out.cls[0], out.patches[0], {}, GRID, "", "", registers=out.registers[0])


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3), np.uint8)


def test_the_analyzer_gives_the_head_all_tokens_of_its_one_pass(head: WordsHead) -> None:
    engine = engine_of(BACKBONE)
    data = HEAD_KINDS["words"].artefact(head, lambda: engine, [SHAPE])
    assert HEAD_KINDS["words"].misfit(data, engine, [SHAPE]) is None
    camera = CameraSpec("gate", SHAPE, ("scene",))
    analyzer = Analyzer(engine, {"scene": head}, [camera], {"head/scene@1": data}.__getitem__, {})
    times = Times(rule_time_ns=1, ingest_ns=1, capture_ns=1, capture_clock="arrival", capture_uncertainty_ns=0)
    items = [
        Item(Ticket("gate", 1, 1, seq), times, Placement(SHAPE, SHAPE, (1, 1)), picture(seq), ("head/scene@1",))
        for seq in (1, 2)
    ]
    model = WordsModel.from_bytes(data)
    for each, analysis in zip(items, analyzer.analyze(items), strict=True):
        tokens = tokens_of(engine, each.pixels)
        (label,) = analysis.labels
        shares = model.shares(model.picture(tokens))
        assert dict(label.top) == pytest.approx(dict(zip(CLASSES, shares, strict=True)), rel=1e-3)
        blind = replace(tokens, registers=np.zeros((0, DIM), np.float32))
        assert shares != pytest.approx(model.shares(model.picture(blind)), rel=1e-3), "registers count"


def test_a_frame_carries_its_vector_where_that_is_asked_for(head: WordsHead) -> None:
    model = load_words(head, "", BACKBONE)
    tokens = replace(tokens_of(engine_of(BACKBONE), picture(5)), cls_space="c" * 64)
    lone = Seen("view/gate@1", 2, (Subject((0, 0, 1, 1), np.ones(GRID, bool)),))
    said = label_all([WordsLabels("scene", model, has_vector=True)], tokens, lone, SHAPE)
    vector = said.frame[0].vector
    assert vector is not None
    np.testing.assert_allclose(vector.values, model.picture(tokens), atol=1e-3)
    assert vector.space == space_of_words("c" * 64, model.towers)
    assert said.subjects[0].labels[0].vector is None, "the vector is the picture's, not the thing's"
    assert WordsLabels("scene", model).of_frame(tokens).vector is None, "5.5 kB that nobody asked for"


def test_a_sentence_lives_in_the_space_of_pictures_of_the_same_towers(head: WordsHead, tmp_path: Path) -> None:
    model = load_words(head, "", BACKBONE)
    vector, towers = embed_sentence(head, "a forklift at a dock", "", BACKBONE)
    np.testing.assert_allclose(vector, model.sentences[0], rtol=1e-4, atol=1e-6)
    assert towers == model.towers
    others = write_words(tmp_path / "others", seed=4)
    for changed in ({"weights": others.weights}, {"text": others.text}):
        assert load_words(head.model_copy(update=changed), "", BACKBONE).towers != towers, changed
    assert model.space("a" * 64) != model.space("b" * 64), "another backbone, or another shorter side"
    with pytest.raises(HeadMismatchError, match="published for dinov2_vitl14_reg4"):
        embed_sentence(head, "a forklift", "f" * 64, "")


def test_it_computes_where_the_backbone_does(head: WordsHead, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(BACKBONE)
    tokens = tokens_of(engine, picture(5))
    data = load_words(head, "", BACKBONE).to_bytes()
    moved = build_head("scene", {"scene": head}, data, "meta")
    assert isinstance(moved, WordsLabels)
    assert {each.device.type for each in moved.model.vision.parameters()} == {"meta"}
    with pytest.raises(
        NotImplementedError, match="meta"
    ):  # all tokens went there; a meta tensor has no values to bring
        moved.of_frame(tokens)
    asked: list[torch.device] = []
    monkeypatch.setattr(WordsLabels, "to", lambda built, device: asked.append(device) or built)
    engine.backbone.to("meta")
    camera = CameraSpec("gate", SHAPE, ("scene",))
    Analyzer(engine, {"scene": head}, [camera], {"head/scene@1": data}.__getitem__, {}).load("head/scene@1")
    assert asked == [torch.device("meta")]


def test_shares_are_the_softmax_of_a_hundred_cosines(head: WordsHead) -> None:
    model = load_words(head, "f" * 64, BACKBONE)
    assert model.classes == tuple(CLASSES)
    np.testing.assert_allclose(np.linalg.norm(model.sentences, axis=1), 1, rtol=1e-5)
    vector = model.sentences[1]
    wanted = torch.softmax(100 * torch.from_numpy(model.sentences @ vector), 0).numpy()
    np.testing.assert_allclose(model.shares(vector), wanted, rtol=1e-4)
    assert model.shares(vector).argmax() == 1


def test_several_sentences_are_one_direction(head: WordsHead) -> None:
    apart = load_words(head.model_copy(update={"classes": {"one": "a person", "many": "people"}}), "", BACKBONE)
    both = load_words(head, "", BACKBONE).sentences[1]
    mean = apart.sentences.mean(axis=0)
    np.testing.assert_allclose(both, mean / np.linalg.norm(mean), rtol=1e-4, atol=1e-6)


def test_bytes_come_back_and_damage_is_seen(head: WordsHead) -> None:
    model = load_words(head, "", BACKBONE)
    data = model.to_bytes()
    assert data == load_words(head, "", BACKBONE).to_bytes(), "equal files, equal bytes: no new version"
    assert WordsModel.from_bytes(data).to_bytes() == data
    with pytest.raises(ValueError, match="expected float32 sentences of 3 classes"):
        WordsModel.from_bytes(replace(model, sentences=model.sentences[:2]).to_bytes())
    with pytest.raises(ValueError, match="damaged"):
        WordsModel.from_bytes(data[:-8])


def test_it_knows_whole_pictures_alone(head: WordsHead) -> None:
    labels = WordsLabels("scene", load_words(head, "", BACKBONE))
    tokens = tokens_of(engine_of(BACKBONE), picture(5))
    assert labels.of_subject(tokens, np.ones(GRID, bool)) is None
    assert not labels.is_of_things
    assert sum(score for _, score in labels.of_frame(tokens).top) == pytest.approx(1)
    assert labels.off_recipe((224, 392)) is None
    assert "448 px is 2.00 x the 224 px" in (labels.off_recipe((448, 784)) or "")


@pytest.mark.parametrize("published_as", ["", "dinov2_vits14", "dinov2_vitl14"])
def test_another_backbone_is_refused_before_the_text_encoder_is_read(head: WordsHead, published_as: str) -> None:
    engine = engine_of(published_as)
    without_text = head.model_copy(update={"text": "not/there.pth"})
    with pytest.raises(HeadMismatchError, match=r"expected those published for dinov2_vitl14_reg4, got .*kind: knn"):
        HEAD_KINDS["words"].artefact(without_text, lambda: engine, [SHAPE])
    data = load_words(head, "", BACKBONE).to_bytes()
    assert "published for dinov2_vitl14_reg4" in (HEAD_KINDS["words"].misfit(data, engine, [SHAPE]) or "")


def test_files_that_do_not_belong_together_are_refused(head: WordsHead, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("#version: 0.2\nd o\no c\n")
    with pytest.raises(ValueError, match=r"expected 515 pieces, got 516 \(.*other.txt\)"):
        load_words(head.model_copy(update={"vocabulary": str(other)}), "", BACKBONE)
    with pytest.raises(WeightsError, match=r"text.pth is no vision head"):
        load_words(head.model_copy(update={"weights": head.text}), "", BACKBONE)
    with pytest.raises(ValueError, match="at most 75 pieces"):
        load_words(head.model_copy(update={"classes": {"a": "word " * 80, "b": "b"}}), "", BACKBONE)


def test_what_it_finds_wrong_with_itself(head: WordsHead) -> None:
    assert not list(head.mistakes())
    (lonely,) = head.model_copy(update={"classes": {"forklift": "a forklift"}}).mistakes()
    assert lonely[0] == ("classes",)
    assert "two classes or more" in lonely[1]
    silent = head.model_copy(update={"classes": {"a": " ", "b": (), "c": ("c", "")}}).mistakes()
    assert [place for place, _ in silent] == [("classes", "a"), ("classes", "b"), ("classes", "c")]
    assert [key for key, _, _ in head.files()] == ["weights", "text", "vocabulary"]
