"""What is drawn: the right colours and words at known places."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from operators.feature_colours import fit_colours
from operators.frames import Placement, fit
from pipeline.cli.pictures.depth import (
    coloured,
    draw_depth,
    draw_inverse,
    draw_scale,
    inverse_map,
    scale_ends,
    ticks,
    upsampled,
)
from pipeline.cli.pictures.features import feature_map
from pipeline.cli.pictures.hatching import DARK, LIGHT, hatch
from pipeline.cli.pictures.kept import KeptPictures
from pipeline.cli.pictures.lettering import LINE, PAPER, save, shortened, text_width, titled, wrapped, write
from pipeline.cli.pictures.neighbours import Likeness, draw_neighbours, nearest
from pipeline.cli.pictures.overview import ROWS, Overview
from pipeline.cli.pictures.panels import GAP, below, beside, contact_sheet, panel_size, seen_part
from pipeline.cli.pictures.segments import class_colour, draw_legend, draw_segments, tinted

INFERNO = cv2.applyColorMap(np.arange(256, dtype=np.uint8).reshape(-1, 1), cv2.COLORMAP_INFERNO)[:, 0, ::-1]
FAR, NEAR = INFERNO[0], INFERNO[255]


def flat(value: int, size=(90, 160)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def is_hatched(rgb: np.ndarray) -> bool:
    return set(np.unique(rgb)) == {DARK, LIGHT}


# depth


def test_near_is_bright_far_is_dark_and_what_is_unknown_is_striped() -> None:
    metres = np.array([[2.0, 4.0], [8.0, np.nan]], np.float32)
    drawn = coloured(np.kron(metres, np.ones((20, 20), np.float32)), (2.0, 8.0))
    assert drawn[5, 5].tolist() == NEAR.tolist()
    assert drawn[30, 5].tolist() == FAR.tolist()
    middle = INFERNO[128].astype(int)  # 4 lies in the middle of 2 to 8 on a logarithmic scale
    assert np.abs(drawn[5, 30] - middle).max() <= 2
    assert is_hatched(drawn[22:, 22:])


def test_beyond_the_scale_its_end_colours_are_shown() -> None:
    drawn = coloured(np.array([[0.5, 80.0]], np.float32), (2.0, 8.0))
    assert drawn[0].tolist() == [NEAR.tolist(), FAR.tolist()]


def test_lightness_falls_evenly_from_near_to_far() -> None:
    drawn = coloured(np.geomspace(2, 8, 64, dtype=np.float32)[None], (2.0, 8.0))
    light = cv2.cvtColor(drawn, cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert (np.diff(light) <= 0).all()


def test_the_scale_has_the_colours_of_the_map_and_its_ends_where_the_ticks_are() -> None:
    field = draw_scale((2.0, 8.0), 300, "m")
    bar = field[:, 15]
    rows = np.flatnonzero((bar != PAPER).any(axis=1))
    assert bar[rows[0]].tolist() == FAR.tolist()
    last = np.flatnonzero((bar == NEAR).all(axis=1))[-1]
    assert is_hatched(field[272:284, 8:30])
    assert (field[rows[0], 33] > 200).all()  # a tick at the far end
    assert (field[last, 33] > 200).all()  # and at the near end
    middle = (rows[0] + last) // 2
    assert np.abs(bar[middle].astype(int) - INFERNO[128]).max() <= 6


def test_scales_end_in_round_numbers_so_that_frames_of_a_scene_share_one() -> None:
    noisy = np.random.Generator(np.random.PCG64(1)).uniform(3.1, 9.7, (40, 40))
    assert scale_ends(noisy) == scale_ends(noisy * 1.01) == (3.0, 10.0)
    assert scale_ends(np.full((4, 4), np.nan)) is None
    assert scale_ends(np.full((4, 4), 2.0)) == (2.0, 3.0)


def test_ticks_are_apart_and_begin_and_end_with_the_scale() -> None:
    found = ticks((1.5, 20.0))
    assert found[0] == 1.5
    assert found[-1] == 20.0
    assert np.diff(np.log(found)).min() > 0.08 * np.log(20 / 1.5)
    assert 5.0 in found


def test_a_depth_figure_is_picture_map_and_scale() -> None:
    drawn = draw_depth(flat(90, (200, 480)), np.full((4, 8), 3.0), note="; not metres")
    title = drawn.shape[0] - 200
    assert (drawn[title:, :480] == 90).all()
    assert drawn.shape[1] > 2 * 480 + GAP + 80


def test_depth_without_a_valid_patch_says_so_and_is_striped() -> None:
    drawn = draw_depth(flat(90, (200, 480)), np.full((4, 8), np.nan))
    assert is_hatched(drawn[-100:, -200:])


def test_unknown_patches_stay_unknown_and_do_not_bleed() -> None:
    full = upsampled(np.array([[1.0, 2.0], [np.nan, 4.0]], np.float32), (8, 8))
    assert np.isnan(full[7, 0])
    assert full[0, 7] == pytest.approx(2.0)


def test_inverse_depth_is_bright_where_it_is_large_and_striped_where_it_is_not_known() -> None:
    values = np.array([[0.0, 10.0], [5.0, np.nan]], np.float32)
    shown = inverse_map(flat(0, (40, 40)), np.kron(values, np.ones((10, 10), np.float32)))
    assert shown[2, 2].tolist() == FAR.tolist()
    assert shown[2, 37].tolist() == NEAR.tolist()
    assert is_hatched(shown[24:, 24:])
    assert draw_inverse(flat(50, (40, 40)), values).shape[1] == 2 * 40 + GAP
    assert is_hatched(inverse_map(flat(0, (40, 40)), np.full((2, 2), np.nan)))


# segments


def test_segments_have_the_legends_colours_and_white_borders() -> None:
    indices = np.zeros((4, 8), np.uint8)
    indices[:, 4:] = 2
    rgb = flat(0, (100, 200))
    over = tinted(rgb, indices, 3)
    left, right = np.array(class_colour(0)), np.array(class_colour(2))
    assert np.abs(over[50, 20] - left * 0.55).max() <= 1
    assert np.abs(over[50, 180] - right * 0.55).max() <= 1
    assert over[50, 99].tolist() == [255, 255, 255]
    legend = draw_legend(["wall", "sky", "road"], [("road", 0.5), ("wall", 0.5)], 100)
    assert legend[4 + 10, 14].tolist() == right.tolist()
    assert legend[4 + LINE + 10, 14].tolist() == left.tolist()


def test_a_full_map_is_drawn_like_a_grid() -> None:
    grid = np.zeros((2, 4), np.uint8)
    grid[:, 2:] = 1
    full = np.kron(grid, np.ones((50, 50), np.uint8))
    rgb = flat(30, (100, 200))
    assert np.array_equal(tinted(rgb, grid, 2), tinted(rgb, full, 2))


def test_the_legend_fits_its_names_and_counts_what_it_leaves_out(monkeypatch) -> None:
    written: list[str] = []
    monkeypatch.setattr("pipeline.cli.pictures.segments.write", lambda *given: written.append(given[1]))
    classes = [f"class {index}" for index in range(30)]
    draw_legend(classes, [(name, 1 / 30) for name in classes], 100)
    assert written == ["class 0  3 %", "class 1  3 %", "28 more  93 %"]
    written.clear()
    name = "swimming pool with a very long name indeed"
    field = draw_legend([name], [(name, 0.004)], 100)
    assert written == [f"{name}  0.4 %"]
    assert field.shape[1] <= 320


def test_neighbouring_classes_differ_clearly() -> None:
    colours = np.array([class_colour(index) for index in range(150)], int)
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 90
    assert len({tuple(each) for each in colours}) > 120


def test_a_segment_figure_holds_picture_overlay_and_legend() -> None:
    drawn = draw_segments(flat(50, (120, 300)), np.zeros((2, 3), np.uint8), ["floor"], [("floor", 1.0)], "segments: a")
    assert drawn.shape[1] > 2 * 300


# features


def test_features_colour_the_thing_and_dim_the_rest() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    grid = (10, 16)
    tokens = rng.normal(size=(160, 6)) * 0.05
    thing = np.zeros(grid, bool)
    thing[4:7, 6:10] = True
    tokens[thing.ravel()] += [5, 0, 0, 0, 0, 0]
    tokens[thing.ravel()] += rng.normal(size=(12, 6))
    colours = fit_colours(lambda: [(tokens, grid)])
    shown = feature_map(flat(200, (100, 160)), tokens, grid, colours)
    assert shown[5, 5].tolist() == [50, 50, 50]
    assert np.ptp(shown[45:65, 65:95].astype(int), axis=2).mean() > 30


# neighbours, sheets, words


def test_neighbours_are_of_other_moments_and_best_first() -> None:
    angles = np.radians([0, 1, 2, 30, 31, 80])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    times_ns = np.array([0, 1, 2, 30, 31, 80], np.int64)
    none = np.zeros(6, bool)
    assert [row for row, _ in nearest(vectors, 0, count=3, excluded=none, times_ns=times_ns, apart_ns=5)] == [3, 5]
    still = np.full(6, -1, np.int64)
    found = nearest(vectors, 0, count=3, excluded=none, times_ns=still, apart_ns=5)
    assert [row for row, _ in found] == [1, 2, 3]
    assert found[0][1] == pytest.approx(np.cos(angles[1]), abs=1e-6)
    excluded = np.array([False, True, True, True, True, True])
    assert nearest(vectors, 0, count=3, excluded=excluded, times_ns=still, apart_ns=5) == []


def test_a_strip_shows_the_picture_first_and_then_its_neighbours() -> None:
    likenesses = [Likeness(f"n{value}", flat(value, (90, 160)), 0.9) for value in (100, 150)]
    strip = draw_neighbours("me", flat(50, (90, 160)), likenesses, "most similar")
    middle = strip[strip.shape[0] - 60]
    assert middle[100].tolist() == [50] * 3
    assert middle[320 + 2 * GAP + 4 + 100].tolist() == [100] * 3
    assert middle[-100].tolist() == [150] * 3


def test_the_overview_keeps_its_memory_and_spans_the_run() -> None:
    overview = Overview()
    for index in range(1000):
        row = overview.next_row()
        if row is not None:
            row.add(str(index), flat(index % 200, (9, 16)))
    chosen = [row.index for row in overview.chosen()]
    assert len(chosen) == ROWS
    assert chosen[0] == 0
    assert chosen[-1] >= 500
    assert len(overview._rows) <= 2 * ROWS
    assert overview.draw() is not None
    assert Overview().draw() is None


def test_panels_keep_proportions_and_line_up() -> None:
    assert panel_size((2160, 3840)) == (720, 1280)
    assert panel_size((240, 320)) == (360, 480)
    assert panel_size((3000, 1000)) == (1280, 427)
    assert beside([flat(1, (10, 20)), flat(2, (30, 5))]).shape == (30, 25 + GAP, 3)
    assert below([flat(1, (10, 20)), flat(2, (30, 5))]).shape == (40 + GAP, 20, 3)
    sheet = contact_sheet([(str(value), flat(value, (9, 16))) for value in (10, 20, 30)], 2, (90, 160))
    assert sheet.shape == (2 * (90 + LINE + 4) + GAP, 2 * 160 + GAP, 3)
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([], 2, (9, 16))


def test_what_the_model_saw_is_cut_from_the_source() -> None:
    rgb = np.zeros((240, 424, 3), np.uint8)
    rgb[:, :2] = 255
    rgb[:, -2:] = 255
    placement = fit((240, 424), (224, 392))
    assert placement.offset == (0.0, 2.0)
    assert seen_part(rgb, placement).max() < 255
    whole = Placement((240, 424), (240, 424), (1.0, 1.0))
    assert seen_part(rgb, whole).max() == 255


def test_words_are_never_cut_off() -> None:
    long = "a title that is much longer than its picture is wide"
    assert text_width(shortened(long, 100)) <= 100
    assert shortened(long, 100).endswith("..")
    assert shortened("short", 100) == "short"
    assert all(text_width(line) <= 200 for line in wrapped(long, 200))
    assert " ".join(wrapped(long, 200)) == long
    assert titled(flat(0, (50, 200)), long).shape[0] == 50 + 4 + LINE * len(wrapped(long, 188))


def test_a_line_that_is_too_long_leaves_the_edge_alone() -> None:
    field = flat(0, (30, 120))
    write(field, "a line that is much too long for its field", 6, 2)
    assert field[:, 10:60].max() > 200
    assert field[:, -3:].max() == 0


def test_a_picture_appears_whole_and_in_the_right_colours(tmp_path: Path) -> None:
    path = save(tmp_path / "new/red.png", np.full((8, 8, 3), (200, 10, 20), np.uint8))
    assert cv2.imread(str(path))[0, 0].tolist() == [20, 10, 200]
    assert [each.name for each in path.parent.iterdir()] == ["red.png"]


def test_kept_pictures_go_with_the_block(tmp_path: Path) -> None:
    tokens = np.ones((6, 4), np.float16)
    with KeptPictures(tmp_path) as kept:
        assert kept.keep(np.full((28, 42, 3), (200, 10, 20), np.uint8), tokens, (2, 3)) == 0
        assert np.abs(kept.picture(0).astype(int) - (200, 10, 20)).max() <= 3
        found, grid = next(kept.patches())
        assert np.array_equal(found, tokens)
        assert grid == (2, 3)
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_stripes_are_stripes() -> None:
    assert is_hatched(hatch(20, 20))
