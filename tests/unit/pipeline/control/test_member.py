import pytest

from pipeline.clock import SystemClock
from pipeline.control.member import Member
from pipeline.errors import PipelineError


class HandClock(SystemClock):
    now = 100.0

    def monotonic(self):
        return self.now


class Worker:
    def __init__(self):
        self.answer = None
        self.is_killed = False

    def first_answer(self):
        if isinstance(self.answer, PipelineError):
            raise self.answer
        return self.answer

    def kill(self):
        self.is_killed = True


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def started():
    return []


@pytest.fixture
def member(clock, started):
    def start():
        started.append(Worker())
        return started[-1]

    return Member("decode-0", "decode", start, clock)


def test_it_is_ready_exactly_once(member, started):
    assert not member.step()
    assert member.state == "starting"
    started[0].answer = 4711
    assert member.step()
    assert not member.step()
    assert (member.running, member.status.pid) == (started[0], 4711)


def test_a_death_ends_the_old_one_and_starts_a_new_one_after_a_pause(member, started, clock):
    member.step()
    started[0].answer = 1
    member.step()
    member.lost("killed")
    assert started[0].is_killed
    assert member.running is None
    member.step()
    assert len(started) == 1, "not before the pause is over"
    clock.now += 1.0
    member.step()
    assert len(started) == 2
    assert (member.status.restarts, member.status.reason) == (1, "killed")


def test_pauses_grow_while_it_keeps_dying_and_are_forgiven_when_it_lived(member, started, clock):
    pauses = []
    for _ in range(4):
        while len(started) == len(pauses):
            clock.now += 0.05
            member.step()
        started[-1].answer = PipelineError("no such weights", code="failed")
        before = clock.now
        member.step()
        pauses.append(member._not_before - before)
    assert pauses == sorted(pauses)
    assert pauses[-1] > 3 * pauses[0]
    clock.now += 60
    member.step()
    started[-1].answer = 1
    member.step()
    clock.now += 61
    member.lost("killed after a good life")
    assert member._not_before - clock.now < 0.7


def test_a_stopped_one_stays_stopped(member, started, clock):
    member.step()
    member.stop()
    clock.now += 1e9
    member.step()
    assert len(started) == 1


def test_what_never_ran_names_its_reason_once_and_leaves_the_telling_to_who_started_it(member, started, caplog):
    member.step()
    started[0].answer = PipelineError("no such weights", code="failed", where="decode-0")
    member.step()
    assert member.status.reason == "no such weights"
    assert not caplog.records
