"""`--compare random`: the recorded frames of the docks again, through the same chain with weights that know nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import yaml

from operators.analyzer import Analyzer
from operators.rules.episodes import RuleState, step
from operators.rules.measures import parse_measure, read_measure
from pipeline.cli.demo.learning import item_of, learn_view, vehicle_bank
from pipeline.cli.demo.live import Live, Played, seconds_of
from pipeline.cli.demo.recording import Recording
from pipeline.cli.demo.stage import DOCK_FPS, SHAPE
from pipeline.config.loader import Config, load_config
from pipeline.control.model import Progress, build_analyzer, load_engine, model_spec
from pipeline.frame_path.publisher.artefacts import ArtefactStore

JUDGED_METRES = 8.0
RULE = "too_close"


def compare_random(live: Live, played: Played, progress: Progress) -> list[str]:
    """Lines that put both side by side: errors of the distance, starts. Both are analysed offline, frame by frame."""
    lines: list[str] = []
    for weights in (live.config.model.weights, "random"):
        path = live.out / f"compare-{weights}.yaml"
        document: dict[str, Any] = yaml.safe_load(live.config.path.read_text(encoding="utf-8"))
        document["model"]["weights"] = weights
        document["runtime"]["state_dir"] = str(live.out / f"compare-{weights}")
        engine = load_engine(live.config.model.model_copy(update={"weights": weights}))
        pose = live.docks[0].scene.pose
        document["heads"]["vehicles"]["bank"] = str(vehicle_bank(engine, SHAPE, pose, progress))
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        config = load_config(path)
        spec = model_spec(config, engine, progress)
        analyzer = build_analyzer(spec, engine=engine)
        store = ArtefactStore(spec.artefacts)
        for dock in live.docks:
            learn_view(analyzer, dock.camera, dock.scene, SHAPE, store)
            lines.append(f"{weights:>8}: {_judge(live, played, config, dock, analyzer=analyzer, store=store)}")
    return lines


def _judge(
    live: Live, played: Played, config: Config, dock: Recording, *, analyzer: Analyzer, store: ArtefactStore
) -> str:
    """Median and p90 of the error, starts, over the frames that were analysed live."""
    camera = config.camera_spec(dock.camera)
    rule = camera.rules[RULE]
    measure = parse_measure(rule.measure)
    names = [store.latest(f"view/{dock.camera}"), store.latest("head/vehicles")]
    artefacts = [name for name in names if name is not None]
    truth = truth_by_tenth(dock)
    errors: list[float] = []
    missed = starts = 0
    state = RuleState()
    bodies = sorted(played.heard.results.get(dock.camera, []), key=lambda body: body["seq"])
    for seq, body in enumerate(bodies):
        t = max(0.0, seconds_of(live, played, body))
        now = body["times"]["rule_time_ns"]
        item = item_of(dock.camera, seq, dock.picture(t), SHAPE, artefacts=artefacts, rule_time_ns=now)
        reading = read_measure(measure, rule, camera, analyzer.analyze([item])[0])
        state, transitions = step(RULE, rule, state, reading, now, period_ns=round(1e9 / DOCK_FPS))
        starts += sum(each.kind == "start" for each in transitions)
        real = truth.get(round(10 * t))
        if real is not None and real < JUDGED_METRES:
            missed += reading.value is None
            if reading.value is not None:
                errors.append(abs(reading.value - real))
    return f"{dock.camera}: {error_text(errors)}, no subject in {missed} more, {starts} starts"


def truth_by_tenth(dock: Recording) -> dict[int, float | None]:
    """Metres of the nearest subject by tenths of a second."""
    return {round(10 * t): metres for t, metres in dock.truth()}


def error_text(errors: Sequence[float]) -> str:
    """`error median 0.31 m, p90 0.92 m in 48 frames`."""
    if not errors:
        return "no distance at all"
    return f"error median {np.median(errors):.2f} m, p90 {np.percentile(errors, 90):.2f} m in {len(errors)} frames"
