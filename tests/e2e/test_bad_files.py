"""Damaged, wrong and malicious files through the commands that a user gives: one sentence, an exit status, no more.

The commands are called as functions with what the command line would hand them; nothing gets as far as starting Ray.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import typer

from operators.heads.classify_linear import ClassifyLinear
from operators.heads.depth_linear import DepthAbout, DepthLinear
from operators.heads.head_about import HeadAbout
from operators.heads.segment import SegmentLinear
from operators.retrieval.bank import Bank
from operators.retrieval.vectors import VectorSet
from pipeline.cli.analyze import analyze
from pipeline.cli.app import UserError
from pipeline.cli.bank_build import build
from pipeline.cli.models import verify
from pipeline.cli.run import run
from pipeline.cli.search import search
from pipeline.cli.validate import validate
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.intake import Intake
from pipeline.gallery.store import GalleryStore
from tests.fakes_gallery import BEGAN_NS, direction, result, subject
from tests.official_files import classify_head, depth_head, mmcv, segment_head

HTML = b"<!doctype html><html><head><title>404 Not Found</title></head><body>Not here</body></html>\n"


class Bomb:
    """Runs a command when a pickle of it is opened without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch '{self.mark}'",))


@pytest.fixture(autouse=True)
def mark(tmp_path: Path):
    """The file that a bomb would make; whatever a test does, it is not there at its end."""
    path = tmp_path / "it-ran"
    yield path
    assert not path.exists(), "a file was executed"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "pictures" / "red" / "a.png"
    path.parent.mkdir(parents=True)
    cv2.imwrite(str(path), np.full((60, 100, 3), 90, np.uint8))
    return path


@pytest.fixture
def configured(tmp_path: Path, picture: Path) -> Callable[..., Path]:
    """A configuration with these heads and weights, of a camera that reads a file."""

    def write(heads: str, weights: str = "random") -> Path:
        path = tmp_path / "site.yaml"
        path.write_text(
            f"""\
version: 1
site: {{name: bad, timezone: UTC}}
model: {{backbone: dinov2_vits14, weights: {weights}, shapes: [56x98]}}
heads: {{h: {heads}}}
cameras: {{one: {{source: {{file: {picture}}}, sample: {{policy: every_frame}}, heads: [h]}}}}
sinks: {{jsonl: {{path: {tmp_path}/out}}}}
runtime: {{ray: local, state_dir: {tmp_path}/state, admission: degrade}}
""",
            encoding="utf-8",
        )
        return path

    return write


def refused(called: Callable[[], object]) -> tuple[str, int]:
    """The one sentence that a person gets, and the exit status."""
    with pytest.raises(UserError) as caught:
        called()
    message = str(caught.value)
    assert "Traceback" not in message
    lines = message.removeprefix("right, but it cannot run here:\n").splitlines()
    assert len(lines) == 1, lines
    return lines[0], caught.value.exit_code


def torch_saved(content: object) -> bytes:
    import io

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def pth(good: Mapping[str, torch.Tensor], name: str) -> dict[str, bytes]:
    """Bad `.pth` files, by what is wrong with them."""
    whole = torch_saved(good)
    return {
        "empty": b"",
        "html": HTML,
        "truncated": whole[: len(whole) * 2 // 3],
        "shapes": torch_saved({key: value[..., :7] if key == name else value for key, value in good.items()}),
    }


def bombs(mark: Path, good: Mapping[str, torch.Tensor]) -> dict[str, bytes]:
    return {
        "bomb beside the weights": torch_saved({**good, "hook": Bomb(mark)}),
        "bomb in mmcv's notes": torch_saved({"meta": Bomb(mark), "state_dict": dict(good)}),
        "bare bomb": pickle.dumps(Bomb(mark), protocol=2),
    }


def test_the_bomb_is_real(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(tmp_path / "real")))
    assert (tmp_path / "real").exists()


@pytest.mark.parametrize("bad", ["empty", "html", "truncated", "shapes", "bomb beside the weights", "bare bomb"])
def test_a_bad_backbone(bad: str, tmp_path: Path, mark: Path, picture: Path, configured) -> None:
    good = {"cls_token": torch.rand(1, 1, 384), "norm.weight": torch.rand(384), "norm.bias": torch.rand(384)}
    path = tmp_path / "vits14_pretrain.pth"
    path.write_bytes((pth(good, "cls_token") | bombs(mark, good))[bad])
    config = configured("{kind: segment, checkpoint: voc2012_linear}", str(path))
    calls: dict[str, Callable[[], object]] = {
        "verify": lambda: verify(str(path)),
        "analyze": lambda: analyze(picture, out=tmp_path / "analysed", weights=str(path), depth="none"),
        "bank build": lambda: build(picture.parent.parent, out=tmp_path / "bank", weights=str(path), shape=["56x98"]),
        "validate": lambda: validate(config, probe=False, measure=False),
        "run": lambda: run(config),
    }
    for command, called in calls.items():
        said, code = refused(called)
        assert code == (1 if command == "verify" else 3), (command, said)
        assert path.name in said, (command, said)
        assert ("nothing in it was executed" in said) == ("bomb" in bad or bad == "html"), (command, said)
    assert not (tmp_path / "bank").exists()
    assert not (tmp_path / "analysed").exists()


