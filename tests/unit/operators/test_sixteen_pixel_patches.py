"""A backbone whose patches are 16 pixels wide, through everything that lies on the patch grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import build, random_tensors
from operators.backbone.config import ModelConfig
from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times, fit
from operators.heads.config import DepthHead, EmbeddingHead, KnnHead
from operators.heads.fit_depth import depth_target
from operators.heads.fit_depth_maps import depth_truth, pixels_of
from operators.heads.fit_segment import segment_truth
from operators.heads.official_heads import official_head
from operators.results import ViewSample
from operators.retrieval.build_bank import LabelledPicture, build_bank
from operators.scene.config import ViewConfig
from operators.scene.empty_view import EmptyView
from operators.zones import zone_mask
from tests.unit.operators.test_analyzer import depth_head

ARCH = replace(ARCHITECTURES["dinov3_vits16"], depth=3)
SHAPE, GRID = (96, 160), (6, 10)
TIMES = Times(rule_time_ns=1, ingest_ns=1, capture_ns=1, capture_clock="arrival", capture_uncertainty_ns=0)
VIEW = ViewConfig(hfov=70.0, height=3.0, pitch=25.0)
DOCK = CameraSpec("dock", SHAPE, ("embedding", "depth", "vehicles"), VIEW, {"edge": "here"}, patch=16)
HEADS = {
    "embedding": EmbeddingHead(kind="embedding"),
    "depth": DepthHead(kind="depth"),
    "vehicles": KnnHead(kind="knn", bank="banks/vehicles"),
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(build(ARCH, random_tensors(ARCH, 1), "rotary"), "fp32")


def picture(seed: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def item(seed: int, *artefacts: str, **wants: bool) -> Item:
    placement = Placement(SHAPE, SHAPE, (1.0, 1.0))
    return Item(Ticket("dock", 1, 1, seed), TIMES, placement, picture(seed), artefacts, **wants)


def test_a_frame_has_depth_a_subject_and_labels_on_its_own_grid(engine: Engine) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[32:64, 64:96] = True  # two by two patches
    things = [LabelledPicture(label, picture(seed), mask, f"{label}/{seed}.jpg") for seed, label in enumerate("abab")]
    stored = {"head/vehicles@1": build_bank(things, engine, [SHAPE]).to_bytes()}
    analyzer = Analyzer(engine, HEADS, [DOCK], stored.__getitem__, {"depth": depth_head(engine.backbone.fingerprint)})
    learnt = analyzer.analyze([item(7, wants_view_sample=True)])[0]
    assert learnt.depth is not None
    assert learnt.depth.metres.shape == GRID
    assert learnt.view_sample is not None
    new = np.zeros(GRID, bool)
    new[2:5, 4:7] = True
    stored["view/dock@1"] = view_before(learnt.view_sample, new, engine.backbone.fingerprint)
    seen = analyzer.analyze([item(7, "view/dock@1", "head/vehicles@1")])[0]
    assert {subject.mask.shape for subject in seen.subjects} == {GRID}
    assert np.logical_or.reduce([subject.mask for subject in seen.subjects])[2:5, 4:7].all()
    assert {subject.labels[0].head for subject in seen.subjects} == {"vehicles"}
    assert seen.space != engine.backbone.space((112, 160))


def view_before(sample: ViewSample, new: np.ndarray, made_by: str) -> bytes:
    """A learnt view in which the patches of `new` were 30 % farther and looked otherwise."""
    assert sample.log_depth is not None
    tokens = np.where(new.ravel()[:, None], -sample.tokens, sample.tokens)[None]
    depth = sample.log_depth.astype(np.float32) + 0.3 * new
    return EmptyView(depth, tokens, np.full(tokens.shape[1], 0.1, np.float32), 2, made_by).to_bytes()


def test_pictures_that_the_patch_does_not_divide_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match=r"multiples of 16, got .*dinov3_vits16"):
        engine.run(np.zeros((1, 98, 140, 3), np.uint8))
    padded = engine.run(np.zeros((1, 98, 140, 3), np.uint8), is_padded=True)
    assert padded.patches.shape == (1, 7 * 9, ARCH.dim)


def test_zones_and_specs_lie_on_the_grid() -> None:
    assert DOCK.grid == GRID
    assert zone_mask(((0, 0), (0.5, 0), (0.5, 1), (0, 1)), DOCK.grid).sum() == 30


def test_truths_are_counted_by_patch() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[:16, :24] = 1
    truth = segment_truth(mask, fit(SHAPE, SHAPE), 2, 16)
    assert truth.patch == 16
    assert truth.shares[0].tolist() == [0, 256]  # more than a byte holds
    assert truth.shares[1].tolist() == [128, 128]
    metres = np.where(mask == 1, 2.0, 0.0).astype(np.float32)
    known = depth_truth(metres, fit(SHAPE, SHAPE), None, 16).log_depth
    assert known.shape == GRID
    assert np.isfinite(known).sum() == 2
    assert pixels_of(np.isfinite(known), SHAPE).sum() == 2 * 256
    of_mover = depth_target(Rendered(mask, metres + 1), fit(SHAPE, SHAPE), 16)
    assert of_mover.mover_share[0, :3].tolist() == [1.0, 0.5, 0.0]


class Rendered:
    """What depth is fitted on."""

    def __init__(self, kinds: np.ndarray, depth: np.ndarray) -> None:
        self.rgb, self.depth, self.kind_map = np.zeros((*SHAPE, 3), np.uint8), depth, kinds


def test_shapes_left_out_are_those_of_the_backbone() -> None:
    assert ModelConfig().shapes == ARCHITECTURES["dinov2_vits14"].usual_shapes
    wide = ModelConfig.model_validate({"backbone": "dinov3_vitb16"})
    assert wide.shapes == ((224, 400), (224, 304), (224, 224))
    assert wide.patch == 16
    given = ModelConfig.model_validate({"backbone": "dinov3_vitb16", "shapes": ["96x160"]})
    assert given.shapes == (SHAPE,)


def test_heads_published_for_dinov2_are_not_for_dinov3() -> None:
    with pytest.raises(ValueError, match="no imagenet_linear is published for dinov3_vits16"):
        official_head("imagenet_linear", "dinov3_vits16")
