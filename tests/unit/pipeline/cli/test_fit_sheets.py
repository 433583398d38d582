"""What the pictures beside fitted heads show."""

from __future__ import annotations

import numpy as np

from pipeline.cli.fitting.sheets import Answer, answers_sheet, mask_rows
from pipeline.cli.pictures.segments import class_colour

CLASSES = ("road", "pole", "sky")


def swatches(sheet: np.ndarray, index: int) -> int:
    """Pixels of the pure colour of a class, which the legend alone has: maps are mixed with the picture."""
    return int((sheet == np.array(class_colour(index), np.uint8)).all(axis=-1).sum())


def test_the_legend_names_a_class_that_the_mask_shows_and_the_head_missed() -> None:
    truth, got = np.zeros((112, 168), np.uint8), np.zeros((112, 168), np.uint8)
    truth[:, 40:60] = 1
    sheet = mask_rows([("a.jpg", np.zeros((112, 168, 3), np.uint8), truth, got)], CLASSES, "sheet")
    assert swatches(sheet, 0) > 100
    assert swatches(sheet, 1) > 100
    assert not swatches(sheet, 2), "a class that neither shows is not listed"


def test_wrong_answers_come_first_and_both_are_framed() -> None:
    grey = np.full((60, 80, 3), 128, np.uint8)
    right, wrong = Answer(lambda: grey, "car", "car", 0.6), Answer(lambda: grey, "car", "bus", 0.9)
    sheet = answers_sheet([right, wrong], "sheet").astype(int)
    red = np.argwhere((sheet[..., 0] - sheet[..., 1]) > 100)[:, 1]
    green = np.argwhere((sheet[..., 1] - sheet[..., 0]) > 60)[:, 1]
    assert red.size
    assert green.size
    assert red.max() < green.min()
