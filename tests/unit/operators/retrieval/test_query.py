from __future__ import annotations

import numpy as np
import pytest

from operators.backbone import Engine, load_backbone
from operators.retrieval.query import embed_query, figure
from operators.retrieval.vectors import unit

SHAPES = ((56, 98), (56, 56))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_backbone("dinov2_vits14", "random"), "fp32")


def test_the_figure_of_a_box_is_what_is_unlike_its_surroundings() -> None:
    rng = np.random.default_rng(3)
    ground, thing = rng.standard_normal((2, 32))
    is_thing = np.zeros((6, 8), bool)
    is_thing[2:4, 3:5] = True
    patches = np.where(is_thing.reshape(-1, 1), thing, ground) + 0.1 * rng.standard_normal((48, 32))
    box = np.zeros((6, 8), bool)
    box[2:4, 2:6] = True  # half of it is ground
    assert (figure(patches, box) == is_thing).all()
    everything = np.ones((6, 8), bool)
    assert figure(patches, everything).all()
    one = np.zeros((6, 8), bool)
    one[0, 0] = True
    assert figure(patches, one).sum() == 1


def test_a_picture_is_embedded_as_a_camera_s_frame_is(engine: Engine) -> None:
    rgb = np.random.default_rng(4).integers(0, 255, (56, 98, 3), np.uint8)
    vectors = embed_query(engine, rgb, SHAPES, (0.0, 0.0, 1.0, 1.0))
    out = engine.run(rgb[None])
    assert np.abs(vectors.frame - unit(out.cls[0])).max() < 1e-6
    assert np.abs(vectors.subject - unit(out.patches[0].mean(axis=0))).max() < 1e-6
    backbone = engine.backbone
    assert vectors.frame_space == backbone.space((56, 98))
    assert vectors.subject_space == backbone.space((56, 98), tap="patches", pooling="mask_mean")
    assert np.linalg.norm(vectors.subject) == pytest.approx(1.0, abs=1e-6)


def test_a_box_counts(engine: Engine) -> None:
    rgb = np.random.default_rng(4).integers(0, 255, (56, 98, 3), np.uint8)
    whole, left, right = (
        embed_query(engine, rgb, SHAPES, box).subject for box in (None, (0.0, 0.0, 0.4, 1.0), (0.6, 0.0, 1.0, 1.0))
    )
    assert float(whole @ left) < 0.999
    assert float(left @ right) < 0.999


def test_without_a_box_the_thing_is_what_is_unlike_the_picture_s_edge(engine: Engine) -> None:
    rng = np.random.default_rng(5)
    rgb = rng.integers(90, 110, (112, 196, 3), np.uint8)
    is_thing = np.zeros((8, 14), bool)
    is_thing[3:6, 5:8] = True
    thing = np.repeat(np.repeat(is_thing, 14, axis=0), 14, axis=1)
    rgb[thing] = rng.integers(0, 255, (int(thing.sum()), 3), np.uint8)
    patches = engine.run(rgb[None]).patches[0]
    wanted = unit(patches[is_thing.ravel()].mean(axis=0))
    asked = embed_query(engine, rgb, ((112, 196),), None).subject
    assert float(asked @ wanted) > 0.97
    assert float(asked @ wanted) > float(unit(patches.mean(axis=0)) @ wanted) + 0.01
    smallest = embed_query(engine, rgb[:14, :28], ((14, 28),), None).subject
    np.testing.assert_allclose(smallest, unit(engine.run(rgb[None, :14, :28]).patches[0].mean(axis=0)), atol=1e-5)


def test_a_box_in_what_is_cut_off_is_refused(engine: Engine) -> None:
    rgb = np.zeros((56, 400, 3), np.uint8)  # far wider than any shape
    with pytest.raises(ValueError, match="cut off the picture's edges"):
        embed_query(engine, rgb, SHAPES, (0.0, 0.0, 0.1, 1.0))
