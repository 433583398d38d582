from __future__ import annotations

import json

import pytest

from pipeline.messages import Kind
from pipeline.sinks import envelope
from pipeline.sinks.dead_letters import dead_letter
from pipeline.sinks.names import KINDS, destinations
from pipeline.sinks.trimming import ByteBudget
from tests.fakes_sinks import message


@pytest.mark.parametrize(
    ("kind", "topic", "is_compacted", "streams", "hash_name"),
    [
        ("result", "vision.results.v1", False, ("vision:results:dock-03",), None),
        ("alert", "vision.alerts.v1", False, ("vision:alerts:dock-03", "vision:alerts"), None),
        ("scene", "vision.alerts.v1", False, ("vision:alerts:dock-03", "vision:alerts"), None),
        ("state", "vision.alerts.state.v1", True, (), "vision:alerts:active"),
        ("status", "vision.status.v1", True, ("vision:status",), "vision:status:dock-03"),
        ("dead_letter", "vision.dlq.v1", False, ("vision:dlq",), None),
    ],
)
def test_names_are_those_that_subscribers_know(
    kind: Kind, topic: str, is_compacted: bool, streams: tuple[str, ...], hash_name: str | None
) -> None:
    found = destinations("vision", kind, "dock-03")
    assert (found.topic, found.is_compacted, found.streams, found.hash) == (topic, is_compacted, streams, hash_name)


def test_every_kind_is_listed() -> None:
    assert set(KINDS) == set(Kind.__args__)


def test_what_a_broker_carried_becomes_the_same_line() -> None:
    one = message("alert", 7)
    carried = {name.encode(): value for name, value in envelope.fields(one).items()}
    assert envelope.line_of(carried) == envelope.line(one)
    assert json.loads(envelope.line(one)) == {**one.attributes, "data": {"number": 7}}


def test_a_tombstone_is_null() -> None:
    assert json.loads(envelope.line(message("state", 1, body=b"")))["data"] is None


def test_a_dead_letter_keeps_metadata_and_loses_arrays() -> None:
    body = json.dumps({"label": "truck", "embedding": {"dtype": "float16", "shape": [384], "data": "AAAA"}}).encode()
    letter = dead_letter(message("result", 1, body=body), "too_large", 4000)
    told = json.loads(letter.body)
    assert told["body"] == {"label": "truck", "embedding": {"dtype": "float16", "shape": [384]}}
    assert told["of"]["id"] == "dock-01/1/1/result"
    assert (told["reason"], told["bytes"], told["limit_bytes"]) == ("too_large", len(body), 4000)
    assert (letter.id, letter.kind) == ("dock-01/1/1/result/dead_letter", "dead_letter")
    assert letter.attributes["id"] == letter.id


@pytest.mark.parametrize("body", [b"not json", b'{"text":"%s"}' % (b"x" * 5000), b""])
def test_a_dead_letter_always_fits(body: bytes) -> None:
    letter = dead_letter(message("result", 1, body=body), "too_large", 2000)
    assert json.loads(letter.body)["body"] is None
    assert len(letter.body) < 2000


def test_budget_divides_bytes_over_streams() -> None:
    budget = ByteBudget(1_000_000)
    assert budget.max_length("a", 936, is_result=True) == 750
    assert budget.max_length("b", 936, is_result=True) == 375
    assert budget.max_length("a", 936, is_result=True) == 375
    assert budget.max_length("alerts", 436, is_result=False) == 500


def test_budget_follows_the_size_of_entries() -> None:
    budget = ByteBudget(1_000_000)
    budget.max_length("a", 936, is_result=True)
    for _ in range(200):
        longest = budget.max_length("a", 9936, is_result=True)
    assert longest == 75


def test_budget_keeps_at_least_one_entry() -> None:
    assert ByteBudget(1000).max_length("a", 50_000, is_result=True) == 1
