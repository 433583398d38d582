"""`main.py gpu-check`: does the GPU give what the CPU gives, and how fast? Not tried on a GPU yet."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import numpy as np
import torch
import typer

from operators.analyzer import Analyzer
from operators.backbone import Engine, load_backbone
from operators.backbone.config import ModelConfig
from operators.backbone.preprocess import place
from operators.camera import CameraSpec
from operators.frames import Item, Ticket, Times
from operators.heads.config import EmbeddingHead
from pipeline.cli.app import UserError
from pipeline.control.actors.device import choose_device
from pipeline.control.bare_model import TAPS, bare_rate
from pipeline.sources.simulated import dock_for, frame_at

BACKBONE = "dinov2_vits14"
SHAPE = (224, 392)
BATCHES = (1, 8, 32)
FP32_MAX_RELATIVE = 1e-3
"""Largest difference over the largest value: another order of sums, not another computation."""
BF16_MIN_COSINE = 0.99
CAMERA_SECONDS = 5
_FPS = 5
_NEVER = Times(rule_time_ns=0, ingest_ns=0, capture_ns=0, capture_clock="container", capture_uncertainty_ns=0)


def gpu_check(
    seconds: Annotated[float, typer.Option(help="How long each batch size is measured.")] = 3.0,
) -> None:
    """Compare a GPU with the CPU on random weights, measure pictures/s, run one camera. Exit 1 without a GPU."""
    device = choose_device(wants_gpu=True)
    if device.kind != "cuda":
        raise UserError(f"no GPU: nothing was checked ({device.reason})", exit_code=1)
    print(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}, {BACKBONE}, random weights, {SHAPE}")
    holds = [_parity(), _camera()]
    for batch in BATCHES:
        rate = bare_rate(_engine("cuda", "bf16"), SHAPE, lanes=1, batch=batch, seconds=seconds)
        print(f"batch {batch:>2}: {rate:.0f} pictures/s in bf16")
    sys.exit(0 if all(holds) else 1)


def _engine(device: str, precision: str) -> Engine:
    config = ModelConfig.model_validate({"backbone": BACKBONE, "weights": "random", "precision": precision})
    return Engine(load_backbone(config.backbone, config.weights, device=device), config.precision)


def _parity() -> bool:
    pixels = np.random.default_rng(0).integers(0, 256, (3, *SHAPE, 3), dtype=np.uint8)
    wanted = _engine("cpu", "fp32").run(pixels, TAPS)
    exact, rough = _engine("cuda", "fp32").run(pixels, TAPS), _engine("cuda", "bf16").run(pixels, TAPS)
    relative = max(
        float(np.abs(got - want).max() / np.abs(want).max())
        for got, want in ((exact.cls, wanted.cls), (exact.patches, wanted.patches))
    )
    cosine = float(min(_cosines(rough.cls, wanted.cls).min(), _cosines(rough.patches, wanted.patches).min()))
    holds = relative <= FP32_MAX_RELATIVE and cosine >= BF16_MIN_COSINE
    print(
        f"parity {'holds' if holds else 'FAILS'}: fp32 differs by {relative:.1e} of the largest value (at most "
        f"{FP32_MAX_RELATIVE:.0e}), bf16 has cosine {cosine:.4f} (at least {BF16_MIN_COSINE})"
    )
    return holds


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def _camera() -> bool:
    """One simulated camera, frame by frame, on both devices: equal embeddings, and how long a frame takes."""
    items = _items()
    heads = {"embedding": EmbeddingHead(kind="embedding")}
    frames: dict[str, np.ndarray] = {}
    for device, precision in (("cpu", "fp32"), ("cuda", "bf16")):
        analyzer = Analyzer(_engine(device, precision), heads, [CameraSpec("dock", SHAPE)], _no_artefact, {})
        analyzer.warm_up()
        began = time.perf_counter()
        found = [analyzer.analyze([item])[0].embedding for item in items]
        spent = time.perf_counter() - began
        frames[device] = np.stack([vector for vector in found if vector is not None])
        print(f"camera on {device}: {len(items)} frames, {1000 * spent / len(items):.1f} ms each")
    cosine = float(_cosines(frames["cpu"], frames["cuda"]).min())
    holds = cosine >= BF16_MIN_COSINE
    print(f"camera {'holds' if holds else 'FAILS'}: least cosine of its embeddings {cosine:.4f}")
    return holds


def _items() -> list[Item]:
    scene, schedule, _ = dock_for(0)
    placed = [place(frame_at(scene, schedule, n / _FPS).rgb, SHAPE) for n in range(CAMERA_SECONDS * _FPS)]
    return [Item(Ticket("dock", 0, 0, n), _NEVER, placement, pixels) for n, (pixels, placement) in enumerate(placed)]


def _no_artefact(version: str) -> bytes:
    raise KeyError(version)
