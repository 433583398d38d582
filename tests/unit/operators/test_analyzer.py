"""The analyzer on a small random backbone; the empty view is crafted from its own samples, so every number is known."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import build, random_tensors
from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times
from operators.heads.base import FrameTokens
from operators.heads.config import DepthHead, EmbeddingHead, HeadSection, KnnHead, SimilarityHead
from operators.heads.depth_linear import DepthAbout, DepthLinear, HeadMismatchError
from operators.heads.embedding import pool
from operators.heads.kinds import HEAD_KINDS, HeadKind
from operators.results import Label, ViewSample
from operators.retrieval.bank import Bank
from operators.retrieval.vectors import SpaceMismatchError, VectorSet
from operators.scene.config import ViewConfig
from operators.scene.empty_view import EmptyView

SHAPE, OTHER = (112, 140), (112, 112)
GRID = (8, 10)
ARCH = replace(ARCHITECTURES["dinov2_vits14"], depth=3)
VIEW = ViewConfig(hfov=70.0, height=3.0, pitch=25.0)
HEADS = {
    "embedding": EmbeddingHead(kind="embedding"),
    "depth": DepthHead(kind="depth"),
    "vehicles": KnnHead(kind="knn", bank="banks/vehicles"),
    "wanted": SimilarityHead(kind="similarity", pictures="pictures"),
}
DOCK = CameraSpec("dock", SHAPE, ("embedding", "depth", "vehicles"), VIEW, {"edge": "here"})
YARD = CameraSpec("yard", OTHER, ("vehicles", "wanted"))
UNPOSED = CameraSpec("unposed", SHAPE, ("depth", "vehicles"), None, {"edge": "here"})
TIMES = Times(rule_time_ns=1, ingest_ns=1, capture_ns=1, capture_clock="arrival", capture_uncertainty_ns=0)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(build(ARCH, random_tensors(ARCH, 1), "hub_offset"), "fp32")


def depth_head(fingerprint: str) -> DepthLinear:
    about = DepthAbout("log", (1, 2), 100.0, (0.5, 40.0), fingerprint)
    weight = 0.002 * np.random.Generator(np.random.PCG64(3)).standard_normal((1, 4 * 384)).astype(np.float32)
    return DepthLinear(weight, np.array([1.5], np.float32), about)


def picture(seed: int, shape=SHAPE) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (*shape, 3), dtype=np.uint8)


def item(spec: CameraSpec = DOCK, seq: int = 1, seed: int = 1, **fields) -> Item:
    placement = Placement(spec.shape, spec.shape, (1.0, 1.0))
    return Item(Ticket(spec.camera, 1, 1, seq), TIMES, placement, picture(seed, spec.shape), **fields)


class Artefacts(dict):
    """Counts loads."""

    loads: int = 0

    def load(self, name: str) -> bytes:
        self.loads += 1
        return self[name]


@pytest.fixture
def artefacts() -> Artefacts:
    return Artefacts()


@pytest.fixture
def analyzer(engine: Engine, artefacts: Artefacts) -> Analyzer:
    return Analyzer(
        engine, HEADS, (DOCK, YARD, UNPOSED), artefacts.load, {"depth": depth_head(engine.backbone.fingerprint)}
    )


def view_with(sample: ViewSample, thing: np.ndarray | None, made_by: str) -> bytes:
    """A learnt view in which the patches of `thing` were 30 % farther and looked otherwise."""
    assert sample.log_depth is not None
    there = np.zeros(GRID, bool) if thing is None else thing
    tokens = np.where(there.ravel()[:, None], -sample.tokens, sample.tokens)[None]
    depth = sample.log_depth.astype(np.float32) + 0.3 * there
    return EmptyView(depth, tokens, np.full(tokens.shape[1], 0.1, np.float32), 2, made_by).to_bytes()


def thing() -> np.ndarray:
    mask = np.zeros(GRID, bool)
    mask[3:6, 4:6] = True
    return mask


def bank_of(engine: Engine, patches: np.ndarray, mask: np.ndarray, *, with_masks: bool = True) -> bytes:
    """Two classes: forklift is what stands under `mask`, person is its opposite."""
    backbone, vector = engine.backbone, pool(patches, mask)
    noise = 0.02 * np.random.Generator(np.random.PCG64(9)).standard_normal((4, len(vector))).astype(np.float32)
    vectors = np.stack([vector, vector, -vector, -vector]) + noise
    labels = np.array([0, 0, 1, 1])
    pooled = VectorSet.of(backbone.space(SHAPE, tap="patches", pooling="mask_mean"), vectors, labels)
    cls = VectorSet.of(backbone.space(SHAPE), -vectors, labels)
    return Bank(("forklift", "person"), cls, pooled if with_masks else None).to_bytes()


def prepared(engine: Engine, analyzer: Analyzer, artefacts: Artefacts, *, with_masks: bool = True) -> Item:
    sample = analyzer.analyze([item(wants_view_sample=True)])[0].view_sample
    assert sample is not None
    patches = engine.run(picture(1)[None]).patches[0]
    artefacts["view/dock@1"] = view_with(sample, thing(), engine.backbone.fingerprint)
    artefacts["view/dock@2"] = view_with(sample, None, engine.backbone.fingerprint)
    artefacts["head/vehicles@1"] = bank_of(engine, patches, thing(), with_masks=with_masks)
    return item(artefacts=("view/dock@1", "head/vehicles@1"))


def test_embedding_is_the_class_token_of_length_one(engine: Engine, analyzer: Analyzer) -> None:
    found = analyzer.analyze([item()])[0]
    cls = engine.run(picture(1)[None]).cls[0]
    assert found.embedding is not None
    assert found.embedding.dtype == np.float16
    np.testing.assert_allclose(found.embedding, cls / np.linalg.norm(cls), atol=1e-3)
    assert found.space == engine.backbone.space(SHAPE) == analyzer.about.spaces["112x140"]
    assert (found.view, found.subjects, found.labels, found.preview, found.view_sample) == (None, (), (), None, None)


def test_results_keep_the_order_of_items_of_mixed_shapes(analyzer: Analyzer) -> None:
    items = [item(seq=1, seed=1), item(YARD, seq=2, seed=2), item(seq=3, seed=3), item(YARD, seq=4, seed=4)]
    together = analyzer.analyze(items)
    assert [each.ticket.seq for each in together] == [1, 2, 3, 4]
    for one, each in zip(together, items, strict=True):
        alone = analyzer.analyze([each])[0]
        assert one.space == alone.space
        if alone.embedding is not None:
            np.testing.assert_allclose(one.embedding, alone.embedding, atol=2e-3)
    assert together[1].embedding is None


def test_depth_is_scaled_by_the_cameras_focal_length(engine: Engine, analyzer: Analyzer) -> None:
    depth = analyzer.analyze([item()])[0].depth
    assert depth is not None
    head = depth_head(engine.backbone.fingerprint)
    taps = engine.run(picture(1)[None], (1, 2)).taps
    focal = 140 / 2 / np.tan(np.radians(35.0))
    expected = head.predict(taps, GRID)[0] * focal / 100.0
    np.testing.assert_allclose(depth.metres, expected, rtol=2e-3)
    assert depth.is_calibrated
    assert depth.head == "depth"
    assert depth.median == pytest.approx(float(np.nanmedian(expected)), rel=1e-3)


def test_a_head_fitted_for_the_view_wins_over_the_general_one(engine: Engine, artefacts: Artefacts) -> None:
    general = depth_head(engine.backbone.fingerprint)
    own = DepthLinear(np.zeros_like(general.weight), np.array([np.log(7.0)], np.float32), general.about)
    analyzer = Analyzer(engine, HEADS, (DOCK,), artefacts.load, {"depth": general, "depth@dock": own})
    depth = analyzer.analyze([item()])[0].depth
    assert depth is not None
    assert np.ptp(depth.metres.astype(np.float32)) == 0


def test_a_depth_head_of_other_weights_is_refused(engine: Engine, artefacts: Artefacts) -> None:
    with pytest.raises(HeadMismatchError, match="belongs to other weights"):
        Analyzer(engine, HEADS, (DOCK,), artefacts.load, {"depth": depth_head("f" * 64)})


def test_a_subject_is_found_and_labelled_by_its_own_patches(engine: Engine, analyzer: Analyzer, artefacts) -> None:
    found = analyzer.analyze([prepared(engine, analyzer, artefacts)])[0]
    assert (found.view, found.view_lights) == ("view/dock@1", 2)
    assert len(found.subjects) == 1
    subject = found.subjects[0]
    np.testing.assert_array_equal(subject.mask, thing())
    assert [label.name for label in subject.labels] == ["forklift"]
    assert subject.distances[0].line == "edge"
    assert found.labels[0].head == "vehicles"
    assert not found.labels[0].is_empty


def test_one_group_that_the_bank_calls_two_things_is_two_subjects(engine: Engine, analyzer: Analyzer, artefacts):
    group, left = np.zeros(GRID, bool), np.zeros(GRID, bool)
    group[3:6, 2:8] = left[3:6, 2:5] = True
    sample = analyzer.analyze([item(wants_view_sample=True)])[0].view_sample
    assert sample is not None
    artefacts["view/dock@1"] = view_with(sample, group, engine.backbone.fingerprint)
    patches = engine.run(picture(1)[None]).patches[0]
    vectors = np.repeat(np.stack([pool(patches, left), pool(patches, group & ~left)]), 3, axis=0)
    noise = 0.01 * np.random.Generator(np.random.PCG64(9)).standard_normal(vectors.shape)
    space, labels = engine.backbone.space(SHAPE, tap="patches", pooling="mask_mean"), np.repeat([0, 1], 3)
    things = VectorSet.of(space, (vectors + noise).astype(np.float32), labels)
    whole = VectorSet.of(engine.backbone.space(SHAPE), vectors, labels)
    artefacts["head/vehicles@1"] = Bank(("forklift", "person"), whole, things).to_bytes()
    (found,) = analyzer.analyze([item(artefacts=("view/dock@1", "head/vehicles@1"))])
    by_name = {subject.labels[0].top[0][0]: subject for subject in found.subjects}
    assert sorted(by_name) == ["forklift", "person"]
    np.testing.assert_array_equal(by_name["forklift"].mask | by_name["person"].mask, group)
    assert (by_name["forklift"].mask & left).sum() > 6
    assert (by_name["person"].mask & left).sum() < 3


def test_a_camera_of_unknown_pose_has_subjects_with_labels_and_without_distances(
    engine: Engine, analyzer: Analyzer, artefacts
) -> None:
    named = prepared(engine, analyzer, artefacts)
    sample = analyzer.analyze([item(UNPOSED, wants_view_sample=True)])[0].view_sample
    assert sample is not None
    artefacts["view/unposed@1"] = view_with(sample, thing(), engine.backbone.fingerprint)
    wanted = item(UNPOSED, artefacts=("view/unposed@1", "head/vehicles@1"))
    posed, unposed = (analyzer.analyze([each])[0] for each in (named, wanted))
    (there,), (subject,) = posed.subjects, unposed.subjects
    np.testing.assert_array_equal(subject.mask, there.mask)
    assert subject.labels == there.labels
    assert (len(there.distances), subject.distances) == (1, ())
    assert unposed.depth is not None
    assert not unposed.depth.is_calibrated


def test_nothing_before_a_learnt_view_is_labelled_empty(engine: Engine, analyzer: Analyzer, artefacts) -> None:
    prepared(engine, analyzer, artefacts)
    found = analyzer.analyze([item(artefacts=("view/dock@2", "head/vehicles@1"))])[0]
    assert found.subjects == ()
    assert [(label.head, label.name) for label in found.labels] == [("vehicles", "empty")]


def test_without_masks_a_lone_subject_takes_the_frames_label(engine: Engine, analyzer: Analyzer, artefacts) -> None:
    found = analyzer.analyze([prepared(engine, analyzer, artefacts, with_masks=False)])[0]
    assert found.subjects[0].labels == found.labels


def test_a_bank_of_other_weights_and_a_view_of_other_weights_are_refused(engine, analyzer, artefacts) -> None:
    wanted = prepared(engine, analyzer, artefacts)
    vectors = VectorSet.of("c" * 64, np.ones((2, 384)), np.array([0, 1]))
    artefacts["head/vehicles@2"] = Bank(("a", "b"), vectors).to_bytes()
    with pytest.raises(SpaceMismatchError, match="c" * 16):
        analyzer.analyze([item(artefacts=("head/vehicles@2",))])
    sample = analyzer.analyze([item(wants_view_sample=True)])[0].view_sample
    artefacts["view/dock@9"] = view_with(sample, None, "d" * 64)
    with pytest.raises(ValueError, match="was learnt with other weights"):
        analyzer.analyze([replace(wanted, artefacts=("view/dock@9",))])


def test_similarity_scores_are_cosines(engine: Engine, analyzer: Analyzer, artefacts: Artefacts) -> None:
    cls = engine.run(picture(2, OTHER)[None]).cls
    vectors = VectorSet.of(engine.backbone.space(OTHER), cls, np.array([0]))
    artefacts["head/wanted@1"] = Bank(("truck",), vectors).to_bytes()
    label = analyzer.analyze([item(YARD, seed=2, artefacts=("head/wanted@1",))])[0].labels[0]
    assert label.head == "wanted"
    assert label.top[0] == ("truck", pytest.approx(1.0, abs=1e-5))


class BrightHead(HeadSection):
    kind: str = "bright"


@dataclass(frozen=True)
class BrightLabels:
    """A kind that the code does not know: reads a block of its own, and applies bytes that are no bank."""

    name: str
    word: str
    blocks: frozenset[int] = frozenset({0})
    normed_blocks: frozenset[int] = frozenset({1})
    is_of_things: bool = True

    def off_recipe(self, shape: tuple[int, int]) -> str | None:
        return f"{shape[0]} is dim" if shape[0] < SHAPE[0] else None

    def of_frame(self, tokens: FrameTokens) -> Label:
        return Label(self.name, ((f"{self.word} {sorted(tokens.taps)} {sorted(tokens.normed)}", 1.0),))

    def of_subject(self, tokens: FrameTokens, mask: np.ndarray) -> Label | None:
        return Label(self.name, ((f"{self.word} {tokens.grid} {int(mask.sum())}", 1.0),))


def test_a_new_kind_of_head_is_one_row_of_the_table(engine, analyzer, artefacts, monkeypatch) -> None:
    kind = HeadKind(
        artefact=lambda _head, _engine, _shapes: b"",
        misfit=lambda _data, _engine, _shapes: None,
        build=lambda name, _head, data: BrightLabels(name, data.decode()),
    )
    monkeypatch.setitem(HEAD_KINDS, "bright", kind)
    wanted = prepared(engine, analyzer, artefacts)
    artefacts["head/light@1"] = b"bright"
    heads = {**HEADS, "light": BrightHead()}
    camera = replace(DOCK, heads=("depth", "light"))
    found = Analyzer(
        engine, heads, [camera], artefacts.__getitem__, {"depth": depth_head(engine.backbone.fingerprint)}
    ).analyze([replace(wanted, artefacts=("view/dock@1", "head/light@1"))])[0]
    assert [label.name for label in found.labels] == ["bright [0, 1, 2] [1]"]
    assert [label.name for label in found.subjects[0].labels] == [f"bright {GRID} {int(found.subjects[0].mask.sum())}"]


def test_preview_is_small_and_in_the_right_colours(analyzer: Analyzer) -> None:
    red = np.zeros((*SHAPE, 3), np.uint8)
    red[:, :, 0] = 200
    wanted = item(wants_preview=True)
    found = analyzer.analyze([Item(wanted.ticket, TIMES, wanted.placement, red, wants_preview=True)])[0].preview
    assert found is not None
    bgr = cv2.imdecode(np.frombuffer(found, np.uint8), cv2.IMREAD_COLOR)
    assert bgr[50, 50, 2] > 180
    assert bgr[50, 50, 0] < 30
    noisy = analyzer.analyze([wanted])[0].preview
    assert noisy is not None
    assert len(noisy) <= 16 * 1024


def test_a_thumbnail_comes_of_frames_that_show_something(
    engine: Engine, analyzer: Analyzer, artefacts: Artefacts
) -> None:
    wanted = replace(prepared(engine, analyzer, artefacts), wants_thumbnail=True)
    empty = replace(wanted, artefacts=("view/dock@2",))
    there, nobody, unlearnt = analyzer.analyze([wanted, empty, replace(wanted, artefacts=())])
    assert (len(there.subjects), there.preview is not None) == (1, True)
    assert (nobody.subjects, nobody.preview) == ((), None)
    assert (unlearnt.view, unlearnt.preview is not None) == (None, True)
    assert [each.shows_something for each in (there, nobody, unlearnt)] == [True, False, True]


def test_artefacts_are_loaded_once_and_lanes_agree(engine: Engine, analyzer: Analyzer, artefacts: Artefacts) -> None:
    wanted = prepared(engine, analyzer, artefacts)
    expected = analyzer.analyze([wanted])[0]
    loads, found = artefacts.loads, []
    threads = [threading.Thread(target=lambda: found.extend(analyzer.analyze([wanted]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert artefacts.loads == loads == 2
    assert len(found) == 4
    for each in found:
        np.testing.assert_allclose(each.embedding, expected.embedding, atol=1e-3)
        assert [subject.labels[0].name for subject in each.subjects] == ["forklift"]


def test_an_unknown_camera_is_named(analyzer: Analyzer) -> None:
    with pytest.raises(ValueError, match="unknown camera: expected one of dock, unposed, yard, got 'gate'"):
        analyzer.analyze([item(replace(DOCK, camera="gate"))])


def test_cameras_change_while_frames_are_analysed(engine: Engine, analyzer: Analyzer, artefacts: Artefacts) -> None:
    wanted = prepared(engine, analyzer, artefacts)
    before = analyzer.analyze([wanted])[0]
    loads = artefacts.loads
    gate = replace(DOCK, camera="gate", heads=("embedding",))
    analyzer.change((replace(DOCK, lines={"far": ((0.0, 9.0), (1.0, 9.0))}), gate, YARD, UNPOSED))
    after, fresh = analyzer.analyze([wanted, item(gate)])
    assert [each.line for each in before.subjects[0].distances] == ["edge"]
    assert [each.line for each in after.subjects[0].distances] == ["far"]
    assert (fresh.depth, fresh.embedding is not None) == (None, True)
    assert artefacts.loads == loads, "nothing is loaded again"
    analyzer.change((gate,))
    with pytest.raises(ValueError, match="unknown camera: expected one of gate, got 'dock'"):
        analyzer.analyze([wanted])


def test_about_and_warm_up(engine: Engine, analyzer: Analyzer) -> None:
    analyzer.warm_up()
    about = analyzer.about
    assert (about.name, about.fingerprint) == ("dinov2_vits14", engine.backbone.fingerprint)
    assert set(about.spaces) == {"112x112", "112x140"}
