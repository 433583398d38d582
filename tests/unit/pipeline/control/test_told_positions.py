"""Positions of owners that see nothing of the state's folder."""

import pytest

from pipeline.control.told_positions import ToldPositions
from pipeline.errors import PipelineError
from pipeline.frame_path.owner.ledger import Ledger, ledger_path
from pipeline.frame_path.owner.positions import PositionFile
from pipeline.messages import CameraSnapshot, LedgerSnapshot

FEEDS = (("gate",), ("belt-a", "belt-b"))


def told(camera, settled, lease=7):
    return CameraSnapshot(camera, lease, "live", 0, LedgerSnapshot(camera, lease), settled=settled)


@pytest.fixture
def positions(tmp_path):
    return ToldPositions(tmp_path)


def test_what_owners_elsewhere_tell_is_where_their_cameras_go_on(positions, tmp_path):
    positions.note([told("gate", "0:41"), told("belt-a", "3"), told("belt-b", "")], FEEDS)
    positions.note([told("gate", "0:42"), told("belt-a", "3"), told("belt-b", "5")], FEEDS)
    again = ToldPositions(tmp_path)
    assert (again.of(FEEDS[0]), again.of(FEEDS[1])) == ({"gate": "0:42"}, {"belt-a": "3", "belt-b": "5"})


def test_an_owner_that_writes_into_the_folder_itself_is_left_alone(positions, tmp_path):
    Ledger(ledger_path(tmp_path, "gate", 7), "gate", 7).close()
    PositionFile(tmp_path / "positions" / "gate.json").save({"gate": "0:50"})
    positions.note([told("gate", "0:49")], FEEDS)
    assert positions.of(FEEDS[0]) == {"gate": "0:50"}


def test_a_camera_that_was_read_here_in_between_goes_on_from_there(positions, tmp_path):
    positions.note([told("gate", "0:41")], FEEDS)
    assert positions.of(FEEDS[0]) == {"gate": "0:41"}
    PositionFile(tmp_path / "positions" / "gate.json").save({"gate": "0:60"})
    positions.note([told("gate", "0:41", lease=9)], FEEDS)
    assert positions.of(FEEDS[0]) == {"gate": "0:41"}, "told again since, by the owner of a later lease"


def test_a_damaged_file_is_named(positions, tmp_path):
    (tmp_path / "positions").mkdir()
    (tmp_path / "positions" / "gate.json").write_text("{")
    with pytest.raises(PipelineError, match=r"not a file of positions.*gate\.json.*Remove it"):
        positions.of(FEEDS[0])
