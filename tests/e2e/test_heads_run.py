"""`main.py run` with depth, segments and classes from files in Meta's layouts: what travels, and a rule on a share.

One run has all cameras: a clip whose parts are known, real footage where it exists, and a file that is no video.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from operators.backbone import Engine, load_backbone
from operators.heads.class_names import class_names
from operators.heads.depth_linear import DepthAbout, DepthLinear
from tests.e2e.pipeline_process import ROOT
from tests.official_files import telling_segment_head, write_backbone, write_heads

FPS = 5
PARTS = ((False, 2), (True, 4), (False, 2))
"""(is bright, seconds)."""
BRIGHT = [is_bright for is_bright, seconds in PARTS for _ in range(seconds * FPS)]
"""By frame of the clip."""
FOOTAGE = ROOT.parent / "shared" / "data" / "video" / "intel_car-detection.mp4"
CONFIG = """
version: 1
site: {{name: heads, timezone: UTC}}
model: {{backbone: dinov2_vits14, weights: {weights}, shapes: [112x196]}}
heads:
  metres: {{kind: depth, checkpoint: {depth}}}
  scene: {{kind: segment, checkpoint: ade20k_linear, mask: true}}
  things: {{kind: classify, checkpoint: imagenet_linear}}
cameras:
  clip:
    source: {{file: {clip}}}
    sample: {{policy: every_frame}}
    view: {{hfov: 70deg, height: 3 m, pitch: 25deg}}
    heads: [embedding, metres, scene, things]
    zones: {{left: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], right: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}}
    rules:
      sky: {{measure: "share_of(scene.sky, left)", enter: "> 0.6", exit: "< 0.4", hold: 400ms, release: 400ms}}
      sky_right: {{measure: "share_of(scene.sky, right)", enter: "> 0.6", exit: "< 0.4", hold: 400ms, release: 400ms}}
sinks:
  jsonl: {{path: {out}}}
runtime: {{ray: "{ray}", state_dir: {state}, admission: degrade}}
"""


def half_bright(*, is_bright: bool) -> np.ndarray:
    """uint8 (112, 196, 3): dark tiles; the left half bright stripes where `is_bright`."""
    rng = np.random.default_rng(8)
    pixels = rng.integers(0, 60, (14, 28, 3), np.uint8).repeat(8, 0).repeat(7, 1)
    if is_bright:
        pixels[:, :98] = rng.integers(180, 255, (7, 14, 3), np.uint8).repeat(16, 0).repeat(7, 1)
    return np.ascontiguousarray(pixels)


def write_clip(path: Path) -> None:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 196, 112, "yuv420p"
        video.codec_context.thread_count = 1
        for is_bright in BRIGHT:
            frame = av.VideoFrame.from_ndarray(half_bright(is_bright=is_bright), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of weights that holds a backbone and heads in Meta's layouts; the segmenter tells bright from dark."""
    folder = tmp_path_factory.mktemp("cache")
    engine = Engine(load_backbone("dinov2_vits14", write_backbone(folder / "weights")), "fp32")
    bright = np.ascontiguousarray(np.tile(half_bright(is_bright=True)[:, :98], (1, 2, 1)))
    write_heads(folder / "weights", telling_segment_head(engine, bright, half_bright(is_bright=False)))
    return folder


@dataclass(frozen=True, slots=True)
class Ran:
    """One run that has ended."""

    code: int
    said: str
    """All that it printed."""
    folder: Path

    def bodies(self, kind: str, camera: str) -> list[dict]:
        """Of one camera, out of the file of one kind of events."""
        lines = (self.folder / "out" / f"{kind}.jsonl").read_text("utf-8").splitlines()
        return [body for line in lines if (body := json.loads(line)["data"])["camera"] == camera]


def main_run(folder: Path, cache: Path, ray: str, depth: str = "nyu_linear4", **cameras: dict) -> Ran:
    """Of the clip, and of others that differ from it."""
    write_clip(folder / "clip.mp4")
    values = {
        "weights": str(cache / "weights" / "dinov2_vits14_pretrain.pth"),
        "clip": folder / "clip.mp4",
        "out": str(folder / "out"),
        "state": str(folder / "state"),
    }
    site = yaml.safe_load(CONFIG.format(ray=ray, depth=depth, **values))
    site["cameras"] |= {name: site["cameras"]["clip"] | other for name, other in cameras.items()}
    config = folder / "cameras.yaml"
    config.write_text(json.dumps(site), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "run", str(config)],
        env={**os.environ, "DINOSTREAM_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )
    return Ran(run.returncode, run.stdout, folder)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, cache: Path, ray_address: str) -> Ran:
    """Every camera of this file in one run."""
    folder = tmp_path_factory.mktemp("heads")
    (folder / "broken.mp4").write_text("no video", "utf-8")
    cameras = {"broken": {"source": {"file": str(folder / "broken.mp4")}}}
    if FOOTAGE.is_file():
        cameras["street"] = {"source": {"file": str(FOOTAGE)}, "sample": {"policy": "every_frame", "fps": 1}}
    return main_run(folder, cache, ray_address, **cameras)


