from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli.app import UserError
from pipeline.cli.gallery import gallery
from pipeline.cli.search import search
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.intake import Intake
from pipeline.gallery.store import GalleryStore
from tests.fakes_gallery import BEGAN_NS, direction, result, subject

NEAR = direction(1) + 0.5 * direction(2)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A site whose gallery holds three moments of two cameras; nothing can be drawn again."""
    path = tmp_path / "site.yaml"
    path.write_text(
        f"""\
version: 1
model: {{weights: random}}
cameras:
  dock-1: {{source: {{url: "rtsp://127.0.0.1:1/a"}}}}
  dock-2: {{source: {{file: "{tmp_path}/gone.mp4"}}}}
sinks: {{jsonl: {{path: "{tmp_path}/out"}}}}
gallery: {{store: "{tmp_path}/gallery"}}
"""
    )
    store = GalleryStore(GalleryConfig(store=str(tmp_path / "gallery")))
    bodies = [
        result(1, subject(direction(1)), subject(direction(5), "truck")),
        result(2, subject(direction(1))),
        result(100, subject(NEAR)),
        result(5, subject(NEAR), camera="dock-2"),
    ]
    Intake(GalleryConfig(), store).take(bodies, {}, BEGAN_NS)
    store.close()
    return path


def test_a_frame_is_asked_by_its_id(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheets" / "found.png"
    search("dock-1/17/1/result", config, part=0, out=out)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dock-1/17/1, part 0 of 2: vehicles: forklift"
    assert sorted(line.split()[7] for line in lines[2:4]) == ["dock-1/17/100", "dock-2/17/5"]  # not its own moment
    assert lines[4] == f"{out}: the query and 2 moments"
    assert any("a live camera's frames are not kept" in line for line in lines[5:])
    assert any("gone.mp4" in line for line in lines[5:])
    assert cv2.imread(str(out)) is not None


def test_a_frame_that_showed_the_same_again_is_asked_by_what_stands_for_it(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search("dock-1/17/2", config, out=tmp_path / "found.png")
    assert "it looked the same as dock-1/17/1, which stands for it" in capsys.readouterr().out


def test_nothing_found_is_no_error(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search("dock-1/17/1", config, since="1h", out=tmp_path / "found.png")
    assert "nothing found" in capsys.readouterr().out
    assert not (tmp_path / "found.png").exists()


def test_mistakes_are_one_sentence_and_an_exit_code(config: Path, tmp_path: Path) -> None:
    asked = str(tmp_path / "asked.png")
    cv2.imwrite(asked, np.zeros((360, 640, 3), np.uint8))
    empty = tmp_path / "empty.yaml"
    empty.write_text(config.read_text().replace("/gallery", "/nowhere"))

    def refused(query: str, path: Path | None = config, **options: object) -> tuple[str, int]:
        with pytest.raises(UserError) as caught:
            search(query, path, out=tmp_path / "found.png", **options)  # pyright: ignore[reportArgumentType]
        return str(caught.value), caught.value.exit_code

    for (said, code), expected, sentence in (
        (refused("nothing.png"), 2, "expected the path of a picture, or a frame's id"),
        (refused("dock-1/17/99"), 2, "dock-1/17/99 is not in the gallery"),
        (refused("dock-1/17/1", part=7), 2, "--part: expected one of 0, 1, got 7"),
        (refused("dock-1/17/1", box="0,0,1,1"), 2, "--box and --by belong to a picture"),
        (refused(asked, part=1), 2, "--part belongs to a frame's id"),
        (refused(asked, camera="dock-9"), 2, "unknown camera 'dock-9': expected one of dock-1, dock-2"),
        (refused(asked, since="yesterday"), 2, "--since: expected a duration"),
        (refused(asked, box="0.5,0,0.2,1"), 2, "--box: expected corners in 0..1"),
        (refused(asked, box="middle"), 2, "--box: expected X0,Y0,X1,Y1"),
        (refused("dock-1/17/1", empty), 3, "no gallery at"),
        (refused(asked), 2, "vectors of different spaces"),
        (refused("dock-1/17/1", None), 2, "expected IMAGE or FRAME and then CONFIG"),
    ):
        assert sentence in said
        assert code == expected


def test_a_sheet_of_no_known_format_is_refused(config: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--out: .*found.text cannot be written: .*suffix") as caught:
        search("dock-1/17/1", config, part=0, out=tmp_path / "found.text")
    assert caught.value.exit_code == 3


def test_a_gallery_needs_a_broker(config: Path) -> None:
    with pytest.raises(UserError, match="expected redis or kafka under `sinks:`"):
        gallery(config)
