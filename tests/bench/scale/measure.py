"""`python -m tests.bench.scale measure`: the service times of this machine.

Compute is told by processor time, so that what else runs here counts little; what waits for a disk by the clock.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from operators.analyzer import Analyzer
from operators.backbone import Engine, load_backbone
from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times
from operators.heads.config import DepthHead, EmbeddingHead, HeadConfig
from operators.heads.depth_files import load_depth_head
from pipeline.frame_path.owner.config import GateConfig, SampleConfig
from pipeline.frame_path.owner.handles import OwnedCamera
from pipeline.frame_path.owner.intake import Intake
from pipeline.sources.base import Decoded
from pipeline.sources.config import SourceConfig
from pipeline.sources.video_file import FileFeed
from tests.bench.scale.service_times import SHAPE, Figure
from tests.official_files import BACKBONE, write_backbone, write_heads

SIZE = (720, 1280)
FPS = 25
FRAMES = 100
BITS_PER_SECOND = 2_000_000
ROUNDS = 8
NAME = "dinov2_vits14"


def reading(folder: Path) -> list[Figure]:
    """Decoding at 720p, and what a reader does with a sampled picture."""
    feed = FileFeed("gate", SourceConfig(file=str(_clip(folder / "clip.mp4"))))
    feed.open({})
    began = time.process_time()
    pictures = [event for event in feed.events(threading.Event()) if isinstance(event, Decoded)]
    decode = (time.process_time() - began) / len(pictures)
    sample = SampleConfig(gate=GateConfig())
    intake = Intake(OwnedCamera(CameraSpec("gate", SHAPE), 1, sample, is_replayable=False))
    looked, converted = [], []
    for number, event in enumerate(pictures):
        at = number * 10**9
        times = Times(at, at, at, "arrival", 0)
        looked.append(_spent(lambda e=event, t=times: intake.look(e.picture, t, may_reuse=True)))
        converted.append(_spent(lambda e=event: intake.convert(e.picture)))
    feed.close()
    look, convert = statistics.median(looked), statistics.median(converted)
    return [
        Figure("decode_core_seconds", decode, "s", "of a core to decode a picture of 720p H.264, 2 Mbit/s", "measured"),
        Figure("look_core_seconds", max(0.0, look - convert), "s", "the gate's look at a sampled picture", "measured"),
        Figure("intake_seconds", look, "s", "look and conversion to 224x392", "measured"),
    ]


def model() -> list[Figure]:
    """The analyzer on one core, as an actor runs it: ViT-S/14 of random weights, with three heads."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as name:
        folder = Path(name)
        write_backbone(folder)
        write_heads(folder)
        engine = Engine(load_backbone(NAME, folder / BACKBONE))
        heads: dict[str, HeadConfig] = {
            "embedding": EmbeddingHead(kind="embedding"),
            "metres": DepthHead(kind="depth", checkpoint="nyu_linear4"),
        }
        metres = {"metres": load_depth_head("nyu_linear4", NAME, cache_dir=folder)}
        camera = CameraSpec("gate", SHAPE, tuple(heads))
        analyzer = Analyzer(engine, heads, [camera], lambda _: b"", metres)
    analyzer.warm_up()
    pixels = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8)
    placement = Placement(SHAPE, SHAPE, (1.0, 1.0))
    items = [Item(Ticket("gate", 1, 1, 1), Times(1, 1, 1, "arrival", 0), placement, pixels)]
    analyzer.analyze(items)
    whole = min(_spent(lambda: analyzer.analyze(items)) for _ in range(ROUNDS))
    what = f"ViT-S/14 at {SHAPE[0]}x{SHAPE[1]} in {engine.precision}, embedding and depth, one core"
    return [Figure("lane_seconds", whole, "s", what, "measured")]


def _clip(path: Path) -> Path:
    """A textured picture that moves, with noise, as a camera's sensor gives it."""
    rng = np.random.default_rng(0)
    height, width = SIZE
    coarse = rng.integers(0, 256, (height // 20, width // 10, 3), np.uint8)
    scene = cv2.resize(coarse, (2 * width, height), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate, stream.gop_size = BITS_PER_SECOND, 2 * FPS
        stream.options = {"preset": "veryfast"}
        for number in range(FRAMES):
            view = scene[:, 2 * number : 2 * number + width].astype(np.int16)
            noisy = np.clip(view + rng.normal(0, 2, (height, width, 1)), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _spent(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
