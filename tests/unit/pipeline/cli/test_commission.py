"""Setting up a camera: the draft, the steps, the prompts and the page's server, on a simulated dock."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from operators.scene.config import ViewConfig
from operators.scene.floor_markings import Rectangle
from pipeline.cli.app import UserError
from pipeline.cli.camera_model import Model
from pipeline.cli.commission.access import Access
from pipeline.cli.commission.answers import Answers
from pipeline.cli.commission.draft import Draft, drawn_line, floor_line, mistakes, posed
from pipeline.cli.commission.draft_json import DraftError, draft_from_json, draft_to_json
from pipeline.cli.commission.new_camera import NewCamera
from pipeline.cli.commission.overlay import advice, floor_grid
from pipeline.cli.commission.prompts import Prompts
from pipeline.cli.commission.session import Answer, Session
from pipeline.cli.commission.snapshot import Camera
from pipeline.cli.commission.step_state import Step, StepAsked
from pipeline.cli.commission.target import added, existing
from pipeline.cli.commission.web import build_page
from pipeline.cli.demo.learning import item_of
from pipeline.cli.scene.lesson import learn
from pipeline.config.loader import load_config
from pipeline.secrets import Secrets
from pipeline.sources.config import SourceConfig
from pipeline.sources.simulated import pose_for
from tests.floor_scenes import SIZE, seen

SEED = 9
POSE = pose_for(SEED)
VIEW = ViewConfig(hfov=66.0, height=2.5, pitch=25.0)
BAY = [(-1.5, 3.0), (1.5, 3.0), (1.5, 8.0), (-1.5, 8.0)]
ZONE = ((0.1, 0.5), (0.9, 0.5), (0.9, 0.95), (0.1, 0.95))


def bay() -> Rectangle:
    a, b, c, d = seen(POSE, BAY)
    return Rectangle((a, b, c, d), 3.0, 5.0)


def drawn() -> Draft:
    return Draft(markings=(bay(),), zones={"apron": ZONE}, lines={"edge": ((0.2, 0.9), (0.8, 0.92))})


@pytest.fixture
def session(tmp_path: Path) -> Session:
    new = NewCamera("gate", SourceConfig(simulated="dock", seed=SEED), Secrets({}), None, "standin")
    return Session(added(tmp_path / "site", new), Model(), view_every_seconds=0.2)


# the draft


def test_a_draft_survives_the_way_to_the_page_and_back() -> None:
    draft = replace(
        drawn(), typed={"hfov": 66.0}, yaw_degrees=2.0, privacy=(ZONE[:3],),
        kept_lines={"dock": "here", "far": ((0.0, 9.0), (1.0, 9.0))},
    )  # fmt: skip
    assert draft_from_json(draft_to_json(draft)) == draft


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"zones": {"a": [[0.1, 2.0]]}}, "points in 0..1"),
        ({"zones": []}, "zones: expected a map, got list"),
        ({"markings": [{"kind": "circle", "points": [], "sizes": []}]}, "expected one of rectangle, length, parallels"),
        ({"markings": [{"kind": "length", "points": [[0, 0]], "sizes": [1]}]}, "1 size and 2 points, got 1 and 1"),
        ({"typed": {"pitch": 95}}, "pitch: expected 1 to 89, got 95"),
        ({"typed": {"pitch": True}}, "expected a number"),
        ({"lines": {"a": [[0, 0], [1, 1], [0, 1]]}}, "two ends, got 3"),
    ],
)
def test_what_is_no_draft_is_refused_with_its_place(change, said) -> None:
    with pytest.raises(DraftError, match=said):
        draft_from_json({**draft_to_json(Draft()), **change})


def test_the_pose_comes_from_markings_from_what_is_typed_or_from_the_file() -> None:
    assert posed(Draft(), SIZE, None).view is None
    assert posed(Draft(), SIZE, VIEW).view == VIEW
    found = posed(drawn(), SIZE, None)
    assert found.view == VIEW
    typed = posed(Draft(typed={"hfov": 70.0, "height": 3.0, "pitch": 30.0}), SIZE, VIEW)
    assert typed.view == ViewConfig(hfov=70.0, height=3.0, pitch=30.0)
    assert "type pitch too" in posed(Draft(typed={"hfov": 70.0, "height": 3.0}), SIZE, None).problem
    corrected = posed(Draft(typed={"hfov": 70.0}), SIZE, VIEW).view
    assert corrected == VIEW.model_copy(update={"hfov": 70.0})  # the rest stays as the file has it
    upside_down = Rectangle(bay().corners, 5.0, 0.1)
    assert advice(posed(Draft(markings=(upside_down,)), SIZE, None).pose)


def test_mistakes_of_a_drawing() -> None:
    bow = ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0))
    assert "crosses itself" in mistakes(Draft(zones={"a": bow}), VIEW, SIZE)[0]
    assert "so small" in mistakes(Draft(privacy=(((0.1, 0.1), (0.101, 0.1), (0.1, 0.101)),)), VIEW, SIZE)[0]
    assert "need a pose" in mistakes(Draft(lines={"a": ((0.1, 0.9), (0.9, 0.9))}), None, SIZE)[0]
    assert "horizon" in mistakes(Draft(lines={"a": ((0.1, 0.9), (0.9, 0.0))}), replace_pitch(5.0), SIZE)[0]
    assert "begins" in mistakes(Draft(zones={"-a": ZONE}), VIEW, SIZE)[0]
    assert mistakes(drawn(), VIEW, SIZE) == []


def replace_pitch(pitch: float) -> ViewConfig:
    return VIEW.model_copy(update={"pitch": pitch})


def test_a_line_drawn_in_the_picture_is_a_line_on_the_floor() -> None:
    ends = ((0.2, 0.9), (0.8, 0.6))
    line = floor_line(ends, VIEW, SIZE)
    assert line is not None
    again = drawn_line(line, VIEW, SIZE)
    assert np.allclose(again, ends, atol=0.003)
    assert drawn_line("here", VIEW, SIZE) is None
    assert drawn_line(((0.0, -5.0), (1.0, -5.0)), VIEW, SIZE) is None


def test_the_grid_lies_where_the_simulator_has_its_metres(session: Session) -> None:
    session.redraw(drawn())
    assert session.floor is not None
    four = next(line for line in floor_grid(session.floor) if line.label == "4 m")
    ahead = np.array([0.0, 4.0])
    yaw = np.radians(POSE.yaw)  # the grid's axes are the camera's, the simulator's those of the dock
    turned = (POSE.lateral + ahead[1] * np.sin(yaw), ahead[1] * np.cos(yaw))
    ((x, y),) = seen(POSE, [turned])
    nearest = min(four.points, key=lambda point: abs(point[0] - x))
    assert nearest == pytest.approx((x, y), abs=0.01)


# the session


def test_a_camera_is_set_up_saved_and_set_up_again(session: Session, tmp_path: Path) -> None:
    assert session.steps[Step.POSE].status == "open"
    session.redraw(drawn())
    assert session.steps[Step.POSE].status == session.steps[Step.AREAS].status == "done"
    saved = session.save()
    assert saved.answer is Answer.WRITTEN
    found = load_config(tmp_path / "site").cameras["gate"]
    assert abs(found.view.pitch - POSE.pitch) < 1
    assert found.zones["apron"] == ZONE
    assert np.allclose(found.lines["edge"], floor_line(((0.2, 0.9), (0.8, 0.92)), VIEW, SIZE))

    again = Session(existing(tmp_path / "site", "gate"), Model())
    assert again.posed.view == VIEW
    assert again.draft.lines["edge"] == pytest.approx(np.array(((0.2, 0.9), (0.8, 0.92))), abs=0.003)
    more = replace(again.draft, privacy=(ZONE,))
    again.redraw(more)
    asked = again.save()
    assert asked.answer is Answer.ASK
    assert "+privacy:" in asked.text
    assert load_config(tmp_path / "site").cameras["gate"].privacy == ()
    assert again.save(may_replace=True).answer is Answer.WRITTEN
    assert load_config(tmp_path / "site").cameras["gate"].privacy == (ZONE,)


def test_nothing_wrong_is_written(session: Session, tmp_path: Path) -> None:
    session.redraw(replace(drawn(), zones={"apron": ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0))}))
    assert session.steps[Step.AREAS].status == "failed"
    with pytest.raises(UserError, match="crosses itself"):
        session.save()
    session.redraw(Draft(markings=(replace(bay(), first_metres=0.0),)))
    with pytest.raises(UserError, match="above 0"):
        session.save()
    assert not (tmp_path / "site").exists()


class Darker:
    """The same camera at dusk."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self.name, self.source = camera.name, camera.source

    def pictures(self, count: int, every_seconds: float) -> Iterator[np.ndarray]:
        return (
            (rgb * np.array([0.2, 0.22, 0.3])).astype(np.uint8) for rgb in self._camera.pictures(count, every_seconds)
        )