HEADS: dict[str, tuple[Mapping[str, torch.Tensor], str]] = {
    "segment": (mmcv(segment_head())["state_dict"], "decode_head.bn.weight"),  # pyright: ignore[reportAssignmentType]
    "depth": (mmcv(depth_head())["state_dict"], "decode_head.conv_depth.bias"),  # pyright: ignore[reportAssignmentType]
    "classify": (classify_head(), "bias"),
}


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        *(("segment", bad) for bad in ("empty", "html", "truncated", "shapes", "bomb in mmcv's notes", "bare bomb")),
        *(("depth", bad) for bad in ("html", "shapes", "bomb in mmcv's notes")),
        *(("classify", bad) for bad in ("truncated", "shapes", "bomb beside the weights")),
    ],
)
def test_a_bad_head_of_metas(kind: str, bad: str, mark: Path, picture: Path, configured) -> None:
    good, name = HEADS[kind]
    path = mark.with_name("nyu_linear4_head.pth")
    path.write_bytes((pth(good, name) | bombs(mark, good))[bad])
    check_head(kind, path, picture, configured, says_nothing_ran="bomb" in bad or bad == "html")


def check_head(kind: str, path: Path, picture: Path, configured, *, says_nothing_ran: bool = False) -> None:
    out = path.with_name("analysed")
    config = configured(f"{{kind: {kind}, checkpoint: {path}}}")
    asked = {"depth": "none", kind: str(path)}
    calls: dict[str, Callable[[], object]] = {
        "verify": lambda: verify(str(path)),
        "analyze": lambda: analyze(picture, out=out, weights="random", shape=["56x98"], **asked),  # pyright: ignore[reportArgumentType]
        "validate": lambda: validate(config, probe=False, measure=False),
        "run": lambda: run(config),
    }
    for command, called in calls.items():
        said, code = refused(called)
        assert code in ({1} if command == "verify" else {2, 3}), (command, said)
        assert path.name in said, (command, said)
        if command == "run":
            assert "heads.h" in said, said
        if says_nothing_ran:
            assert "nothing in it was executed" in said, (command, said)
    assert not out.exists()


def ours(kind: str, classes: int = 3) -> bytes:
    about = HeadAbout("patches" if kind == "segment" else "cls", tuple("abc")[:classes], (11,), "ab" * 32)
    weight, bias = np.ones((3, 384), np.float32), np.ones(3, np.float32)
    match kind:
        case "segment":
            return SegmentLinear(weight, bias, about).to_bytes()
        case "classify":
            return ClassifyLinear(weight, bias, about).to_bytes()
        case _:
            depth = DepthAbout("log", (2, 5, 8, 11), 100.0, (0.5, 40.0), "ab" * 32)
            return DepthLinear(np.ones((1, 384 * 8), np.float32), np.ones(1, np.float32), depth).to_bytes()


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        *(("segment", bad) for bad in ("empty", "html", "truncated", "shapes", "bomb", "another kind")),
        *(("depth", bad) for bad in ("empty", "truncated", "another kind")),
        *(("classify", bad) for bad in ("html", "shapes", "bomb")),
    ],
)
def test_a_bad_head_of_ours(kind: str, bad: str, mark: Path, picture: Path, configured) -> None:
    good = ours(kind)
    contents = {
        "empty": b"",
        "html": HTML,
        "truncated": good[:-100],
        "shapes": ours(kind, classes=2),
        "bomb": pickle.dumps(Bomb(mark)),
        "another kind": Bank(("a", "b"), VectorSet.of("c" * 64, np.ones((2, 384)), np.array([0, 1]))).to_bytes(),
    }
    path = mark.with_name("mine.safetensors")
    path.write_bytes(contents[bad])
    check_head(kind, path, picture, configured)


