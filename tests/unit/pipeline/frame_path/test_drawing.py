from __future__ import annotations

import cv2
import numpy as np
import pytest

from operators.frames import Placement
from operators.geometry import FloorCamera, beside_line, signed_distance
from operators.preview import MAX_BYTES, preview_jpeg
from operators.scene.config import ViewConfig
from pipeline.frame_path.drawing import Sight, draw
from pipeline.frame_path.owner.full_size import FullSize, evidence
from pipeline.frame_path.owner.model_picture import model_picture
from pipeline.frame_path.publisher.alert_drawing import drawn_preview
from pipeline.messages import Drawing, FloorMark, Outline, PictureWanted
from pipeline.sources.picture import ArrayPicture
from tests.fakes import ticket

VIEW = ViewConfig(hfov=74.0, height=3.4, pitch=24.0)
PLAIN = Sight(None)


def gray(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 60, np.uint8)


def changed(drawn: np.ndarray) -> np.ndarray:
    return (drawn != 60).any(axis=2)


def test_what_an_alert_asks_for_is_drawn_on_a_copy():
    plain = gray(120, 200)
    drawing = Drawing("forklift 2.9 m", counting=(Outline((0.25, 0.25, 0.75, 0.75)),))
    drawn = draw(plain, drawing, PLAIN)
    assert plain.min() == plain.max() == 60
    box = drawn[30, 100].astype(int)
    assert box[0] > 180, "red leads"
    assert box[2] < 120, "blue follows: the picture is RGB"
    wanted = PictureWanted("e", ticket(0), drawing)
    seen = cv2.imdecode(np.frombuffer(evidence(wanted, FullSize(plain)).jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(seen.astype(int) - drawn).mean() < 12, "red and blue are not swapped on the way"
    assert np.abs(seen[:, :, ::-1].astype(int) - drawn).mean() > np.abs(seen.astype(int) - drawn).mean()
    assert np.linalg.norm(seen[30, 100].astype(int) - box) < 60
    assert evidence(wanted, None).jpeg == b""


def test_the_subject_that_counts_stands_out_among_the_others():
    box = (0.25, 0.25, 0.75, 0.75)
    others = changed(draw(gray(720, 1280), Drawing("", boxes=(box,)), PLAIN))
    counting = changed(draw(gray(720, 1280), Drawing("", counting=(Outline(box),)), PLAIN))
    assert counting.sum() > 2 * others.sum() > 0
    tagged = changed(draw(gray(720, 1280), Drawing("", counting=(Outline(box, "forklift 2.9 m"),)), PLAIN))
    above = tagged[:170] & ~counting[:170]
    assert above.sum() > 3000, "its distance stands above it"


@pytest.mark.parametrize(("height", "width"), [(360, 640), (720, 1280), (480, 640)])
def test_the_threshold_lies_where_the_floor_is_that_far(height, width):
    pixels, placement = model_picture(ArrayPicture(gray(height, width)), (224, 392), ())
    drawing = Drawing("", floor=(FloorMark("here", 5.0, is_threshold=True),))
    drawn = changed(draw(gray(height, width), drawing, Sight(placement, VIEW)))
    rows = np.flatnonzero(drawn.any(axis=1))
    row, _ = FloorCamera(VIEW, (height, width)).pixel_of(np.zeros(1), np.full(1, 5.0))
    assert rows.min() - 2 <= row[0] <= rows.max() + 3
    assert rows.max() - rows.min() < height / 60, "it is one level line"
    small = changed(draw(pixels, drawing, Sight(placement, VIEW, is_source=False)))
    model_rows = np.flatnonzero(small.any(axis=1)) * placement.scale[0] + placement.offset[0]
    assert abs(model_rows.mean() - rows.mean()) < 2 * placement.scale[0]


def test_a_box_of_the_model_picture_lies_where_the_source_shows_it():
    source = gray(480, 640)
    source[200:280, 400:480] = 200
    pixels, placement = model_picture(ArrayPicture(source), (224, 392), ())
    rows, columns = np.nonzero((pixels > 130).all(axis=2))
    box = (columns.min() / 392, rows.min() / 224, (columns.max() + 1) / 392, (rows.max() + 1) / 224)
    drawn = draw(source, Drawing("", boxes=(box,)), Sight(placement))
    rows, columns = np.nonzero((drawn != source).any(axis=2))
    assert abs(np.array([rows.min(), rows.max(), columns.min(), columns.max()]) - (200, 280, 400, 480)).max() <= 3
    assert placement.offset[0] > 50, "much was cut off"


def test_without_a_view_nothing_lies_on_the_floor():
    drawing = Drawing("", floor=(FloorMark("here", 3.0, "limit", is_threshold=True),))
    assert not changed(draw(gray(360, 640), drawing, PLAIN)).any()
    behind = Drawing("", floor=(FloorMark("here", -40.0, "limit"),))
    assert not changed(draw(gray(360, 640), behind, Sight(None, VIEW))).any()


@pytest.mark.parametrize("width", [160, 392, 1920])
def test_a_long_sentence_stays_in_the_picture(width):
    drawn = draw(gray(width * 9 // 16, width), Drawing("dock-03: forklift 2.9 m from the dock " * 3), PLAIN)
    bright = np.flatnonzero((drawn > 150).all(axis=2).any(axis=0))
    assert bright.size
    assert bright.max() < 0.995 * width


@pytest.mark.parametrize(
    "line", ["here", ((-3.0, 5.0), (2.0, 7.0)), ((2.0, 7.0), (-3.0, 5.0)), ((1.0, 0.0), (1.0, 4.0))]
)
@pytest.mark.parametrize("metres", [0.0, 2.5, -1.0])
def test_points_beside_a_line_are_as_far_as_asked(line, metres):
    x, y = beside_line(line, metres, np.linspace(-5, 5, 3))
    assert signed_distance(x, y, line) == pytest.approx(metres, abs=1e-9)


def test_a_line_of_one_point_is_none():
    with pytest.raises(ValueError, match="two different floor points"):
        beside_line(((1.0, 1.0), (1.0, 1.0)), 0.0, np.zeros(1))


def test_a_preview_with_a_drawing_stays_small():
    noise = np.random.default_rng(3).integers(0, 256, (224, 392, 3), dtype=np.uint8)
    sight = Sight(Placement((720, 1280), (224, 392), (3.2, 3.27)), VIEW, is_source=False)
    drawing = Drawing("dock-03: forklift 2.9 m", counting=(Outline((0.2, 0.2, 0.8, 0.8), "forklift 2.9 m"),))
    drawn = drawn_preview(preview_jpeg(noise), drawing, sight)
    assert drawn is not None
    assert len(drawn) <= MAX_BYTES
    assert cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR) is not None
    assert drawn_preview(b"no picture", drawing, sight) is None