def test_depth_head_and_empty_view_come_before_the_file_is_there(tmp_path: Path) -> None:
    """At a pose whose head comes along: fitting one takes minutes."""
    new = NewCamera("gate", SourceConfig(simulated="dock", seed=8), Secrets({}), None, "standin")
    session = Session(added(tmp_path / "site", new), Model(), view_every_seconds=0.2)
    session.redraw(Draft(typed={"hfov": 74.0, "height": 3.5, "pitch": 32.0}))
    told: list[tuple[str, int, int]] = []
    assert "fitted to this view" in session.run(StepAsked(Step.DEPTH), lambda *news: told.append(news))
    first = session.run(StepAsked(Step.EMPTY_VIEW), lambda *news: told.append(news))
    assert first.startswith("view/gate@1 knows 1 light (brightness ")
    assert "A second light is still asked for" in first
    assert told[-1] == ("learning the empty view", 6, 6)
    session.teaching.camera = Darker(session.teaching.camera)  # type: ignore[assignment]
    second = session.run(StepAsked(Step.EMPTY_VIEW), lambda *_: None)
    assert re.fullmatch(r"view/gate@2 knows 2 lights \(brightness \d+, \d+ of 255\)", second)
    assert not (tmp_path / "site" / "cameras").exists()
    assert (tmp_path / "site" / "state" / "artefacts" / "learner" / "gate@2").is_file()


