"""One pass for all heads: the backbone runs once a batch, each head sees its own frames, and points find their source.

The files of Meta's layouts and the weights in them are made here, on a backbone of three blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, cast

import numpy as np
import pytest

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.architectures import DINOV2_PATCH as PATCH
from operators.backbone.checkpoints import build, random_tensors
from operators.backbone.engine import EngineOutput
from operators.backbone.preprocess import place
from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times
from operators.heads.base import FrameTokens
from operators.heads.classify_linear import ClassifyLinear
from operators.heads.config import ClassifyHead, DepthHead, EmbeddingHead, SegmentHead
from operators.heads.depth_about import DepthAbout
from operators.heads.depth_linear import DepthLinear
from operators.heads.head_about import HeadAbout
from operators.heads.kinds import HEAD_KINDS
from operators.heads.segment import PatchSegments, SegmentLinear
from operators.results import Segments
from operators.scene.config import ViewConfig
from pipeline.frame_path.owner.model_picture import model_picture
from pipeline.sources.picture import ArrayPicture

SHAPE, GRID = (56, 98), (4, 7)
ARCH = replace(ARCHITECTURES["dinov2_vits14"], depth=3)
TIMES = Times(rule_time_ns=1, ingest_ns=1, capture_ns=1, capture_clock="arrival", capture_uncertainty_ns=0)
HEADS = {
    "embedding": EmbeddingHead(kind="embedding"),
    "metres": DepthHead(kind="depth", checkpoint="heads/depth.safetensors"),
    "scene": SegmentHead(kind="segment", checkpoint="heads/segment.safetensors"),
    "things": ClassifyHead(kind="classify", checkpoint="heads/classify.safetensors"),
}
CAMERAS = {
    "all": CameraSpec("all", SHAPE, tuple(HEADS), ViewConfig(hfov=70.0, height=3.0, pitch=25.0)),
    "depth": CameraSpec("depth", SHAPE, ("metres",)),
    "segment": CameraSpec("segment", SHAPE, ("scene",)),
    "classify": CameraSpec("classify", SHAPE, ("things",)),
    "vector": CameraSpec("vector", SHAPE, ("embedding",)),
    "tall": CameraSpec("tall", (98, 56), ("embedding", "scene")),
}


@dataclass
class CountingEngine:
    """The real engine; remembers what it was asked for."""

    inner: Engine
    calls: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    """(pictures, raw blocks, normed blocks) of each pass."""

    @property
    def backbone(self):
        return self.inner.backbone

    def run(self, pixels: np.ndarray, taps: Sequence[int] = (), normed: Sequence[int] = ()) -> EngineOutput:
        self.calls.append((len(pixels), tuple(taps), tuple(normed)))
        return self.inner.run(pixels, taps, normed=normed)


@pytest.fixture(scope="module")
def inner() -> Engine:
    return Engine(build(ARCH, random_tensors(ARCH, 1), "hub_offset"), "fp32")


@pytest.fixture
def engine(inner: Engine) -> CountingEngine:
    return CountingEngine(inner)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype(np.float32)


def depth_head(fingerprint: str) -> DepthLinear:
    about = DepthAbout("bins", (0, 1), 100.0, (0.001, 10.0), fingerprint)
    return DepthLinear(0.05 * normal(1, 256, 4 * ARCH.dim), normal(2, 256), about)


def segment_head(fingerprint: str) -> SegmentLinear:
    about = HeadAbout("patches", ("wall", "floor", "sky"), (1, 2), fingerprint, short_side=512)
    return SegmentLinear(0.1 * normal(3, 3, 2 * ARCH.dim), np.zeros(3, np.float32), about)


def classify_head(fingerprint: str) -> ClassifyLinear:
    about = HeadAbout("cls_mean", tuple("abcdefg"), (2,), fingerprint)
    return ClassifyLinear(0.1 * normal(4, 7, 2 * ARCH.dim), np.zeros(7, np.float32), about)


def analyzer(engine: CountingEngine, **cameras: CameraSpec) -> Analyzer:
    fingerprint = engine.backbone.fingerprint
    artefacts = {
        "head/scene@1": segment_head(fingerprint).to_bytes(),
        "head/things@1": classify_head(fingerprint).to_bytes(),
    }
    specs = list((CAMERAS | cameras).values())
    return Analyzer(cast("Engine", engine), HEADS, specs, artefacts.__getitem__, {"metres": depth_head(fingerprint)})


def picture(seed: int, size: tuple[int, int] = SHAPE) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (*size, 3), dtype=np.uint8)


def item(camera: str, seq: int, shape: tuple[int, int] = SHAPE) -> Item:
    placement = Placement(shape, shape, (1.0, 1.0))
    versions = ("head/scene@1", "head/things@1")
    return Item(Ticket(camera, 1, 1, seq), TIMES, placement, picture(seq, shape), artefacts=versions)


def test_a_batch_of_cameras_with_different_heads_is_one_pass(engine: CountingEngine) -> None:
    items = [item(camera, seq) for seq, camera in enumerate(("all", "depth", "segment", "classify", "vector"))]
    found = analyzer(engine).analyze(items)
    assert engine.calls == [(5, (0, 1), (1, 2))], "five pictures, once, with the blocks of all heads"
    said = [
        (each.depth is not None, len(each.segments), len(each.labels), each.embedding is not None) for each in found
    ]
    assert said == [
        (True, 1, 1, True),
        (True, 0, 0, False),
        (False, 1, 0, False),
        (False, 0, 1, False),
        (False, 0, 0, True),
    ]


def test_one_pass_a_shape_and_no_block_that_nobody_reads(engine: CountingEngine) -> None:
    items = [item("vector", 1), item("tall", 2, (98, 56)), item("vector", 3), item("tall", 4, (98, 56))]
    found = analyzer(engine).analyze(items)
    assert engine.calls == [(2, (), ()), (2, (), (1, 2))]
    assert [each.ticket.seq for each in found] == [1, 2, 3, 4]


def test_a_frame_says_the_same_alone_and_among_others(engine: CountingEngine) -> None:
    one = analyzer(engine)
    items = [item(camera, seq) for seq, camera in enumerate(("depth", "all", "vector", "all"))]
    together = one.analyze(items)
    for row in (1, 3):
        alone = one.analyze([items[row]])[0]
        assert together[row].depth is not None
        assert alone.depth is not None
        np.testing.assert_allclose(together[row].depth.metres, alone.depth.metres, rtol=2e-3)
        np.testing.assert_array_equal(together[row].segments[0].indices, alone.segments[0].indices)
        assert together[row].labels[0].name == alone.labels[0].name
        np.testing.assert_allclose(together[row].embedding, alone.embedding, atol=2e-3)
    assert not np.array_equal(together[1].segments[0].indices, together[3].segments[0].indices)


def test_each_head_says_what_its_own_arithmetic_says_of_that_frame(engine: CountingEngine) -> None:
    items = [item("vector", 0), item("all", 1), item("segment", 2)]
    found = analyzer(engine).analyze(items)[1]
    out, fingerprint = engine.inner.run(items[1].pixels[None], (0, 1), normed=(1, 2)), engine.backbone.fingerprint
    indices = segment_head(fingerprint).predict(out.normed, GRID)[0]
    np.testing.assert_array_equal(found.segments[0].indices, indices)
    assert dict(found.segments[0].shares) == {
        name: pytest.approx(float((indices == index).mean()))
        for index, name in enumerate(("wall", "floor", "sky"))
        if (indices == index).any()
    }
    assert found.segments[0].off_recipe == segment_head(fingerprint).about.off_recipe(SHAPE) != ""
    logits = classify_head(fingerprint).logits(np.concatenate([out.cls[0], out.patches[0].mean(axis=0)]))
    assert found.labels[0].top[0][0] == "abcdefg"[int(logits.argmax())]
    focal = SHAPE[1] / 2 / np.tan(np.radians(35.0))
    metres = depth_head(fingerprint).predict(out.taps, GRID, focal)[0]
    assert found.depth is not None
    np.testing.assert_allclose(found.depth.metres, metres, rtol=2e-3)


class SeenSegments(PatchSegments):
    """Remembers which frames it was shown, by their first patch."""

    seen: ClassVar[list[np.ndarray]] = []

    def of_frame(self, tokens: FrameTokens) -> Segments:
        self.seen.append(tokens.patches[0].copy())
        return PatchSegments.of_frame(self, tokens)


def test_a_head_is_shown_the_frames_of_its_cameras_alone(engine: CountingEngine, monkeypatch) -> None:
    kind = replace(
        HEAD_KINDS["segment"], build=lambda name, _head, data: SeenSegments(name, SegmentLinear.from_bytes(data))
    )
    monkeypatch.setitem(HEAD_KINDS, "segment", kind)
    monkeypatch.setattr(SeenSegments, "seen", [])
    items = [item(camera, seq) for seq, camera in enumerate(("depth", "segment", "vector", "all", "classify"))]
    analyzer(engine).analyze(items)
    first = engine.inner.run(np.stack([each.pixels for each in items])).patches[:, 0]
    assert len(SeenSegments.seen) == 2
    for seen, row in zip(SeenSegments.seen, (1, 3), strict=True):
        np.testing.assert_allclose(seen, first[row], rtol=1e-4, atol=1e-5)


SQUARE = (slice(300, 400), slice(500, 640))
"""Rows and columns of what stands out in a picture of 720 x 1280; it covers two by two patches or more."""


def with_square(size: tuple[int, int]) -> np.ndarray:
    pixels = np.full((*size, 3), 40, np.uint8)
    pixels[SQUARE] = 230
    return pixels


def source_of(placement: Placement, patches: np.ndarray) -> tuple[float, float]:
    """(y, x) in pixels of the source of the middle of the patches under a mask."""
    rows, columns = np.nonzero(patches)
    centre = (PATCH * (rows.mean() + 0.5), PATCH * (columns.mean() + 0.5))
    y, x = (placement.offset[axis] + placement.scale[axis] * centre[axis] for axis in (0, 1))
    return float(y), float(x)


@pytest.mark.parametrize("way", ["file", "live", "squashed"])
@pytest.mark.parametrize(
    ("size", "shape"),
    [((720, 1280), (224, 392)), ((720, 960), (224, 392)), ((720, 1280), (224, 224)), ((1280, 960), (224, 294))],
    ids=["16:9", "4:3 into wide", "16:9 into square", "portrait into 4:3"],
)
def test_what_a_patch_says_is_said_of_its_place_in_the_source(size, shape, way: str, engine: CountingEngine) -> None:
    """From source pixels through a placement, the pass and a head, and back to source pixels."""
    pixels = with_square(size)
    match way:
        case "file":
            small, placement = place(pixels, shape)
        case "live":
            small, placement = model_picture(ArrayPicture(pixels), shape, ())
        case _:
            small = ArrayPicture(pixels).rgb(shape)
            placement = Placement(size, shape, (size[0] / shape[0], size[1] / shape[1]))
    camera = CameraSpec("view", shape, ("scene",))
    wanted = Item(Ticket("view", 1, 1, 1), TIMES, placement, small, artefacts=("head/scene@2",))
    head = telling(engine.inner, small)
    one = Analyzer(cast("Engine", engine), HEADS, [camera], {"head/scene@2": head.to_bytes()}.__getitem__, {})
    found = one.analyze([wanted])[0]
    y, x = source_of(found.placement, found.segments[0].indices == 1)
    tolerance = PATCH * max(placement.scale) / 2
    assert y == pytest.approx((SQUARE[0].start + SQUARE[0].stop) / 2, abs=tolerance)
    assert x == pytest.approx((SQUARE[1].start + SQUARE[1].stop) / 2, abs=tolerance)


def telling(engine: Engine, pixels: np.ndarray) -> SegmentLinear:
    """A head that tells the bright patches of this very picture from the dark ones."""
    tokens = engine.run(pixels[None], normed=(0,)).normed[0][1][0]  # (N, D)
    grid = (pixels.shape[0] // PATCH, pixels.shape[1] // PATCH)
    luma = pixels.reshape(grid[0], PATCH, grid[1], PATCH, 3).mean(axis=(1, 3, 4)).ravel()
    bright = luma > (luma.min() + luma.max()) / 2
    with_one = np.concatenate([tokens, np.ones((len(tokens), 1), np.float32)], axis=1)
    solution = np.linalg.lstsq(with_one, np.where(bright, 1.0, -1.0), rcond=1e-3)[0].astype(np.float32)
    weight, bias = np.stack([-solution[:-1], solution[:-1]]), np.array([-solution[-1], solution[-1]])
    about = HeadAbout("patches", ("dark", "bright"), (0,), engine.backbone.fingerprint)
    return SegmentLinear(weight, bias.astype(np.float32), about)
