"""`bank report` and `bank rebuild` as functions, on drawn pictures: what they give, one sentence for each mistake."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from operators.retrieval.bank import Bank
from operators.retrieval.vectors import VectorSet
from pipeline.cli.app import UserError
from pipeline.cli.bank_build import build
from pipeline.cli.bank_rebuild import rebuild
from pipeline.cli.bank_report import report

SHAPE = ["56x98"]
COLOURS = {"red": (20, 20, 220), "blue": (220, 30, 20)}
"""BGR, by class."""
PICTURE = "pictures/red/gate/0.jpg"


def drawn(folder: Path) -> None:
    """Two classes of two clips of two pictures, with masks."""
    for label, colour in COLOURS.items():
        for clip in ("gate", "door"):
            (folder / label / clip).mkdir(parents=True)
            for index in range(2):
                at = 20 + 30 * index + (60 if clip == "door" else 0)
                bgr, mask = np.full((112, 196, 3), 120, np.uint8), np.zeros((112, 196), np.uint8)
                cv2.rectangle(bgr, (at, 30), (at + 50, 90), colour, -1)
                cv2.rectangle(mask, (at, 30), (at + 50, 90), 255, -1)
                cv2.imwrite(str(folder / label / clip / f"{index}.png"), bgr)
                cv2.imwrite(str(folder / label / clip / f"{index}.mask.png"), mask)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    drawn(folder / "drawn")
    build(folder / "drawn", out=folder / "bank", weights="random", shape=SHAPE)
    return folder / "bank"


@pytest.fixture
def bank(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "bank")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(call: Callable[[], object]) -> tuple[str, int]:
    """(what it says, exit status) of a command that must not succeed."""
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value), caught.value.exit_code


# --- report ----------------------------------------------------------------------------------------------------------


def test_a_report_says_the_same_as_table_as_json_and_in_the_folder(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(bank)
    table = capsys.readouterr().out
    report(bank, as_json_=True)
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((bank / "report.json").read_text())
    assert told["version"] == Bank.load(bank).version
    assert told["version"] in table
    assert [each["what"] for each in told["reports"]] == ["whole pictures", "things under masks"]
    for each in told["reports"]:
        assert f"{each['what']}, each left out with its clip, whitened vote" in table
        assert {name: (c["pictures"], c["clips"]) for name, c in each["classes"].items()} == {
            "blue": (4, 2),
            "red": (4, 2),
        }
        assert np.sum(each["confusion"]) == 8
        assert f"balanced accuracy {each['balanced_accuracy']:.2f}" in table
    sheet = cv2.imread(str(bank / "weakest.png"))
    assert sheet is not None
    assert "not_shown" not in told


def test_a_report_judges_by_the_vote_share_and_clips_that_it_is_asked_for(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(bank, vote="balanced", false_unknown="20%", as_json_=True)
    told = json.loads(capsys.readouterr().out)["reports"][0]
    assert told["false_unknown"]["promised"] == 0.2
    loaded = Bank.load(bank)
    flat = tuple(name.replace("/gate/", "/gate_").replace("/door/", "/door_") for name in loaded.cls.names)
    cls = VectorSet.of(loaded.cls.space, loaded.cls.vectors, loaded.cls.labels, flat)
    Bank(loaded.classes, cls).save(bank)
    for group_by, clips in (("folder", 4), ("prefix", 2)):
        report(bank, group_by=group_by, as_json_=True)
        told = json.loads(capsys.readouterr().out)["reports"][0]
        assert told["classes"]["red"]["clips"] == clips


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vote": "balance"}, "--vote: expected whitened, balanced or paper, got 'balance'"),
        ({"group_by": "clip"}, "--group-by: expected folder or prefix, got 'clip'"),
        ({"temperature": 0.0}, "--temperature: expected more than 0, got 0"),
        ({"false_unknown": "0.05"}, "--false-unknown: expected a share such as \"5%\", got '0.05'"),
    ],
)
def test_a_report_names_the_option_that_is_wrong(bank: Path, options: dict[str, Any], said: str) -> None:
    assert refused(lambda: report(bank, **options)) == (said, 2)


@pytest.mark.parametrize("damage", [None, b"no picture"])
def test_a_report_says_which_picture_it_cannot_show_and_judges_its_vector_all_the_same(
    bank: Path, capsys: pytest.CaptureFixture[str], damage: bytes | None
) -> None:
    (bank / PICTURE).unlink()
    if damage is not None:
        (bank / PICTURE).write_bytes(damage)
    report(bank)
    said = [line for line in capsys.readouterr().out.splitlines() if "not shown" in line]
    assert len(said) == 1
    assert str(bank / PICTURE) in said[0]
    assert "No such file" in said[0] if damage is None else "no picture: expected JPEG" in said[0]
    told = json.loads((bank / "report.json").read_text())
    assert np.sum(told["reports"][0]["confusion"]) == 8
    assert len(told["not_shown"]) == 1


# --- rebuild ---------------------------------------------------------------------------------------------------------


def test_the_same_weights_give_the_same_vectors_and_leave_the_pictures_alone(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, pictures = Bank.load(bank), contents(bank / "pictures")
    rebuild(bank, weights="random")
    said = capsys.readouterr().out
    after = Bank.load(bank)
    assert contents(bank / "pictures") == pictures
    assert after.pooled is not None
    assert before.pooled is not None
    for old, new in ((before.cls, after.cls), (before.pooled, after.pooled)):
        assert (new.space, new.names, new.labels.tolist()) == (old.space, old.names, old.labels.tolist())
        assert np.einsum("nd,nd->n", old.vectors, new.vectors).min() >= 0.999
    assert "the same space: least cosine of a picture to its old vector 0.999" in said or "vector 1.000" in said
    assert f"version {after.version}" in said
    assert f"before: version {before.version}" in said


def test_other_weights_fill_another_folder_that_stands_alone(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, before, out = Bank.load(bank), contents(bank), tmp_path / "other"
    rebuild(bank, weights="standin", out=out)
    said = capsys.readouterr().out
    assert contents(bank) == before
    new = Bank.load(out)
    assert new.cls.space != old.cls.space
    assert "standin" in new.made_with
    assert (new.classes, new.cls.names) == (old.classes, old.cls.names)
    assert "the same space" not in said
    assert "whole pictures: balanced accuracy" in said
    assert set(contents(out / "pictures")) == set(contents(bank / "pictures"))
    capsys.readouterr()
    rebuild(out, weights="standin")  # from its own pictures
    assert "the same space" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"<html>404</html>", b""])
def test_weights_that_are_none_leave_the_bank_as_it_is(bank: Path, tmp_path: Path, content: bytes | None) -> None:
    path, before = tmp_path / "mine.pth", contents(bank)
    if content is not None:
        path.write_bytes(content)
    said, code = refused(lambda: rebuild(bank, weights=str(path)))
    assert code == 3
    assert str(path) in said
    assert contents(bank) == before


def test_weights_of_another_architecture_leave_the_bank_as_it_is(bank: Path) -> None:
    before = contents(bank)
    said, _ = refused(lambda: rebuild(bank, weights="random", backbone="dinov2_vits15"))
    assert said.startswith("--backbone: ")
    assert refused(lambda: rebuild(bank, weights="standin", backbone="dinov2_vitb14"))[1] == 3
    assert contents(bank) == before


def _missing(bank: Path) -> str:
    (bank / PICTURE).unlink()
    return f"a source picture cannot be read: {bank / PICTURE}: No such file"


def _damaged(bank: Path) -> str:
    (bank / PICTURE).write_bytes(b"no picture")
    return f"a source picture cannot be read: {bank / PICTURE}: no picture: expected JPEG"


def _changed(bank: Path) -> str:
    cv2.imwrite(str(bank / PICTURE), np.zeros((56, 99, 3), np.uint8))
    (bank / PICTURE).with_suffix(".mask.png").unlink()
    return f"a source picture does not fit: {bank / PICTURE}: expected multiples of 14 pixels, got 56x99"


def _mask_of_another_size(bank: Path) -> str:
    mask = (bank / PICTURE).with_suffix(".mask.png")
    cv2.imwrite(str(mask), np.zeros((10, 10), np.uint8))
    return f"{mask}: expected the size of 0.jpg, 56x98, got 10x10"


def _nameless(bank: Path) -> str:
    loaded = Bank.load(bank)
    Bank(loaded.classes, replace(loaded.cls, names=())).save(bank)
    return "the bank does not say which pictures it was made of"


@pytest.mark.parametrize("harm", [_missing, _damaged, _changed, _mask_of_another_size, _nameless])
def test_a_picture_that_is_not_as_it_was_kept_is_named_and_nothing_is_written(
    bank: Path, tmp_path: Path, harm: Callable[[Path], str]
) -> None:
    expected = harm(bank)
    before = contents(bank)
    for out in (None, tmp_path / "other"):
        said, code = refused(lambda out=out: rebuild(bank, weights="random", out=out))
        assert (expected in said, code) == (True, 3), said
    assert contents(bank) == before
    assert not (tmp_path / "other").exists()


# --- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "foreign", "one bit"])
def test_a_damaged_bank_file_is_one_sentence_with_its_path(bank: Path, harm: str) -> None:
    file = bank / "bank.safetensors"
    data = file.read_bytes()
    new = {
        "gone": None,
        "empty": b"",
        "cut": data[:-100],
        "foreign": b"<html>404</html>",
        "one bit": data[:20] + bytes([data[20] ^ 4]) + data[21:],
    }[harm]
    file.unlink() if new is None else file.write_bytes(new)
    before = contents(bank)
    for call in (lambda: report(bank), lambda: rebuild(bank, weights="random")):
        said, code = refused(call)
        assert said.startswith("no bank: ")
        assert str(file) in said
        assert code == 3
    assert contents(bank) == before


def test_a_folder_that_cannot_be_written_is_one_sentence(bank: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    said, code = refused(lambda: rebuild(bank, weights="random", out=tmp_path / "file"))
    assert said.startswith(f"{tmp_path / 'file'} cannot be written: ")
    assert code == 3
    (bank / "report.json").unlink()
    (bank / "report.json").mkdir()
    for call in (lambda: report(bank), lambda: rebuild(bank, weights="random")):
        said, code = refused(call)
        assert said.startswith(f"{bank} cannot be written: ")
        assert code == 3
