"""`python -m tests.bench.one_pass [nyu_linear4|nyu_dpt] [ROUNDS]`: four heads on one pass, against four models.

One analyzer whose camera asks for a bank's labels with the embedding, depth, segments and classes, against four
analyzers with a backbone of their own and one head each: what somebody runs who takes four models. Both see the same
pictures in turns, in one process on one thread, each turn in the other order; the ratio is the median of the turns.
Limit 3.5. Files are random weights in Meta's layouts (`tests/official_files.py`): they compute as long as trained ones.
"""

# ruff: noqa: T201 - a bench prints its figures

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from operators.analyzer import Analyzer
from operators.backbone import Engine, load_backbone
from operators.camera import CameraSpec
from operators.frames import Item, Placement, Ticket, Times
from operators.heads.config import ClassifyHead, DepthHead, EmbeddingHead, HeadConfig, KnnHead, SegmentHead
from operators.heads.depth_files import load_depth_head
from operators.heads.kinds import HEAD_KINDS
from operators.retrieval.bank import Bank
from operators.retrieval.vectors import VectorSet
from operators.scene.config import ViewConfig
from tests.bench.runs import machine
from tests.golden.depth.depth_cases import Case, S, file_content
from tests.official_files import BACKBONE, CLASSIFY, SEGMENT, write_backbone, write_heads

SHAPE = (224, 392)
BATCH = 4
ROUNDS = 12
LIMIT = 3.5
PICTURES_PER_CLASS = 80
TIMES = Times(rule_time_ns=1, ingest_ns=1, capture_ns=1, capture_clock="arrival", capture_uncertainty_ns=0)
MODELS: tuple[tuple[str, ...], ...] = (("embedding", "vehicles"), ("metres",), ("scene",), ("things",))
"""Heads of the four separate models."""


@dataclass(frozen=True, slots=True)
class Model:
    """One analyzer with one backbone, and the frames of its camera."""

    analyzer: Analyzer
    items: Sequence[Item]

    def run(self) -> np.ndarray:
        """float64 (2,): seconds of the clock and of the processor for the batch."""
        began = np.array([time.perf_counter(), time.process_time()])
        self.analyzer.analyze(self.items)
        return np.array([time.perf_counter(), time.process_time()]) - began


def load(folder: Path, heads: tuple[str, ...], depth: str) -> Model:
    """A model of its own, from the files of `folder`."""
    engine = Engine(load_backbone("dinov2_vits14", folder / BACKBONE), "fp32")
    configs = _configs(folder, depth)
    artefacts = _artefacts(engine, configs)
    versions = tuple(f"head/{name}@1" for name in heads if name in artefacts)
    camera = CameraSpec("gate", SHAPE, heads, ViewConfig(hfov=70.0, height=3.0, pitch=25.0))
    metres = {"metres": load_depth_head(depth, "dinov2_vits14", cache_dir=folder)} if "metres" in heads else {}
    analyzer = Analyzer(
        engine, configs, [camera], lambda version: artefacts[version.partition("/")[2].rpartition("@")[0]], metres
    )
    analyzer.warm_up()
    return Model(analyzer, [_item(seq, versions) for seq in range(BATCH)])


def _configs(folder: Path, depth: str) -> dict[str, HeadConfig]:
    return {
        "embedding": EmbeddingHead(kind="embedding"),
        "vehicles": KnnHead(kind="knn", bank="in memory"),
        "metres": DepthHead(kind="depth", checkpoint=depth),
        "scene": SegmentHead(kind="segment", checkpoint=str(folder / SEGMENT)),
        "things": ClassifyHead(kind="classify", checkpoint=str(folder / CLASSIFY)),
    }


def _artefacts(engine: Engine, configs: dict[str, HeadConfig]) -> dict[str, bytes]:
    """What the heads apply; the bank holds random vectors of this backbone's space."""
    rng = np.random.Generator(np.random.PCG64(0))
    labels = np.repeat([0, 1], PICTURES_PER_CLASS)
    vectors = VectorSet.of(engine.backbone.space(SHAPE), rng.standard_normal((len(labels), 384)), labels)
    made = {
        name: HEAD_KINDS[configs[name].kind].artefact(configs[name], lambda: engine, [SHAPE])
        for name in ("scene", "things")
    }
    return {"vehicles": Bank(("truck", "forklift"), vectors).to_bytes(), **made}


def _item(seq: int, versions: tuple[str, ...]) -> Item:
    pixels = np.random.Generator(np.random.PCG64(seq)).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    placement = Placement(SHAPE, SHAPE, (1.0, 1.0))
    return Item(Ticket("gate", 1, 1, seq), TIMES, placement, pixels, artefacts=versions)


def main(depth: str = "nyu_linear4", rounds: int = ROUNDS) -> int:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as name:
        folder = Path(name)
        write_backbone(folder)
        write_heads(folder)
        dpt = Case("dpt", "nyu", S, SHAPE)
        torch.save(file_content(dpt, {}), folder / dpt.file_name)
        one = load(folder, tuple(head for heads in MODELS for head in heads), depth)
        four = [load(folder, heads, depth) for heads in MODELS]
    for model in (one, *four):
        model.run()
    turns = np.stack([_turn(one, four, is_first=bool(turn % 2)) for turn in range(rounds)])  # (rounds, 2, 2)
    clock, processor = np.moveaxis(turns[:, 1] / turns[:, 0], 1, 0)
    rates = BATCH / np.median(turns[:, :, 0], axis=0)
    print(
        f"embedding and bank, {depth}, ade20k_linear, imagenet_linear on ViT-S/14 at {SHAPE[0]}x{SHAPE[1]}, one thread "
        f"({machine()}): one pass {rates[0]:.2f} frames/s, four models {rates[1]:.2f}; {np.median(clock):.2f}x "
        f"({clock.min():.2f} to {clock.max():.2f}), by processor time {np.median(processor):.2f}x, limit {LIMIT}"
    )
    return 0 if np.median(clock) >= LIMIT else 1


def _turn(one: Model, four: Sequence[Model], *, is_first: bool) -> np.ndarray:
    """float64 (2, 2): of the one pass and of the four models, as `Model.run` gives them."""
    shared = one.run() if is_first else None
    apart = np.sum([model.run() for model in four], axis=0)
    return np.stack([one.run() if shared is None else shared, apart])


if __name__ == "__main__":
    sys.exit(
        main(sys.argv[1] if len(sys.argv) > 1 else "nyu_linear4", int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS)
    )
