from dataclasses import replace

import pytest

from operators.camera import CameraSpec
from operators.rules.config import RuleConfig
from operators.scene.config import ViewConfig
from operators.scene.residuals import Stop, measured, metres_fingerprint
from pipeline.control.drive_ins import drive_ins, head_of, is_fitted_at_view, too_tight
from pipeline.frame_path.publisher.artefacts import ArtefactStore

VIEW = ViewConfig.model_validate({"hfov": "74deg", "height": "3.5m", "pitch": "32deg"})
GATE = ((0.0, 4.0), (2.0, 4.0))
HEAD = b"a depth head"


def stop(known, line="dock", floor="here"):
    readings = tuple(known + each for each in (-0.1, -0.05, 0.0, 0.05, 0.1))
    return Stop(line, floor, known, readings, None, "2026-03-01T09:30:00Z")


def spec(exit_at="> 3.6 m", **changes):
    rule = {"measure": "distance_to(dock)", "enter": "< 3.1 m", "exit": exit_at}
    base = CameraSpec(
        camera="dock-03",
        shape=(224, 392),
        heads=("embedding", "depth"),
        view=VIEW,
        lines={"dock": "here", "gate": GATE},
        rules={"near": RuleConfig.model_validate(rule)},
    )
    return replace(base, **changes)


@pytest.fixture
def store(tmp_path):
    found = ArtefactStore(tmp_path)
    stops = [stop(3.0), stop(6.0), stop(2.0, "gate", GATE)]
    found.put("metres/dock-03", measured(metres_fingerprint(HEAD, VIEW), stops).to_bytes())
    return found


def test_drive_ins_of_this_head_and_view_are_used_under_their_version(store):
    found = drive_ins(spec(), HEAD, store)
    assert found.note == ""
    assert found.metres is not None
    assert (found.metres.version, len(found.metres.stops)) == ("metres/dock-03@1", 3)


def test_without_drive_ins_there_is_nothing_to_say(tmp_path):
    assert drive_ins(spec(), HEAD, ArtefactStore(tmp_path)) == drive_ins(
        spec(camera="other"), HEAD, ArtefactStore(tmp_path)
    )
    assert drive_ins(spec(), HEAD, ArtefactStore(tmp_path)).metres is None


@pytest.mark.parametrize(
    ("changes", "head", "said"),
    [
        ({}, b"another", "was read by another depth head or another `view`: not used"),
        ({"view": VIEW.model_copy(update={"pitch": 33.0})}, HEAD, "was read by another depth head or another `view`"),
        ({}, None, "depth head is not here yet"),
        ({"lines": {}}, HEAD, "line dock, gate lies elsewhere now"),
    ],
)
def test_what_something_else_read_is_left_out_and_said(store, changes, head, said):
    found = drive_ins(spec(**changes), head, store)
    assert found.metres is None
    assert said in found.note
    assert found.note.startswith("metres/dock-03@1 (3 stops, 2026-03-01)")


def test_a_line_that_was_drawn_anew_loses_its_stops_alone(store):
    found = drive_ins(spec(lines={"dock": "here", "gate": ((0.0, 5.0), (2.0, 5.0))}), HEAD, store)
    assert found.metres is not None
    assert {each.line for each in found.metres.stops} == {"dock"}
    assert "line gate lies elsewhere now" in found.note


def test_a_damaged_file_is_left_out_and_said(tmp_path):
    store = ArtefactStore(tmp_path)
    store.put("metres/dock-03", b"{}")
    found = drive_ins(spec(), HEAD, store)
    assert found.metres is None
    assert "metres/dock-03@1 holds no drive-ins" in found.note


@pytest.mark.parametrize(("exit_at", "is_tight"), [("> 3.6 m", False), ("> 3.2 m", True)])
def test_enter_and_exit_lie_at_least_four_times_the_jitter_apart(store, exit_at, is_tight):
    metres = drive_ins(spec(), HEAD, store).metres
    assert metres is not None
    found = list(too_tight(("cameras", "dock-03"), spec(exit_at), metres))
    assert bool(found) is is_tight
    if is_tight:
        ((place, said),) = found
        assert place == ("cameras", "dock-03", "rules", "near", "exit")
        assert "scatter by 0.07 m (metres/dock-03@1)" in said
        assert 'such as "> 3.38 m"' in said


def test_a_head_fitted_at_the_view_is_told_from_one_for_all():
    assert head_of(spec(), {"depth@dock-03": b"own", "depth": b"all"}) == b"own"
    assert head_of(spec(), {"depth@other": b"own", "depth": b"all"}) == b"all"
    assert head_of(spec(), {}) is None
    assert is_fitted_at_view(spec(), {"depth@dock-03": b"own"})
    assert not is_fitted_at_view(spec(), {"depth@other": b"own", "depth": b"all"})
