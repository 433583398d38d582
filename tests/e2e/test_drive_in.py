"""`main.py drive-in` on simulated docks that no head has seen: a correction is proven for a head of another pose, and
refused for one that was fitted at the view."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from operators.analyzer import Analyzer
from operators.heads.shipped import ASSETS
from operators.scene.residuals import MeasuredMetres
from pipeline.cli.app import UserError, build
from pipeline.cli.demo.learning import learn_view
from pipeline.cli.drive_in.measuring import Reader, read_stop
from pipeline.cli.drive_in.pictures import simulated
from pipeline.config.loader import load_config
from pipeline.control.model import ModelSpec, build_analyzer, load_engine, model_spec
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.sources.simulated import dock_for

VIEW_HEAD = ASSETS / "depth-be62014196720a8d1f07c573.safetensors"
"""Fitted at the pose of docks whose seed is a multiple of four."""
OWN_POSE_SEED, OTHER_POSE_SEED = 316, 318
SECONDS = "3"
CAMERAS = """\
version: 1
model: {{backbone: dinov2_vits14, weights: standin, shapes: [224x392]}}
heads: {{depth: {{kind: depth, checkpoint: {head}}}}}
cameras:
  dock-1:
    source: {{simulated: dock, seed: {seed}}}
    heads: [embedding, depth]
    rules:
      near: {{measure: distance_to(dock), enter: "< 3.1 m", exit: "> 4.5 m", severity: critical}}
sinks: {{jsonl: {{path: {folder}/results}}}}
runtime: {{state_dir: {folder}/state}}
"""


def run(*arguments: str) -> str:
    result = CliRunner().invoke(build(arguments[0]), list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def dock(folder: Path, seed: int, head: str) -> tuple[Path, ModelSpec, Analyzer]:
    """A configuration whose camera has learnt its empty view."""
    path = folder / "site.yaml"
    path.write_text(CAMERAS.format(folder=folder, seed=seed, head=head))
    config = load_config(path)
    engine = load_engine(config.model)
    model = model_spec(config, engine)
    analyzer = build_analyzer(model, engine=engine)
    learn_view(analyzer, "dock-1", dock_for(seed)[0], config.model.shapes[0], ArtefactStore(model.artefacts))
    return path, model, analyzer


def stored(model: ModelSpec) -> MeasuredMetres:
    store = ArtefactStore(model.artefacts)
    version = store.latest("metres/dock-1")
    assert version is not None
    return MeasuredMetres.from_bytes(store.get(version), version)


def test_two_vehicles_prove_a_correction_for_a_head_of_another_pose(tmp_path: Path) -> None:
    head = tmp_path / "of_another_pose.safetensors"
    shutil.copyfile(VIEW_HEAD, head)
    path, model, analyzer = dock(tmp_path, OTHER_POSE_SEED, str(head))
    first = run("drive-in", str(path), "dock-1", "--at", "3.5", "--at", "6.0m", "--seconds", SECONDS)
    assert "no correction: two vehicles must agree" in first
    second = run(
        "drive-in", str(path), "dock-1", "--at", "3.5", "--at", "6.0", "--seconds", SECONDS, "--vehicle", "red"
    )
    metres = stored(model)
    assert metres.version == "metres/dock-1@2"
    assert len(metres.stops) == 4
    offset = metres.offsets_metres["dock"]
    assert f"correction: {-offset:+.2f} m, proven" in second
    reader = Reader.of(model, analyzer, "dock-1")
    unseen = [
        read_stop(reader, simulated(OTHER_POSE_SEED, name, known, float(SECONDS)), "dock", known)
        for name, known in (("blue", 4.2), ("green", 5.3))
    ]
    raw = np.array([stop.residual_metres for stop in unseen])
    before, after = np.abs(raw).mean(), np.abs(raw - offset).mean()
    assert after <= 0.75 * before, f"vehicles that did not drive in: {before:.2f} m raw, {after:.2f} m corrected"
    said = run("validate", str(path), "--no-measure")
    assert "metres/dock-1@2" in said
    assert "near: asked 3.1 m, fires at" in said


def test_nobody_is_no_drive_in_and_a_head_that_was_fitted_at_the_view_is_not_corrected(tmp_path: Path) -> None:
    path, model, _ = dock(tmp_path, OWN_POSE_SEED, "fit_for_view")
    with pytest.raises(UserError, match=r"in 0 of 6 pictures: expected a vehicle .* Nothing was stored") as caught:
        run("drive-in", str(path), "dock-1", "--at", "200", "--seconds", SECONDS)
    assert caught.value.exit_code == 1
    assert ArtefactStore(model.artefacts).latest("metres/dock-1") is None
    said = run("drive-in", str(path), "dock-1", "--at", "4.0", "--at", "6.0", "--seconds", SECONDS)
    assert "no correction: the depth head was fitted at this view" in said
    metres = stored(model)
    assert (metres.offsets_metres, metres.is_fitted_here) == ({}, True)
    assert 0.0 < metres.jitter_metres < 0.3
    again = run("drive-in", str(path), "dock-1", "--at", "5.0", "--seconds", SECONDS, "--fresh")
    assert "metres/dock-1@2" in again
    assert [stop.known_metres for stop in stored(model).stops] == [5.0]