def array(field: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(field["data"]), "<f2").reshape(field["shape"])


def check_result(body: dict, grid: tuple[int, int]) -> None:
    """Depth, segments and classes of one frame hold together."""
    assert {each.partition("@")[0] for each in body["artefacts"]} == {"head/scene", "head/things"}
    assert body["model"]["weights"] == "dinov2_vits14_pretrain.pth"
    depth = body["depth"]
    metres = array(depth["metres"]).astype(np.float32)
    assert (depth["head"], depth["unit"], depth["is_calibrated"], metres.shape) == ("metres", "m", True, grid)
    assert np.isfinite(metres).mean() == pytest.approx(depth["valid_share"])
    assert depth["median"] == pytest.approx(float(np.nanmedian(metres)), rel=2e-3)
    assert "is 0.23 x the 480 px it was trained with" in depth["off_recipe"]
    assert "is 0.50 x the 224 px it was trained with" in body["frame_label"]["things"]["off_recipe"]
    assert "is 0.22 x the 512 px it was trained with" in body["segments"]["scene"]["off_recipe"]
    top = body["frame_label"]["things"]["top"]
    assert len(top) == 5
    assert {name for name, _ in top} <= set(class_names("imagenet1k"))
    assert sorted((score for _, score in top), reverse=True) == [score for _, score in top]
    scene, names = body["segments"]["scene"], class_names("ade20k")
    for shares in (scene["shares"], *scene["zones"].values()):
        assert shares.keys() <= set(names)
        assert sum(shares.values()) == pytest.approx(1.0, abs=2e-3)
    mask = scene["mask"]
    assert tuple(mask["shape"]) == grid
    indices = np.repeat([value for value, _ in mask["runs"]], [count for _, count in mask["runs"]]).reshape(grid)
    assert mask["classes"] == [names[index] for index in mask["class_indices"]]
    told = {name: (indices == index).mean() for index, name in enumerate(mask["classes"]) if (indices == index).any()}
    assert told == pytest.approx(scene["shares"], abs=1e-4)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_clip_gives_depth_segments_and_classes_and_a_share_alarms(ran: Ran) -> None:
    results = ran.bodies("results", "clip")
    assert [body["seq"] for body in results] == list(range(len(BRIGHT))), ran.said
    for body, is_bright in zip(results, BRIGHT, strict=True):
        check_result(body, (8, 14))
        left = body["segments"]["scene"]["zones"]["left"]
        assert (left.get("sky", 0.0) > 0.6) is is_bright, left
        assert body["rules"]["sky"]["value"] == pytest.approx(left.get("sky", 0.0), abs=1e-4)
        assert body["segments"]["scene"]["zones"]["right"].get("sky", 0.0) < 0.4
    alerts = [(each["rule"], each["transition"]) for each in ran.bodies("alerts", "clip") if "transition" in each]
    assert alerts == [("sky", "start"), ("sky", "end")]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_file_that_is_no_video_fails_its_camera_alone_and_the_run_exits_1(ran: Ran) -> None:
    assert ran.code == 1, ran.said
    assert "broken: failed: could not open" in ran.said
    assert f"clip: decoded {len(BRIGHT)}, analysed {len(BRIGHT)}" in ran.said
    told = [(each["state"], each["code"]) for each in ran.bodies("status", "broken")]
    assert told == [("connecting", ""), ("failed", "unsupported")]
    assert ran.bodies("status", "clip")[-1]["state"] == "ended"


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.shared
@pytest.mark.skipif(not FOOTAGE.is_file(), reason="no footage beside the project: ../shared/data is not there")
def test_real_footage(ran: Ran) -> None:
    results = ran.bodies("results", "street")
    assert len(results) > 20, ran.said
    for body in results:
        check_result(body, (8, 14))
        assert body["placement"]["source_size"] == [432, 768]


@pytest.mark.ray
@pytest.mark.slow
def test_a_head_of_other_weights_ends_the_start_with_its_name(tmp_path: Path, cache: Path, ray_address: str) -> None:
    """The weights are Meta's in layout; the depth head was fitted on others."""
    about = DepthAbout("log", (2, 5, 8, 11), 100.0, (0.5, 40.0), "ab" * 32)
    path = tmp_path / "mine.safetensors"
    path.write_bytes(DepthLinear(np.ones((1, 384 * 8), np.float32), np.ones(1, np.float32), about).to_bytes())
    ended = main_run(tmp_path, cache, ray_address, depth=str(path))
    assert ended.code == 3, ended.said
    errors = [line for line in ended.said.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, ended.said
    assert "heads.metres: this depth head belongs to other weights: expected fingerprint abababababab" in errors[0]
    assert "Traceback" not in ended.said