def test_pictures_of_one_sitting_are_one_light_however_they_differ(tmp_path: Path) -> None:
    new = NewCamera("gate", SourceConfig(simulated="dock", seed=8), Secrets({}), None, "standin")
    session = Session(added(tmp_path / "site", new), Model())
    session.redraw(Draft(typed={"hfov": 74.0, "height": 3.5, "pitch": 32.0}))
    fitted = Model().fitted(session.candidate(), "gate", lambda *_: None)
    shades = [1.0, 0.1, 0.6, 0.25]
    items = [
        item_of("gate", n, (session.picture * share).astype(np.uint8), (224, 392), wants_view_sample=True)
        for n, share in enumerate(shades)
    ]
    learnt = learn(fitted, items, len(items), lambda *_: None)
    assert (learnt.version, learnt.num_lights) == ("view/gate@1", 1)


def test_steps_that_were_done_for_another_view_are_to_be_done_again(session: Session) -> None:
    session.redraw(drawn())
    session.steps[Step.DEPTH] = replace(session.steps[Step.DEPTH], status="done")
    session.redraw(replace(session.draft, zones={}))
    assert session.steps[Step.DEPTH].status == "done"
    session.steps[Step.DRIVE_IN] = replace(session.steps[Step.DRIVE_IN], status="done")
    session.redraw(replace(session.draft, typed={"hfov": 60.0}))
    assert session.steps[Step.DEPTH].status == session.steps[Step.DRIVE_IN].status == "open"
    assert "measure again" in session.steps[Step.DRIVE_IN].said


# prompts


def prompted(session: Session, folder: Path, text: str) -> str:
    out = io.StringIO()
    Prompts(session, folder, io.StringIO(text), out).run()
    return out.getvalue()


def percent(points) -> str:
    return " ".join(f"{100 * x:.2f},{100 * y:.2f}" for x, y in points)


def test_prompts_answered_by_a_script_write_the_same_file(session: Session, tmp_path: Path) -> None:
    answers = [
        f"rectangle 3m 5m {percent(seen(POSE, BAY))}", "zoom 50,50", "",
        f"zone apron {percent(ZONE)}", "zone wrong 1,1 2,2 3,5", "undo",
        "line dock here", "line edge 128px,324px 80,92",
        "privacy 1,1 2,1 20,20", "delete privacy 1", "", "n", "n", "", "y",
    ]  # fmt: skip
    said = prompted(session, tmp_path / "out", "\n".join(answers) + "\n")
    found = load_config(tmp_path / "site").cameras["gate"]
    assert abs(found.view.pitch - POSE.pitch) < 1
    assert dict(found.zones)["apron"] == ZONE
    assert found.lines["dock"] == "here"
    assert found.lines["edge"][0] == pytest.approx(floor_line(((0.2, 0.9), (0.8, 0.92)), found.view, SIZE)[0], abs=0.02)
    assert found.privacy == ()
    assert "wrong" not in found.zones
    assert "pitch 25 deg" in said
    assert "skipped: not measured: how far distances are off" in said
    assert "`margin: auto` is 0 m" in said
    for name in ("grid.png", "zoom.png"):
        assert (tmp_path / "out" / name).is_file()


