"""What the demo teaches before it starts: a bank of vehicles, and each dock's empty view under several lights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from operators.analyzer import Analyzer
from operators.backbone import Engine
from operators.backbone.weights_folder import default_cache_dir
from operators.frames import Item, Ticket, Times
from operators.results import ViewSample
from operators.retrieval.build_bank import LabelledPicture, build_bank
from operators.scene.empty_view import build_view
from operators.scene.view_learner import ViewLearner
from pipeline.control.model import Progress
from pipeline.frame_path.owner.model_picture import model_picture
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.pose import Pose
from pipeline.simulation.training import KNOWN_KINDS, training_frames
from pipeline.sources.picture import ArrayPicture

BANK_PICTURES_PER_CLASS = 20
LIGHTS = 4
"""Under which each dock's empty view is learnt. Source: own measurements, two are needed and four are better."""
LOOKS_PER_LIGHT = 3
_BANK_SEED = 71_000
_LIGHT_SEED = 83_000


def vehicle_bank(engine: Engine, shape: tuple[int, int], pose: Pose, progress: Progress) -> Path:
    """The folder of a bank of simulated forklifts, people and trucks; made once per weights."""
    folder = default_cache_dir().parent / "banks" / f"{engine.backbone.fingerprint[:16]}-{shape[0]}x{shape[1]}"
    if not (folder / "report.json").is_file():
        total = BANK_PICTURES_PER_CLASS * len(KNOWN_KINDS)
        bank = build_bank(
            _labelled(pose), engine, [shape], lambda done: progress("a bank of vehicles from 60 pictures", done, total)
        )
        bank.save(folder, {"classes": dict(bank.counts())})
    return folder


def _labelled(pose: Pose) -> Iterator[LabelledPicture]:
    for number, kind in enumerate(KNOWN_KINDS):
        frames = training_frames(3 * BANK_PICTURES_PER_CLASS, pose, _BANK_SEED + number, movers=(1, 1), kinds=(kind,))
        seen = (frame for frame in frames if frame.truth(0) is not None)
        for _, frame in zip(range(BANK_PICTURES_PER_CLASS), seen, strict=False):
            yield LabelledPicture(kind, frame.rgb, frame.mover_map == 1)


def learn_view(analyzer: Analyzer, camera: str, scene: DockScene, shape: tuple[int, int], store: ArtefactStore) -> int:
    """Stores the camera's empty view, learnt under lights that the demo does not show. Returns their number."""
    by_light = [
        [
            _look(analyzer, camera, scene.render([], Light.of(_LIGHT_SEED + light), 1000 * light + look).rgb, shape)
            for look in range(LOOKS_PER_LIGHT)
        ]
        for light in range(LIGHTS)
    ]
    made_by = analyzer.about.fingerprint
    store.put(f"view/{camera}", build_view(by_light, made_by).to_bytes())
    store.put(f"learner/{camera}", ViewLearner(made_by=made_by).seeded(by_light).to_bytes())
    return len(by_light)


def _look(analyzer: Analyzer, camera: str, rgb: np.ndarray, shape: tuple[int, int]) -> ViewSample:
    (analysis,) = analyzer.analyze([item_of(camera, 0, rgb, shape, wants_view_sample=True)])
    assert analysis.view_sample is not None
    return analysis.view_sample


def item_of(
    camera: str,
    seq: int,
    rgb: np.ndarray,
    shape: tuple[int, int],
    *,
    artefacts: Sequence[str] = (),
    rule_time_ns: int = 0,
    wants_view_sample: bool = False,
) -> Item:
    """A picture that did not come through a reader, converted as a reader would."""
    pixels, placement = model_picture(ArrayPicture(rgb), shape, ())
    times = Times(rule_time_ns, rule_time_ns, rule_time_ns, "arrival", 0)
    return Item(
        Ticket(camera, 0, 0, seq), times, placement, pixels, tuple(artefacts), wants_view_sample=wants_view_sample
    )