@pytest.mark.parametrize("bad", ["empty", "html", "truncated", "bomb", "another kind", "shapes"])
def test_a_bad_bank(bad: str, tmp_path: Path, mark: Path, picture: Path, configured) -> None:
    vectors = VectorSet.of("c" * 64, np.ones((2, 384)), np.array([0, 1]))
    good = Bank(("a", "b"), vectors).to_bytes()
    lost = VectorSet(vectors.space, vectors.vectors, np.array([0, 7]), vectors.own)
    contents = {
        "empty": b"",
        "html": HTML,
        "truncated": good[:-100],
        "bomb": pickle.dumps(Bomb(mark)),
        "another kind": ours("segment"),
        "shapes": Bank(("a", "b"), lost).to_bytes(),
    }
    folder = tmp_path / "bank"
    Bank(("a", "b"), vectors).save(folder)
    next(folder.glob("*.safetensors")).write_bytes(contents[bad])
    config = configured(f"{{kind: knn, bank: {folder}}}")
    calls: dict[str, Callable[[], object]] = {
        "analyze": lambda: analyze(
            picture, out=tmp_path / "out", weights="random", shape=["56x98"], bank=[f"x={folder}"], depth="none"
        ),
        "validate": lambda: validate(config, probe=False, measure=False),
        "run": lambda: run(config),
    }
    for command, called in calls.items():
        said, code = refused(called)
        assert code in {2, 3}, (command, said)
        assert "no bank" in said, (command, said)
        assert str(folder) in said, (command, said)


GALLERY = {
    "log": ("logs", "*.log"),
    "about": ("segments", "*/about.json"),
    "columns": ("segments", "*/*.columns.npy"),
    "vectors": ("segments", "*/*.vectors"),
    "frames": ("segments", "*/frames.npy"),
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch) -> Path:
    """A gallery with one sealed segment and one log."""
    monkeypatch.setattr("pipeline.gallery.store.SEAL_RECORDS", 3)
    config = GalleryConfig(store=str(tmp_path / "gallery"))
    store = GalleryStore(config)
    for first in (0, 100, 200):
        bodies = [result(first + each, subject(direction(first + each))) for each in (1, 2)]
        Intake(config, store).take(bodies, {}, BEGAN_NS)
    store.close()
    path = tmp_path / "site.yaml"
    path.write_text(
        f"""\
version: 1
model: {{weights: random}}
cameras: {{dock-1: {{source: {{url: "rtsp://127.0.0.1:1/a"}}}}}}
sinks: {{jsonl: {{path: "{tmp_path}/out"}}}}
gallery: {{store: "{tmp_path}/gallery"}}
""",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("bad", ["empty", "html", "truncated", "bomb"])
@pytest.mark.parametrize("which", GALLERY)
def test_a_bad_file_of_the_gallery(which: str, bad: str, site: Path, tmp_path: Path, mark: Path) -> None:
    folder, pattern = GALLERY[which]
    path = next((tmp_path / "gallery" / folder).glob(pattern))
    good = path.read_bytes()
    bomb = np.array([Bomb(mark)], object)
    with (tmp_path / "bomb.npy").open("wb") as file:
        np.save(file, bomb, allow_pickle=True)
    contents = {
        "empty": b"",
        "html": HTML,
        "truncated": good[: len(good) * 2 // 3],
        "bomb": (tmp_path / "bomb.npy").read_bytes(),
    }
    path.write_bytes(contents[bad])
    if (which, bad) == ("log", "truncated"):  # as a crash leaves it: the whole batches before it stand
        search("dock-1/17/1", site, out=tmp_path / "found.png")
        return
    said, code = refused(lambda: search("dock-1/17/1", site, out=tmp_path / "found.png"))
    assert code == 3
    assert str(tmp_path / "gallery") in said
    said, code = refused(lambda: store_opened(tmp_path))
    assert code == 3
    assert path.read_bytes() == contents[bad], "what is damaged stays as it is, for whoever can mend it"


def store_opened(tmp_path: Path) -> None:
    """As `gallery` opens it."""
    from pipeline.errors import GalleryError

    try:
        GalleryStore(GalleryConfig(store=str(tmp_path / "gallery"))).close()
    except GalleryError as error:
        raise UserError(str(error), exit_code=3) from None


def test_a_head_of_other_weights_is_refused_before_anything_runs(tmp_path: Path, configured) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(ours("segment"))
    said, code = refused(
        lambda: validate(configured(f"{{kind: segment, checkpoint: {path}}}"), probe=False, measure=False)
    )
    assert code == 3
    assert "$.heads.h.checkpoint: this head belongs to other weights" in said
    with pytest.raises((UserError, typer.Exit)):
        validate(configured("{kind: depth, checkpoint: nyu_linear4}"), probe=False, measure=False)