def test_a_script_with_a_wrong_answer_stops_and_writes_nothing(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"answer 'zones a 1,1': 'zones': expected one of .*did you mean 'zone'"):
        prompted(session, tmp_path, "zones a 1,1\n\n\nn\nn\n\ny\n")
    with pytest.raises(UserError, match="the answers ended at"):
        prompted(session, tmp_path, "\n\n")
    assert not (tmp_path / "site").exists()


def test_a_file_that_is_there_is_replaced_after_a_yes_alone(session: Session, tmp_path: Path) -> None:
    session.redraw(drawn())
    session.save()
    before = (tmp_path / "site" / "cameras" / "gate.yaml").read_text()
    said = prompted(Session(existing(tmp_path / "site", "gate"), Model()), tmp_path, "\nheight 3m\nhfov 60deg\npitch 30deg\n\nn\nn\n\ny\nn\n")  # fmt: skip  # noqa: E501
    assert "-view: {hfov: 66deg, height: 2.5m, pitch: 25deg}" in said
    assert (tmp_path / "site" / "cameras" / "gate.yaml").read_text() == before


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("zone a 10,10 20", "expected a point in percent"),
        ("zone a 101,10", "expected a point in the picture"),
        ("zone 1,1 2,2", "expected a name"),
        ("length 2 1,1 2,2", "a length with a unit"),
        ("height 3m 4m", "expected one value"),
        ("line a 1,1", "two ends or `here`, got 1"),
        ("delete zone a", "no zone 'a'"),
        ("delete marking 1", "no marking '1': there are 0"),
    ],
)
def test_answers_that_nobody_understands(answer: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Answers(SIZE).take(Draft(), answer)


# the page's server


def client(session: Session, access: Access, finished: threading.Event | None = None) -> httpx.Client:
    from fastapi.testclient import TestClient

    app = build_page(session, access, finished or threading.Event())
    return TestClient(app, base_url="http://127.0.0.1:80", follow_redirects=False)


def test_the_address_opens_once_and_only_for_the_browser_that_came_first(session: Session) -> None:
    access = Access()
    first, second = client(session, access), client(session, access)
    assert first.get("/state").status_code == 403
    assert first.get("/open", params={"token": "guess"}).status_code == 403
    assert first.get("/open", params={"token": access.token}).headers["location"] == "/"
    assert first.get("/state").json()["camera"] == "gate"
    assert second.get("/open", params={"token": access.token}).status_code == 403
    assert second.get("/picture.png").status_code == 403
    assert second.put("/draft", json={}).status_code == 403


def test_a_page_of_somebody_else_is_not_served(session: Session) -> None:
    access = Access()
    page = client(session, access)
    cookie = page.get("/open", params={"token": access.token}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert page.get("/state", headers={"Host": "evil.example:80"}).status_code == 403
    assert page.get("/").headers["content-security-policy"].startswith("default-src 'self'")
    assert page.get("/page/..%2Fweb.py").status_code == 404
    for name in ("commission.js", "stage.js", "lists.js", "lessons.js", "commission.css"):
        assert page.get(f"/page/{name}").status_code == 200


def test_what_is_drawn_comes_back_with_pose_grid_and_mistakes(session: Session, tmp_path: Path) -> None:
    access, finished = Access(), threading.Event()
    page = client(session, access, finished)
    page.get("/open", params={"token": access.token})
    state = page.put("/draft", json=draft_to_json(drawn())).json()
    assert state["view"]["pitch"] == pytest.approx(POSE.pitch, abs=1)
    assert state["grid"]
    assert "m long" in state["lines"]["edge"]
    wrong = page.put("/draft", json={"zones": {"a": [[0, 2]]}})
    assert wrong.status_code == 400
    assert "0..1" in wrong.json()["error"]
    assert page.post("/steps/nap", json={}).json()["error"].startswith("expected a step of depth")
    assert page.post("/save", json={}).json()["saved"]["answer"] == "written"
    assert page.post("/save", json={}).json()["saved"]["answer"] == "written"  # nothing has changed
    page.put("/draft", json=draft_to_json(replace(drawn(), privacy=(ZONE,))))
    assert page.post("/save", json={}).json()["saved"]["answer"] == "ask"
    assert load_config(tmp_path / "site").cameras["gate"].privacy == ()
    assert page.get("/picture.png").content.startswith(b"\x89PNG")
    assert not finished.is_set()
    page.post("/finish")
    assert finished.is_set()
