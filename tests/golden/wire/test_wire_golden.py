from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from pipeline.frame_path.publisher.wire import event_type, wire_schema
from pipeline.frame_path.publisher.wire_schema import BODIES
from tests.golden.wire.generate import messages, written

HERE = Path(__file__).parent
GOLDEN = sorted(path.stem for path in HERE.glob("*.json") if path.stem != "schema")


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    return {name: written(message, folder) for name, message in messages(folder).items()}


def test_every_type_of_event_has_a_golden_message(said):
    assert sorted(said) == GOLDEN
    types = {json.loads((HERE / f"{name}.json").read_text())["attributes"]["type"] for name in GOLDEN}
    assert types == {event_type(kind) for kind in BODIES}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_publisher_still_says_what_it_said(said, name):
    assert json.loads(said[name]) == json.loads((HERE / f"{name}.json").read_text())


@pytest.mark.parametrize("name", [name for name in GOLDEN if name != "alert_state_tombstone"])
def test_a_golden_body_is_what_its_schema_says(name):
    stored = json.loads((HERE / f"{name}.json").read_text())
    kind = stored["attributes"]["type"].removeprefix("dinostream.").removesuffix(".v1")
    read = msgspec.convert(stored["data"], BODIES[kind])
    assert json.loads(msgspec.json.encode(read)) == stored["data"]


def test_the_schema_is_the_one_that_was_published():
    assert json.loads(json.dumps(wire_schema())) == json.loads((HERE / "schema.json").read_text())
