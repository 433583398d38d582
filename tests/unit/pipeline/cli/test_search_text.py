"""`search --text` on files in Meta's layout with weights made here: what stands where, and that nothing else meets it.

How well the published weights find anything is not told by these tests.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from operators.analyzer import Analyzer
from operators.backbone import architectures
from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times
from operators.heads.config import WordsHead
from operators.heads.kinds import HEAD_KINDS
from operators.heads.words import BACKBONE, embed_sentence, space_of_words
from operators.results import Label
from pipeline.cli.app import UserError
from pipeline.cli.search import search
from pipeline.config import load_config
from pipeline.control.model import load_engine
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.intake import Intake
from pipeline.gallery.store import GalleryStore
from pipeline.messages import Analysed, Delivery
from tests.fakes_gallery import BEGAN_NS, SECOND, direction, result, subject
from tests.fakes_publisher import CAMERA, HandSink, camera, frame, publisher
from tests.words_files import ARCH, DIM, teach, write_words, write_words_backbone

SENTENCE = "a forklift carrying a pallet"
SHAPE = (28, 42)
_ROW = re.compile(r"  (-?\d\.\d{3})  (\S+/\d+/\d+) .* (\d+x)$")


@pytest.fixture(autouse=True)
def _small_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(architectures.ARCHITECTURES, BACKBONE, ARCH)


@pytest.fixture
def head(tmp_path: Path) -> WordsHead:
    return write_words(tmp_path).model_copy(update={"vector": True})


@pytest.fixture
def config(head: WordsHead, tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(
        f"""\
version: 1
model: {{backbone: {BACKBONE}, weights: {write_words_backbone(tmp_path)}, shapes: [28x42]}}
heads:
  plain: {{kind: words, weights: a, text: b, vocabulary: c, classes: {{a: a, b: b}}}}
  scene:
    kind: words
    weights: {head.weights}
    text: {head.text}
    vocabulary: {head.vocabulary}
    classes: {{forklift: a forklift, nothing: an empty dock}}
    vector: true
cameras:
  dock-1: {{source: {{url: "rtsp://127.0.0.1:1/a"}}, heads: [scene]}}
  dock-2: {{source: {{url: "rtsp://127.0.0.1:1/b"}}, heads: [scene]}}
  {CAMERA}: {{source: {{url: "rtsp://127.0.0.1:1/c"}}, heads: [scene]}}
