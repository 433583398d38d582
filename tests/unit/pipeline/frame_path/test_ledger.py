import os
import signal
import subprocess
import sys

import pytest

from pipeline.frame_path.owner.ledger import (
    KEPT_LEDGERS,
    SLOTS,
    Ledger,
    ledger_path,
    prune_ledgers,
    read_in_flight,
    read_ledger,
)
from tests.fakes import ticket

COUNTING = """
import sys
from pathlib import Path
from operators.frames import Ticket
from pipeline.frame_path.owner.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]), "dock-03", 7)
print("counting", flush=True)
fates = ("analysed", "gated", "replaced", "stale", "analyzer_died")
seq = 0
while True:
    ledger.enter(Ticket("dock-03", 7, 7, seq))
    ledger.drop("sampled_out")
    if seq >= 5:
        old = Ticket("dock-03", 7, 7, seq - 5)
        ledger.leave(old, fates[seq % len(fates)])
    if seq % 7 == 0:
        ledger.undecodable()
    if seq % 11 == 6:
        ledger.retract("analysed", "publisher_died")
    seq += 1
"""


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(ledger_path(tmp_path, "dock-03", 7), "dock-03", 7)
    yield ledger
    ledger.close()


def test_every_end_is_counted_once_and_the_file_says_the_same(ledger):
    ledger.undecodable()
    ledger.drop("sampled_out")
    for seq in range(6):
        ledger.enter(ticket(seq))
    for seq, fate in enumerate(["replaced", "stale", "gated", "analysed", "analyzer_timeout"]):
        ledger.leave(ticket(seq), fate)
    found = ledger.snapshot()
    assert (found.camera, found.lease) == ("dock-03", 7)
    assert (found.received, found.undecodable, found.decoded, found.in_flight) == (8, 1, 7, 1)
    assert (found.sampled_out, found.replaced, found.stale, found.gated, found.analysed) == (1, 1, 1, 1, 1)
    assert found.lost == {"analyzer_timeout": 1}
    assert found.unaccounted == 0
    assert read_ledger(ledger.path) == found
    assert read_in_flight(ledger.path) == {(7, 5)}


def test_a_frame_has_one_end(ledger):
    ledger.enter(ticket(0))
    ledger.leave(ticket(0), "analysed")
    with pytest.raises(KeyError):
        ledger.leave(ticket(0), "stale")
    assert ledger.snapshot().unaccounted == 0


def test_what_died_with_its_publisher_changes_its_end(ledger):
    ledger.enter(ticket(0))
    ledger.leave(ticket(0), "analysed")
    ledger.retract("analysed", "publisher_died")
    found = ledger.snapshot()
    assert (found.analysed, found.lost, found.unaccounted) == (0, {"publisher_died": 1}, 0)


def test_everything_in_flight_can_end_at_once_and_slots_are_used_again(ledger):
    for round_ in range(3):
        for n in range(SLOTS):
            ledger.enter(ticket(round_ * SLOTS + n))
        ledger.leave_all("fenced")
    assert ledger.snapshot().lost == {"fenced": 3 * SLOTS}
    assert ledger.snapshot().unaccounted == 0


def test_large_positions_fit(ledger):
    big = ticket(2**40 << 16 | 5, epoch=1_790_000_000_000)
    ledger.enter(big)
    assert read_in_flight(ledger.path) == {big.position}


def test_a_closed_ledger_still_answers_and_a_lease_has_only_one(ledger, tmp_path):
    ledger.drop("sampled_out")
    before = ledger.snapshot()
    ledger.close()
    ledger.close()
    assert ledger.snapshot() == before == read_ledger(ledger.path)
    with pytest.raises(FileExistsError):
        Ledger(ledger_path(tmp_path, "dock-03", 7), "dock-03", 7)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"\0" * len(data), lambda _: b""])
def test_what_is_no_ledger_is_refused_by_name(ledger, tmp_path, damage):
    damaged = tmp_path / "damaged.ledger"
    damaged.write_bytes(damage(ledger.path.read_bytes()))
    with pytest.raises(ValueError, match=r"no ledger.*damaged"):
        read_ledger(damaged)


def test_a_kill_in_the_middle_of_counting_leaves_the_sum_exact_to_one_transition(tmp_path):
    """The process is really killed, again and again, while it counts; its file is read where it lies."""
    seen = set()
    for n in range(5):
        path = tmp_path / f"{n}.ledger"
        child = subprocess.Popen([sys.executable, "-c", COUNTING, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"counting\n"
        while read_ledger(path).received < 400 * (n + 1):
            assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = read_ledger(path)
        assert abs(found.unaccounted) <= 1
        assert found.in_flight == len(read_in_flight(path))
        assert found.in_flight in {5, 6}
        assert found.received >= 400 * (n + 1)
        seen.add(found.received)
    assert len(seen) > 1, "the kills hit different moments"


def test_of_each_camera_the_newest_ledgers_stay(tmp_path):
    for lease in range(100, 100 + KEPT_LEDGERS + 3):
        Ledger(ledger_path(tmp_path, "dock", lease), "dock", lease).close()
    Ledger(ledger_path(tmp_path, "dock-2", 1), "dock-2", 1).close()
    prune_ledgers(tmp_path, ["dock"])
    kept = sorted(path.stem for path in (tmp_path / "ledgers").iterdir())
    assert kept == sorted(["dock-2@1", *(f"dock@{lease}" for lease in range(103, 103 + KEPT_LEDGERS))])
