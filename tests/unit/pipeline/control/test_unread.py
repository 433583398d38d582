"""How long nobody read a camera whose owner was lost."""

import pytest

from pipeline.control.unread import UnreadTime
from pipeline.messages import CameraSnapshot, LedgerSnapshot
from tests.fakes_actors import SteppingClock


def told(lease, received=1, state="live", camera="gate"):
    return CameraSnapshot(camera, lease, state, 0, LedgerSnapshot(camera, lease, received=received))


@pytest.fixture
def clock():
    return SteppingClock()


@pytest.fixture
def unread(clock):
    found = UnreadTime(clock)
    found.note([told(7)])
    return found


def test_from_the_last_beat_of_the_old_owner_to_the_first_frame_of_the_new(unread, clock):
    clock.advance(9.0)
    unread.lose(["gate", "never-read"])
    assert unread.seconds == {"gate": 9.0}, "it counts while it lasts"
    clock.advance(3.0)
    unread.note([told(8, received=0, state="connecting")])
    clock.advance(1.0)
    unread.note([told(8)])
    clock.advance(60.0)
    unread.note([told(8)])
    assert unread.seconds == {"gate": 13.0}


def test_a_second_loss_before_the_first_frame_is_the_same_absence_and_a_later_one_is_added(unread, clock):
    unread.lose(["gate"])
    clock.advance(5.0)
    unread.note([told(8, received=0)])
    unread.lose(["gate"])
    clock.advance(5.0)
    unread.note([told(9)])
    assert unread.seconds == {"gate": 10.0}
    unread.lose(["gate"])
    clock.advance(2.0)
    unread.note([told(10, received=0, state="ended")])
    assert unread.seconds == {"gate": 12.0}


def test_the_lost_owner_itself_ends_nothing(unread, clock):
    unread.lose(["gate"])
    clock.advance(5.0)
    unread.note([told(7, received=40)])
    clock.advance(3.0)
    assert unread.seconds == {"gate": 8.0}


def test_a_camera_that_is_configured_no_more_needs_no_reader(unread, clock):
    unread.lose(["gate"])
    unread.forget_others({"yard"})
    clock.advance(5.0)
    assert unread.seconds == {}
