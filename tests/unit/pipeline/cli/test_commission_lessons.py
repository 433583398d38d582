"""What is taught and measured while a camera is set up: what may be asked, what is said, what is forgotten again."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from operators.geometry import FloorCamera
from operators.heads.shipped import ASSETS
from operators.rules.config import RuleConfig
from operators.scene.config import ViewConfig
from operators.scene.residuals import Stop, measured
from pipeline.cli.app import UserError
from pipeline.cli.camera_model import Model
from pipeline.cli.commission.asked import asked_of_page, asked_of_words
from pipeline.cli.commission.draft import Draft
from pipeline.cli.commission.drive_ins import NOT_MEASURED, concluded, stop_rows
from pipeline.cli.commission.new_camera import NewCamera, example, example_rule
from pipeline.cli.commission.prompts import Prompts
from pipeline.cli.commission.remaining import remaining
from pipeline.cli.commission.session import Session
from pipeline.cli.commission.step_state import Step, StepAsked, StopAsked
from pipeline.cli.commission.target import added, existing
from pipeline.cli.drive_in.measuring import forget_stop, newest_stops
from pipeline.config.loader import load_config
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.secrets import Secrets
from pipeline.sources.config import SourceConfig

VIEW = ViewConfig(hfov=74.0, height=3.5, pitch=32.0)
"""Of docks whose seed is a multiple of four: a depth head fitted at it comes along."""
SEED = 316
SITE = """\
version: 1
model: {{backbone: dinov2_vits14, weights: standin, shapes: [224x392]}}
heads: {{depth: {{kind: depth, checkpoint: fit_for_view}}}}
sinks: {{jsonl: {{path: {folder}/results}}}}
runtime: {{ray: local, state_dir: {folder}/state}}
"""


def stop(known: float, off: float = 0.2, line: str = "dock") -> Stop:
    readings = tuple(known + off + each for each in (-0.1, -0.05, 0.0, 0.05, 0.1))
    return Stop(line, "here", known, readings, None, "2026-03-01T09:30:00Z", "forklift-7")


# what is asked


def test_a_stop_is_asked_for_in_words_or_by_the_page() -> None:
    found = asked_of_words(["3.5m", "forklift-7", "0:12..0:20.5"], ["dock"])
    assert found == StepAsked(Step.DRIVE_IN, (12.0, 20.5), StopAsked(3.5, "dock", "forklift-7"))
    sent = {"metres": 3.5, "line": "gate", "vehicle": "", "from": "", "to": ""}
    assert asked_of_page("drive_in", sent) == StepAsked(Step.DRIVE_IN, None, StopAsked(3.5, "gate"))
    assert asked_of_page("empty_view", {"from": "0:02", "to": "14s"}) == StepAsked(Step.EMPTY_VIEW, (2.0, 14.0))


@pytest.mark.parametrize(
    ("words", "lines", "said"),
    [
        ([], ["dock"], "expected the distance from the line"),
        (["near"], ["dock"], "distance: .*near"),
        (["0m"], ["dock"], "distance: expected metres above 0 and at most 100, got 0"),
        (["3m"], [], "draw a line first"),
        (["3m"], ["dock", "gate"], "name the line .* one of dock, gate"),
        (["3m", "0:20..0:12"], ["dock"], "expected a time after 0:20"),
        (["3m", "soon..later"], ["dock"], "from: expected a time in the file"),
    ],
)
def test_what_is_no_stop_is_refused_in_one_sentence(words: list[str], lines: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        asked_of_words(words, lines)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "distance: expected metres .* got none"),
        ({"metres": True}, "got none"),
        ({"metres": 3.0, "vehicle": "a b"}, "without blanks"),
        ({"metres": 500.0}, "at most 100, got 500"),
    ],
)
def test_what_a_page_sends_is_checked_alike(sent: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        asked_of_page("drive_in", sent)


# what is said


def test_without_drive_ins_it_is_said_what_is_not_known() -> None:
    assert list(concluded(None, {})) == [NOT_MEASURED]
    assert "`margin: auto` is 0 m" in NOT_MEASURED


def test_with_drive_ins_it_is_said_what_a_critical_rule_will_do() -> None:
    metres = replace(measured("f", [stop(3.0), stop(6.0)], is_fitted_here=True), version="metres/dock-03@1")
    said = list(concluded(metres, {}))
    assert said[0] == "metres/dock-03@1: single readings scatter by 0.07 m (jitter, one standard deviation)"
    assert "will start 0.28 m before its threshold" in said[-1]
    rule = RuleConfig.model_validate(
        {"measure": "distance_to(dock)", "enter": "< 3.0 m", "exit": "> 3.6 m", "severity": "critical"}
    )
    assert "near: asked 3.0 m, fires at 3.28 m" in list(concluded(metres, {"near": rule}))[-1]
    assert "nine of ten readings were not too far" in list(concluded(measured("f", [stop(3.0, -0.5)]), {}))[-1]


def test_the_example_begins_where_the_camera_sees_something() -> None:
    floor = FloorCamera(VIEW.model_copy(update={"height": 2.5}), (360, 640))
    assert 'distance_to(dock), in: apron, enter: "< 3 m"' in str(example_rule(["dock"], ["apron"], floor))
    blind = FloorCamera(VIEW.model_copy(update={"height": 6.0}), (360, 640))
    assert blind.nearest_visible_floor() > 3.0
    (threshold,) = [float(each.split('"< ')[1].split()[0]) for each in [str(example_rule(["dock"], [], blind))]]
    assert threshold >= 1.25 * blind.nearest_visible_floor()
    assert 'exit: "> 4.6 m"' in str(example_rule(["dock"], [], floor, jitter_metres=0.39))
    assert example_rule([], ["apron"], floor) is None
    assert "docs/configuration.md" in example(example_rule(["dock"], [], None))


# what is forgotten


def test_a_stop_that_was_typed_wrong_is_taken_out_again(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    store.put("metres/gate", measured("f", [stop(3.0), stop(6.0)], is_fitted_here=True).to_bytes())
    left = forget_stop(store, "gate", 0)
    assert left is not None
    assert [(each.known_metres, left.version, left.fingerprint) for each in left.stops] == [(6.0, "metres/gate@2", "f")]
    with pytest.raises(ValueError, match="no stop 2: there are 1"):
        forget_stop(store, "gate", 1)
    assert forget_stop(store, "gate", 0) is None
    assert newest_stops(store, "gate") is None
    assert store.latest("metres/gate") == "metres/gate@3"


# with the model


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "site.yaml").write_text(SITE.format(folder=folder))
    return folder


def test_from_the_empty_view_to_a_stop_and_what_remains(site: Path, tmp_path: Path) -> None:
    """At a pose whose head comes along; prompts answered by a script."""
    assert (ASSETS / "depth-be62014196720a8d1f07c573.safetensors").is_file()
    new = NewCamera("gate", SourceConfig(simulated="dock", seed=SEED), Secrets({}), None, "standin")
    session = Session(added(site, new), Model(), view_every_seconds=0.2)
    answers = [
        "height 3.5m", "pitch 32deg", "hfov 74deg", "", "line dock here", "zone apron 10,50 90,50 90,95 10,95", "", "y",
        "y", "stop 4m forklift-7", "stop 6m truck-2", "forget 2", "", "y",
    ]  # fmt: skip
    out = io.StringIO()
    Prompts(session, tmp_path / "out", io.StringIO("\n".join(answers) + "\n"), out).run()
    said = out.getvalue()
    assert "view/gate@1 knows 1 light" in said
    assert "stop 1: forklift-7 at 4.00 m from dock: read " in said
    assert "stop 2: truck-2" in said
    assert [(row.number, row.known) for row in stop_rows(session.teaching.metres)] == [(1, "4.00 m")]
    assert session.teaching.metres is not None
    assert abs(session.teaching.metres.stops[0].residual_metres) < 1.2
    todo = "\n".join(session.notes)
    assert "it watches for nothing yet" in todo
    assert f"teach the empty view a second light: python main.py scene learn {site} gate" in todo
    assert "drive-in" not in todo

    again = Session(existing(site, "gate"), Model())
    assert again.steps[Step.EMPTY_VIEW].said.startswith("view/gate@1 knows 1 light")
    assert again.steps[Step.DRIVE_IN].status == "done"
    again.redraw(replace(again.draft, privacy=(((0.0, 0.0), (0.2, 0.0), (0.2, 0.1)),)))
    assert again.steps[Step.EMPTY_VIEW].said == "the pose or a mask has changed since: learn it anew"
    anew = again.run(StepAsked(Step.EMPTY_VIEW), lambda *_: None)
    assert anew.startswith("view/gate@2 knows 1 light")
    assert "Lights of before are forgotten" in anew
    again.redraw(Draft(typed={"height": 3.0}, kept_lines=again.draft.kept_lines))
    with pytest.raises(UserError, match="learn the empty view first"):
        again.run(StepAsked(Step.DRIVE_IN, None, StopAsked(4.0, "dock")), lambda *_: None)


def test_what_remains_of_a_camera_with_nothing_learnt(site: Path) -> None:
    (site / "cameras").mkdir()
    text = "source: {simulated: dock, seed: 8}\nlines: {dock: here}\n"
    (site / "cameras" / "gate.yaml").write_text(text)
    config = load_config(site)
    floor = FloorCamera(VIEW, (360, 640))
    said = list(remaining(config, "gate", floor, None))
    assert "teach the empty view, with nobody there" in said[1]
    assert f"python main.py drive-in {site} gate --at 5.0" in said[2]
    assert list(remaining(config, "gate", None, None))[-1] == "to do: no pose, so there are no distances in metres"
    assert np.isfinite(floor.nearest_visible_floor())
