"""Deliveries that wait share a transaction: each has its own answer, and none is answered before the disk has it."""

import threading
from dataclasses import replace

import pytest

from pipeline.errors import PublishError
from pipeline.frame_path.publisher.gathering import MOST_ENTRIES, Gathering
from pipeline.messages import CameraReceipt, Delivery, Receipt
from tests.fakes_publisher import CAMERA, HandSink, camera, frame, ids, publisher

SECONDS = 20.0


def named(name, entries=1):
    return Delivery((frame(0, None, name=name),) * entries) if entries else Delivery(())


def name_of(delivery):
    return delivery.entries[0].analysis.ticket.camera


class Disk:
    """Commits when it is let, and notes what came together."""

    def __init__(self):
        self.groups = []
        self.may_go_on = threading.Semaphore(0)
        self.is_busy = threading.Semaphore(0)
        self.failure = None

    def __call__(self, deliveries):
        self.groups.append([name_of(each) for each in deliveries])
        self.is_busy.release()
        assert self.may_go_on.acquire(timeout=SECONDS)
        if self.failure is not None:
            raise self.failure
        return [Receipt((CameraReceipt(name_of(each), (0, 0), ()),)) for each in deliveries]


class Callers:
    """Each on a thread of its own; what it got, by name."""

    def __init__(self, gathering):
        self.gathering = gathering
        self.got = {}
        self.threads = []

    def send(self, name, entries=1):
        """Returns once the delivery waits or is committed."""
        waits = threading.Event()
        guard = self.gathering._guard

        def run():
            try:
                self.got[name] = self.gathering.publish(named(name, entries)).cameras[0].camera
            except PublishError as error:
                self.got[name] = str(error)

        class Seen:  # tells that the delivery was put down
            def __enter__(self):
                return guard.__enter__()

            def __exit__(self, *reason):
                guard.__exit__(*reason)
                waits.set()

        self.gathering._guard = Seen()
        thread = threading.Thread(target=run, daemon=True)
        self.threads.append(thread)
        thread.start()
        assert waits.wait(SECONDS)
        self.gathering._guard = guard

    def join(self):
        for thread in self.threads:
            thread.join(SECONDS)
        assert not any(thread.is_alive() for thread in self.threads)


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def callers(disk):
    return Callers(Gathering(disk))


def test_who_comes_while_another_is_written_shares_the_next_transaction(disk, callers):
    callers.send("a")
    assert disk.is_busy.acquire(timeout=SECONDS)
    for name in "bcd":
        callers.send(name)
    assert callers.got == {}
    disk.may_go_on.release()
    assert disk.is_busy.acquire(timeout=SECONDS)
    assert disk.groups == [["a"], ["b", "c", "d"]]
    assert not set(callers.got) & set("bcd"), "answered before it is on disk"
    disk.may_go_on.release()
    callers.join()
    assert callers.got == {name: name for name in "abcd"}


def test_a_lonely_delivery_waits_for_nobody(disk, callers):
    for name in "ab":
        disk.may_go_on.release()
        callers.send(name)
        callers.join()
    assert disk.groups == [["a"], ["b"]]


def test_a_transaction_is_bounded_and_nobody_is_forgotten(disk, callers):
    callers.send("a")
    assert disk.is_busy.acquire(timeout=SECONDS)
    for name in "bcd":
        callers.send(name, MOST_ENTRIES // 2)
    for _ in range(3):
        disk.may_go_on.release()
    callers.join()
    assert disk.groups == [["a"], ["b", "c"], ["d"]]


def test_what_befalls_a_transaction_is_told_to_all_of_it_and_the_next_one_goes_on(disk, callers):
    callers.send("a")
    assert disk.is_busy.acquire(timeout=SECONDS)
    for name in "bc":
        callers.send(name)
    disk.failure = PublishError("the disk is full", code="state_unwritable")
    disk.may_go_on.release(2)
    callers.join()
    assert callers.got == dict.fromkeys("abc", "the disk is full")
    disk.failure = None
    disk.may_go_on.release()
    callers.send("d")
    callers.join()
    assert callers.got["d"] == "d"


# --- the desk -------------------------------------------------------------------------------------------------------


def commits(made):
    """What the database is told to commit from now on."""
    found = []
    connection = made._records._database._connection
    connection.set_trace_callback(lambda sql: found.append(sql) if sql == "COMMIT" else None)
    return found


def test_deliveries_of_several_owners_are_one_transaction(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera("a"), camera("b")], [sink])
    for name in "ab":
        made.attach(name, 17)
    seen = commits(made)
    receipts = made._desk.publish_together([Delivery((frame(0, None, name=name),)) for name in "ab"])
    assert len(seen) == 1
    assert [[each.camera for each in receipt.cameras] for receipt in receipts] == [["a"], ["b"]]
    assert ids(sink.seen, "result") == ["a/17/0/result", "b/17/0/result"]
    made.close(1.0)


def test_one_that_cannot_be_entered_takes_no_other_with_it(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    made.attach(CAMERA, 17)
    good, bad, later = (Delivery((frame(n, None, name=name),)) for n, name in enumerate((CAMERA, "nobody", CAMERA)))
    first, error, last = made._desk.publish_together([good, bad, later])
    assert isinstance(error, PublishError)
    assert error.code == "unknown_camera"
    assert [each.cameras[0].accepted_upto for each in (first, last)] == [(17, 0), (17, 2)]
    assert ids(sink.seen, "result") == [f"{CAMERA}/17/{n}/result" for n in (0, 2)]
    made.close(1.0)


def test_a_superseded_owner_is_refused_beside_its_successor(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    made.attach(CAMERA, 18)
    old, new = (Delivery((frame(n, None, lease=lease),)) for n, lease in ((0, 17), (1, 18)))
    receipts = made._desk.publish_together([old, new])
    assert [each.cameras[0].refused for each in receipts] == ["fenced", None]
    assert ids(sink.seen, "result") == [f"{CAMERA}/18/1/result"]
    assert made.snapshot().fenced == 1
    made.close(1.0)


def test_what_is_sent_again_in_the_same_transaction_is_published_once(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    made.attach(CAMERA, 17)
    once = Delivery((frame(0, None),))
    receipts = made._desk.publish_together([once, replace(once)])
    assert [each.cameras[0].accepted_upto for each in receipts] == [(17, 0), (17, 0)]
    assert len(ids(sink.seen, "result")) == made.snapshot().retries == 1
    made.close(1.0)
