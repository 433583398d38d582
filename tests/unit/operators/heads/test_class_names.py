"""Names of classes, at places that are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.heads.class_names import class_names


@pytest.mark.parametrize(
    ("of", "count", "anchors"),
    [
        (
            "imagenet1k",
            1000,
            {
                0: "tench",
                1: "goldfish",
                134: "crane bird",
                207: "golden retriever",
                281: "tabby",
                517: "construction crane",
                561: "forklift",
                817: "sports car",
                999: "toilet tissue",
            },
        ),
        ("ade20k", 150, {0: "wall", 1: "building", 2: "sky", 7: "bed", 12: "person", 20: "car", 149: "flag"}),
        ("voc2012", 21, {0: "background", 15: "person", 20: "tvmonitor"}),
    ],
)
def test_names_stand_at_their_index_and_are_told_apart(of, count: int, anchors: dict[int, str]) -> None:
    names = class_names(of)
    assert len(names) == len(set(names)) == count
    assert {index: names[index] for index in anchors} == anchors
    assert all(name == name.strip() and name for name in names)


def test_every_data_file_is_packed_into_the_wheel() -> None:
    root = Path(__file__).parents[4]
    packed = (root / "MANIFEST.in").read_text().split()[2:]
    data = [path for path in (root / "operators").rglob("*.*") if path.suffix not in {".py", ".pyc"} and path.is_file()]
    assert data
    assert [str(path) for path in data if f"*{path.suffix}" not in packed] == []
