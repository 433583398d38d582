"""`fit classify|depth|segment` as functions, on pictures drawn here and random weights (whose colours suffice)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from operators.heads.classify_linear import ClassifyLinear
from operators.heads.depth_linear import DepthLinear
from operators.heads.segment import SegmentLinear
from pipeline.cli.analyze import analyze
from pipeline.cli.app import UserError
from pipeline.cli.fit import classify, depth, segment

SIZE = (80, 80)
MODEL = {"weights": "random", "shape": ["56x56"]}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DINOSTREAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), values)
    return path


def flat(colour: tuple[int, int, int], seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 60, (*SIZE, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for index in range(6):
        write(tmp_path / f"data/red/{index}.png", flat((20, 20, 190), index))
        write(tmp_path / f"data/blue/clip{index // 2}/{index}.png", flat((190, 20, 20), 100 + index))
    return tmp_path / "data"


@pytest.fixture
def depths(tmp_path: Path) -> Path:
    """Bright is near."""
    for index in range(10):
        near = 30 + 20 * index
        picture = np.full((*SIZE, 3), 255 - near, np.uint8)
        picture[:, 40:] = near // 2
        metres = np.where(np.arange(80) < 40, 1000 + near * 10, 5000 - near * 5).astype(np.uint16)
        write(tmp_path / f"depths/{index}.jpg", picture)
        write(tmp_path / f"depths/{index}.png", np.broadcast_to(metres, SIZE).copy())
    return tmp_path / "depths"


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    for index in range(6):
        picture, mask = flat((20, 160, 20), index), np.zeros(SIZE, np.uint8)
        left = 5 * index
        picture[:, left : left + 40] = (200, 30, 200)
        mask[:, left : left + 40] = 1
        mask[:4] = 255
        write(tmp_path / f"masks/{index}.jpg", picture)
        write(tmp_path / f"masks/{index}.mask.png", mask)
    (tmp_path / "masks/classes.txt").write_text("grass\nbox\n")
    return tmp_path / "masks"


def test_classify_judges_writes_and_is_named_by_analyze(classes: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "heads/colours.safetensors"
    classify(classes, out=out, steps=60, licence="cc0-1.0", **MODEL)
    said = capsys.readouterr().out
    assert "balanced accuracy 1.000" in said
    assert "3 clips, none in two parts" in said
    assert "colours: {kind: classify, checkpoint:" in said
    about = ClassifyLinear.from_bytes(out.read_bytes()).about
    assert (about.classes, about.licence, about.trained_on) == (("blue", "red"), "cc0-1.0", "data")
    assert about.figures["balanced_accuracy"] == 1.0
    assert cv2.imread(str(out.with_suffix(".jpg"))) is not None
    analyze(classes / "red", out=tmp_path / "a", classify=str(out), depth="none", pictures="none", **MODEL)
    assert (tmp_path / "a/labels.jsonl").read_text().count('"label": "red"') == 6
    with pytest.raises(UserError, match="fitted on pictures of another shorter side"):
        analyze(classes, out=tmp_path / "b", classify=str(out), depth="none", weights="random", shape=["70x70"])


def test_heads_are_refused_on_other_weights(classes: Path, tmp_path: Path) -> None:
    out = tmp_path / "colours.safetensors"
    classify(classes, out=out, steps=5, **MODEL)
    with pytest.raises(UserError, match="belongs to other weights"):
        analyze(classes, out=tmp_path / "a", classify=str(out), depth="none", backbone="dinov2_vits14_reg", **MODEL)


def test_what_the_backbone_said_is_kept(classes: Path, tmp_path: Path, own_cache: Path, capsys) -> None:
    classify(classes, out=tmp_path / "a.safetensors", steps=20, **MODEL)
    assert "0 of them known" in capsys.readouterr().out
    kept = sorted(own_cache.rglob("*.npy"))
    assert len(kept) == 12
    kept[0].write_bytes(kept[0].read_bytes()[:90])  # cut short: made again
    classify(classes, out=tmp_path / "b.safetensors", steps=20, **MODEL)
    assert "11 of them known" in capsys.readouterr().out
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_things_are_labelled_under_their_masks(classes: Path, tmp_path: Path) -> None:
    out = tmp_path / "things.safetensors"
    with pytest.raises(UserError, match="--things and --crops"):
        classify(classes, out=out, things=True, crops=True, **MODEL)
    with pytest.raises(UserError, match=r"0.mask.png"):
        classify(classes, out=out, things=True, steps=5, **MODEL)
    for picture in classes.rglob("*.png"):
        write(picture.with_name(picture.stem + ".mask.png"), np.full(SIZE, 255, np.uint8))
    classify(classes, out=out, things=True, steps=60, **MODEL)
    by_mask = out.read_bytes()
    assert ClassifyLinear.from_bytes(by_mask).about.reads == "pooled"
    classify(classes, out=out, crops=True, steps=60, **MODEL)
    assert out.read_bytes() == by_mask


def test_depth_of_pictures(depths: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "metres.safetensors"
    depth(depths, out=out, hfov="60deg", **MODEL)
    assert "absolute relative error" in capsys.readouterr().out
    about = DepthLinear.load(out).about
    assert about.figures["delta1"] > 0.5
    assert about.reference_focal_px == pytest.approx(56 / 2 / np.tan(np.pi / 6))
    analyze(depths, out=tmp_path / "a", depth=str(out), hfov="60deg", pictures="depth", **MODEL)
    assert list((tmp_path / "a/depth").glob("*.png"))


def test_floor_of_one_empty_scene(depths: Path, tmp_path: Path, capsys) -> None:
    floor = ["0.2,0.9=-1,2", "0.8,0.9=1,2", "0.65,0.6=1,5", "0.35,0.6=-1,5"]
    out = tmp_path / "floor.safetensors"
    depth(depths / "3.jpg", out=out, floor=floor, floor_area="0,1 1,1 1,0.6 0,0.6", **MODEL)
    assert "m above the floor" in capsys.readouterr().out
    assert "floor geometry, hfov" in DepthLinear.load(out).about.recipe


def test_segments_of_masks(masks: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "boxes.safetensors"
    segment(masks, out=out, steps=60, **MODEL)
    said = capsys.readouterr().out
    assert "mean IoU" in said
    head = SegmentLinear.from_bytes(out.read_bytes())
    assert head.about.figures["mean_iou"] > 0.5
    assert head.about.classes == ("grass", "box")
    analyze(masks / "0.jpg", out=tmp_path / "a", segment=str(out), depth="none", pictures="segments", **MODEL)
    assert '"grass"' in (tmp_path / "a/labels.jsonl").read_text()


def test_masks_may_be_of_colours(masks: Path, tmp_path: Path) -> None:
    segment(masks, out=tmp_path / "indices.safetensors", steps=20, **MODEL)
    palette = np.array([[0, 128, 0], [128, 0, 255], *[[7, 7, 7]] * 254], np.uint8)  # BGR
    for path in masks.glob("*.mask.png"):
        write(path, palette[cv2.imread(str(path), cv2.IMREAD_UNCHANGED)])
    (masks / "classes.txt").write_text("- #070707\ngrass #008000\nbox #ff0080\n")
    segment(masks, out=tmp_path / "colours.safetensors", steps=20, **MODEL)
    of_indices, of_colours = (
        SegmentLinear.from_bytes((tmp_path / f"{name}.safetensors").read_bytes()) for name in ("indices", "colours")
    )
    np.testing.assert_array_equal(of_indices.weight, of_colours.weight)


def break_classes(how: str, classes: Path) -> None:
    match how:
        case "one class":
            for path in (classes / "blue").rglob("*.png"):
                path.unlink()
            for path in sorted((classes / "blue").rglob("*"), reverse=True):
                path.rmdir()
            (classes / "blue").rmdir()
        case "an empty class":
            (classes / "green").mkdir()
        case "two pictures":
            write(classes / "green/0.png", flat((0, 200, 0), 1))
            write(classes / "green/1.png", flat((0, 200, 0), 2))
        case "a broken picture":
            (classes / "red/7.png").write_bytes(b"no picture")
        case "one picture twice":
            (classes / "blue/same.png").write_bytes((classes / "red/0.png").read_bytes())


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("one class", "at least two subfolders of pictures, one per class, got 1"),
        ("an empty class", "no picture in green"),
        ("two pictures", "at least 3 pictures of each class .* got green 2"),
        ("a broken picture", "cannot read .*7.png: no picture"),
        ("one picture twice", "is the same picture as"),
    ],
)
def test_classes_that_cannot_be_used(how: str, said: str, classes: Path, tmp_path: Path) -> None:
    break_classes(how, classes)
    with pytest.raises(UserError, match=said):
        classify(classes, out=tmp_path / "head.safetensors", steps=5, **MODEL)
    assert not list(tmp_path.glob("head*"))


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (np.zeros(SIZE, np.uint16), "0 everywhere"),
        (np.ones((80, 70), np.uint16), "expected the size of its picture, 80x80 .* got 80x70"),
        (np.ones(SIZE, np.uint8), "expected a 16-bit grey PNG of millimetres.* got uint8"),
        (None, "has no depth beside it: expected 4.depth.png or 4.png"),
    ],
)
def test_depth_that_cannot_be_used(truth, said: str, depths: Path, tmp_path: Path) -> None:
    (depths / "4.png").unlink()
    if truth is not None:
        write(depths / "4.png", truth)
    with pytest.raises(UserError, match=said):
        depth(depths, out=tmp_path / "head.safetensors", **MODEL)
    assert not list(tmp_path.glob("head*"))


@pytest.mark.parametrize(
    ("value", "said"),
    [(7, "holds index 7: expected 0..1 as listed in"), ((1, 2, 3), "is of colours, and .* lists none")],
)
def test_masks_that_cannot_be_used(value, said: str, masks: Path, tmp_path: Path) -> None:
    write(
        masks / "2.mask.png",
        np.full((*SIZE, 3), value, np.uint8) if isinstance(value, tuple) else np.full(SIZE, 7, np.uint8),
    )
    with pytest.raises(UserError, match=said):
        segment(masks, out=tmp_path / "head.safetensors", steps=5, **MODEL)
    assert not list(tmp_path.glob("head*"))


def test_unlisted_colours_and_missing_names_are_said(masks: Path, tmp_path: Path) -> None:
    write(masks / "2.mask.png", np.full((*SIZE, 3), (1, 2, 3), np.uint8))
    (masks / "classes.txt").write_text("grass #008000\nbox #ff0080\n")
    with pytest.raises(UserError, match=r"holds colour #030201 .*Add"):
        segment(masks, out=tmp_path / "head.safetensors", steps=5, **MODEL)
    (masks / "classes.txt").unlink()
    with pytest.raises(UserError, match=r"no names of the classes: .*classes.txt"):
        segment(masks, out=tmp_path / "head.safetensors", steps=5, **MODEL)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"out": Path("head.pth")}, "--out: expected a file that ends in .safetensors"),
        ({"shape": ["56x56", "70x70"]}, "shapes of one shorter side"),
        ({"weights": "nowhere/weights.pth"}, "nowhere/weights.pth"),
        ({"floor": ["0.1,0.9=1,2"]}, "expected four points, got 1"),
        ({"floor": ["1,2,3"]}, "--floor: expected X,Y=RIGHT,AHEAD"),
        ({"hfov": "200deg"}, "--hfov: expected more than 0 and less than 180"),
        ({"floor_area": "0,0 1,1"}, "at least three corners"),
    ],
)
def test_options_that_cannot_be_used(options: dict, said: str, depths: Path, tmp_path: Path) -> None:
    wanted = {"out": tmp_path / "head.safetensors", **MODEL, **options}
    with pytest.raises(UserError, match=said):
        depth(depths, **wanted)
    assert not list(tmp_path.glob("head*"))
