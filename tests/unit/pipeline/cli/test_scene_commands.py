"""`scene show` on a stored view, and what `scene learn` refuses before it opens anything."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from operators.results import ViewSample
from operators.scene.empty_view import build_view
from operators.scene.subjects import view_tokens
from pipeline.cli.app import UserError
from pipeline.cli.scene.learn import learn
from pipeline.cli.scene.show import show
from pipeline.frame_path.publisher.artefacts import ArtefactStore

SITE = """\
version: 1
site: {{name: yard, timezone: Etc/UTC}}
model: {{backbone: dinov2_vits14, weights: random, shapes: [224x392]}}
cameras:
  gate: {{source: {{file: {clip}}}, heads: [embedding]}}
  live: {{source: {{url: "rtsp://127.0.0.1:9/x"}}, heads: [embedding]}}
sinks: {{jsonl: {{path: {folder}/out}}}}
runtime: {{ray: local, state_dir: {folder}/state}}
evidence: {{store: {folder}/evidence, keep: 7d, max_bytes: 1GiB}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(clip=Path("configs/clips/dock.mp4").resolve(), folder=tmp_path), encoding="utf-8")
    return path


def sample(seed: int, luma: float) -> ViewSample:
    rng = np.random.default_rng(seed)
    gray = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (112, 196)).astype(np.uint8), (0, 0), 2)
    return ViewSample(np.full((16, 28), 1.5, np.float16), view_tokens(rng.normal(size=(448, 8))), luma, gray)


def test_show_prints_what_is_learnt_and_draws_it(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    view = build_view([[sample(1, 120.0)], [sample(2, 30.0)]])
    ArtefactStore(site.parent / "state/artefacts").put("view/gate", view.to_bytes())
    picture = site.parent / "gate.png"
    show(site, "gate", out=picture)
    said = capsys.readouterr().out
    assert "version       view/gate@1, 0 s old" in said
    assert "lights        2, brightness 120, 30 of 255: enough" in said
    assert "depth         100% of 448 patches valid" in said
    assert cv2.imread(str(picture)).shape[1] > 1000


def test_a_view_of_one_light_says_what_that_means(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ArtefactStore(site.parent / "state/artefacts").put("view/gate", build_view([[sample(1, 120.0)]]).to_bytes())
    show(site, "gate", out=site.parent / "gate.png")
    assert "rules that need subjects are unknown until it has seen a second one" in capsys.readouterr().out


def test_show_says_how_to_teach_what_is_not_learnt(site: Path) -> None:
    with pytest.raises(UserError, match=r"gate: no empty view is learnt in .*Teach it: main.py scene learn .* gate"):
        show(site, "gate")


@pytest.mark.parametrize(
    ("camera", "more", "said"),
    [
        ("gaet", {}, "unknown camera 'gaet': expected one of gate, live; did you mean 'gate'?"),
        ("gate", {}, "a file needs --from and --to: expected moments without anybody"),
        ("gate", {"from_": "00:10", "to": "00:02"}, "--to: expected a moment after --from, got 00:10 to 00:02"),
        ("gate", {"from_": "soon", "to": "later"}, "--from, --to: expected a span such as 00:12..00:17"),
        ("live", {"from_": "0s", "to": "2s"}, "live is live: expected --for 10s, which counts from now"),
        ("live", {"for_": "1h"}, "--for: expected 2s to 600s, got 1h"),
    ],
)
def test_learn_refuses_with_one_sentence(site: Path, camera: str, more: dict[str, str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        learn(site, camera, **{"for_": "10s", "anew": False, **more})
    assert str(caught.value).startswith(said)