sinks: {{jsonl: {{path: "{tmp_path}/out"}}}}
gallery: {{store: "{tmp_path}/gallery"}}
"""
    )
    return path


def fill(config: Path, bodies: Sequence[bytes]) -> None:
    gallery = GalleryConfig(store=str(config.parent / "gallery"))
    store = GalleryStore(gallery)
    Intake(gallery, store).take(bodies, {}, BEGAN_NS)
    store.close()


def asked(config: Path, head: WordsHead) -> tuple[np.ndarray, str]:
    """The sentence's vector, and the space of a picture with the configuration's weights."""
    backbone = load_engine(load_config(config).model).backbone
    vector, towers = embed_sentence(head, SENTENCE, backbone.fingerprint, BACKBONE)
    return vector, space_of_words(backbone.space(SHAPE), towers)


def found(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str, str]]:
    """(score, frame, seen) of each row."""
    lines = capsys.readouterr().out.splitlines()[2:]
    rows = [_ROW.search(line) for line in lines]
    return [(row[1], row[2], row[3]) for row in rows if row is not None]


def looked_at(config: Path, head: WordsHead, pictures: Sequence[np.ndarray]) -> list[tuple[Label, ...]]:
    """What the analyzer says of each picture."""
    engine = load_engine(load_config(config).model)
    data = HEAD_KINDS["words"].artefact(head, lambda: engine, [SHAPE])
    analyzer = Analyzer(
        engine, {"scene": head}, [CameraSpec("gate", SHAPE, ("scene",))], {"head/scene@1": data}.__getitem__, {}
    )
    times, placement = Times(1, 1, 1, "arrival", 0), Placement(SHAPE, SHAPE, (1, 1))
    items = [
        Item(Ticket("gate", 1, 1, seq), times, placement, rgb, ("head/scene@1",)) for seq, rgb in enumerate(pictures)
    ]
    return [analysis.labels for analysis in analyzer.analyze(items)]


def test_a_sentence_finds_the_frame_that_the_cameras_analyzer_gave_its_vector(
    config: Path, head: WordsHead, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = [np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3), np.uint8) for seed in range(5)]
    vector = looked_at(config, head, pictures)[3][0].vector
    assert vector is not None
    teach(head, SENTENCE, vector.values)
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    entries: list[Analysed] = []
    for seq, labels in enumerate(looked_at(config, head, pictures)):
        entry = frame(200 * seq, 5.0)
        entries.append(replace(entry, analysis=replace(entry.analysis, labels=labels)))
    made.publish(Delivery(tuple(entries)))
    made.close(1.0)
    fill(config, [message.body for message in sink.seen if message.kind == "result"])
    search(str(config), text=SENTENCE, top=9, out=tmp_path / "found.png")
    (best, *others) = found(capsys)
    assert best[:2] == ("1.000", f"{CAMERA}/17/600")
    assert len(others) == 4
    assert all(float(score) < 0.999 for score, _, _ in others)


def test_moments_are_chosen_as_for_pictures(
    config: Path, head: WordsHead, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.gallery.store.SEAL_RECORDS", 4)
    vector, space = asked(config, head)
    near, other = (vector + 0.5 * direction(number, 2 * DIM) for number in (1, 3))
    far = direction(2, 2 * DIM)
    now = time.time() - BEGAN_NS / SECOND - 600

    def shown(seq: int, values: np.ndarray, **more: object) -> bytes:
        return result(seq, subject(direction(seq)), words={"scene": (space, values)}, **more)  # pyright: ignore[reportArgumentType]

    fill(config, [shown(1, vector), shown(2, vector), shown(20, near), shown(60, far), shown(100, other)])
    fill(config, [shown(7, other, camera="dock-2", seconds=now)])
    assert len(list((tmp_path / "gallery" / "segments").iterdir())) == 1, "some are sealed, some are not"
    sheet = tmp_path / "found.png"
    search(str(config), text=SENTENCE, out=sheet)
    rows = found(capsys)
    assert rows[0] == ("1.000", "dock-1/17/1", "2x"), "seen twice, and what came within 30 s is the same moment"
    assert {frame for _, frame, _ in rows[1:3]} == {"dock-1/17/100", "dock-2/17/7"}
    assert [frame for _, frame, _ in rows[3:]] == ["dock-1/17/60"]
    assert cv2.imread(str(sheet)) is not None
    search(str(config), text=SENTENCE, camera="dock-2", out=sheet)
    assert [frame for _, frame, _ in found(capsys)] == ["dock-2/17/7"]
    search(str(config), text=SENTENCE, since="1h", out=sheet)
    assert [frame for _, frame, _ in found(capsys)] == ["dock-2/17/7"]
    search("dock-1/17/1", config, camera="dock-2", out=sheet)
    assert capsys.readouterr().out.startswith("dock-1/17/1, part 0 of 1: vehicles: forklift"), (
        "the thing, not the words"
    )


def refused(config: Path, *words: Path, text: str = SENTENCE, **options: object) -> tuple[str, int]:
    with pytest.raises(UserError) as caught:
        search(*(str(config), *words), text=text, **options)  # pyright: ignore[reportArgumentType]
    return str(caught.value), caught.value.exit_code


def test_a_gallery_or_a_configuration_without_words_is_one_sentence(config: Path, tmp_path: Path) -> None:
    fill(config, [result(1, subject(direction(1)))])
    said, code = refused(config)
    assert (
        "no picture of this gallery can be compared with words: expected words vectors, got 1 subject vectors" in said
    )
    assert code == 2
    fill(config, [result(9, view=None, words={"scene": ("w" * 64, direction(1, 2 * DIM))})])
    plain = tmp_path / "plain.yaml"
    plain.write_text(
        f'version: 1\nmodel: {{weights: random}}\nsinks: {{jsonl: {{path: "{tmp_path}/out"}}}}\n'
        f'cameras: {{dock-1: {{source: {{url: "rtsp://127.0.0.1:1/a"}}}}}}\ngallery: {{store: "{tmp_path}/gallery"}}\n'
    )
    said, code = refused(plain)
    assert f"expected a head of `kind: words` under `heads:` of {plain}, got none" in said
    assert code == 2


def test_a_sentence_of_another_space_is_an_error(config: Path, head: WordsHead, tmp_path: Path) -> None:
    vector, space = asked(config, head)
    fill(config, [result(1, view=None, words={"scene": (space, vector)})])
    teach(head, SENTENCE, direction(3, 2 * DIM))
    said, code = refused(config)
    assert "vectors of different spaces" in said
    assert "1 words vectors of dinov2_vits14" in said
    assert code == 2
    write_words_backbone(tmp_path, seed=5)
    write_words(tmp_path)
    assert "vectors of different spaces" in refused(config)[0], "another backbone"


def test_what_does_not_go_with_a_sentence(config: Path, head: WordsHead) -> None:
    vector, space = asked(config, head)
    fill(config, [result(1, view=None, words={"scene": (space, vector)})])
    for (said, code), expected in (
        (refused(config, config), "--text stands in the place of IMAGE or FRAME: expected CONFIG alone"),
        (refused(config, box="0,0,1,1"), "--box, --by and --part belong to a picture or a frame"),
        (refused(config, part=1), "--box, --by and --part belong to a picture or a frame"),
        (refused(config, text="  "), "--text: expected a sentence"),
        (refused(config, text="word " * 80), "at most 75 pieces"),
        (refused(config, camera="dock-9"), "unknown camera 'dock-9'"),
    ):
        assert expected in said
        assert code == 2
    Path(head.text).unlink()
    said, code = refused(config)
    assert "text.pth does not exist" in said
    assert code == 3
