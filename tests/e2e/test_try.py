"""`try` as a person calls it: a clip, a camera that is left with Ctrl-C, and the configuration that comes of it."""

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.cli.pictures.outlines import MARK

ROOT = Path(__file__).resolve().parents[2]
FPS = 10
SIZE = (240, 424)
ENTERS_SECONDS = 3.0
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def command(*arguments) -> list[str]:
    return [sys.executable, "main.py", *map(str, arguments)]


def main(*arguments):
    environment = {**os.environ, **ONE_THREAD}
    return subprocess.run(
        command(*arguments), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170, check=False
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Six seconds of a floor; after three a red box stands on it."""
    path = tmp_path_factory.mktemp("clips") / "Gate 1.mp4"
    rng = np.random.Generator(np.random.PCG64(3))
    floor = cv2.resize(rng.integers(90, 150, (30, 53, 3), dtype=np.uint8), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for number in range(6 * FPS):
            rgb = floor.copy()
            if number >= ENTERS_SECONDS * FPS:
                cv2.rectangle(rgb, (200, 80), (290, 190), (200, 20, 30), -1)
                cv2.circle(rgb, (225, 110), 14, (250, 250, 60), -1)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def marked(path: Path) -> np.ndarray:
    """Bool (H, W): about the colour of outlines."""
    rgb = cv2.imread(str(path))[:, :, ::-1].astype(int)
    return np.abs(rgb - MARK).max(axis=2) < 60


def test_a_clip_is_understood_without_a_line_of_configuration(clip, tmp_path):
    ran = main("try", clip, "--out", tmp_path, "--weights", "standin")
    assert ran.returncode == 0, ran.stderr
    folder = tmp_path / "gate-1"
    assert "h264 240x424" in ran.stdout
    assert "not the official DINOv2 checkpoint" in ran.stdout
    assert "rate          10.00 frames/s: 60 frames" in ran.stdout
    assert "pictures/s (the model alone at 224x392" in ran.stdout
    assert "1 new area" in ran.stdout
    for name in ("depth.jpg", "pca.jpg", "new.jpg", "earlier.jpg"):
        assert cv2.imread(str(folder / name)) is not None, name
    outline = marked(folder / "new.jpg")[:328, :533]  # the first cell, its title above
    rows, columns = np.flatnonzero(outline.any(axis=1)), np.flatnonzero(outline.any(axis=0))
    box = [(columns[0] / 533, columns[-1] / 533), ((rows[0] - 28) / 300, (rows[-1] - 28) / 300)]
    assert np.abs(np.array(box) - [(200 / 424, 290 / 424), (80 / 240, 190 / 240)]).max() < 0.12
    assert [each.name for each in folder.iterdir() if each.name.startswith(".")] == []
    checked = main("validate", folder, "--no-measure")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "gate-1: file " in checked.stdout
    assert main("try", clip, "--out", tmp_path, "--weights", "standin", "--seconds", "1").returncode == 0


def test_ctrl_c_gives_what_there_is(tmp_path):
    arguments = command("try", "simulated:8", "--out", tmp_path, "--weights", "standin", "--seconds", "600")
    environment = {**os.environ, **ONE_THREAD}
    running = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a background shell hands it on ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    try:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("first picture"):
                break
        running.send_signal(signal.SIGINT)
        said, errors = running.communicate(timeout=120)
    finally:
        running.kill()
    assert running.returncode == 130, errors
    assert "interrupted: this is what there is" in said
    assert "Traceback" not in errors
    folder = tmp_path / "simulated-8"
    assert (folder / "pca.jpg").is_file()
    assert main("validate", folder, "--no-measure").returncode == 0
