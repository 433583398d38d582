from __future__ import annotations

from pipeline.sinks.queue import SendQueue
from tests.fakes_sinks import message, results

_SIZE = results(0, 1)[0].size


def test_oldest_results_make_room_for_results_and_for_outbox_messages() -> None:
    queue = SendQueue(3 * _SIZE)
    sent = results(0, 5)
    assert queue.put(sent) == []
    assert queue.take_dropped() == sent[:2]
    alert = message("alert", 9, body=b"x" * len(sent[0].body))
    assert queue.put([alert]) == []
    assert queue.take_dropped() == [sent[2]]
    assert queue.take(10, 10_000) == [*sent[3:], alert]


def test_outbox_messages_are_returned_in_order_from_the_first_without_room() -> None:
    small, large = message("alert", 1), message("alert", 2, body=b"x" * 3 * _SIZE)
    after = message("alert", 3)
    queue = SendQueue(3 * _SIZE)
    assert queue.put([small, large, after]) == [large, after]
    assert queue.take(10, 10_000) == [small]


def test_a_result_larger_than_the_queue_is_dropped_and_counted() -> None:
    queue = SendQueue(2 * _SIZE)
    large = results(0, 1, size_bytes=10_000)
    assert queue.put(large) == []
    assert queue.take_dropped() == large
    assert queue.depth == (0, 0)


def test_taken_messages_count_until_done_and_are_not_dropped() -> None:
    queue = SendQueue(3 * _SIZE)
    sent = results(0, 5)
    queue.put(sent[:3])
    assert queue.take(2, 10_000) == sent[:2]
    queue.put([sent[3]])
    assert queue.take_dropped() == [sent[2]]
    queue.done(sent[:2])
    assert queue.depth == (1, sent[3].size)


def test_put_back_makes_them_the_oldest_again() -> None:
    queue = SendQueue(3 * _SIZE)
    sent = results(0, 4)
    queue.put(sent[:3])
    queue.take(2, 10_000)
    queue.put_back()
    queue.put([sent[3]])
    assert queue.take_dropped() == [sent[0]]
    assert queue.take(10, 10_000) == sent[1:]


def test_take_is_bounded_in_messages_and_bytes_but_never_empty() -> None:
    queue = SendQueue(2**20)
    sent = results(0, 10)
    queue.put(sent)
    assert queue.take(4, 10_000) == sent[:4]
    queue.done(sent[:4])
    assert queue.take(10, _SIZE * 2) == sent[4:6]
    queue.done(sent[4:6])
    assert queue.take(10, 1) == sent[6:7]


def test_abandon_gives_results_back_and_closes() -> None:
    queue = SendQueue(2**20)
    first, alert, second = *results(0, 1), message("alert", 1), *results(1, 1)
    queue.put([first, alert, second])
    queue.take(1, 10_000)
    assert queue.abandon() == [first, second]
    assert queue.put([alert]) is None
    assert queue.depth == (0, 0)
