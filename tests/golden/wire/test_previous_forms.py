"""Messages of previous minor versions are read with today's structs, and those of later ones too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.frame_path.publisher.wire_schema import BODIES
from pipeline.frame_path.publisher.wire_version import event_of

HERE = Path(__file__).parent
PREVIOUS = sorted(path.relative_to(HERE).as_posix() for path in (HERE / "previous").rglob("*.json"))
TODAY = sorted(path.name for path in HERE.glob("*.json") if path.stem not in {"schema", "alert_state_tombstone"})


def stored(name: str) -> tuple[str, dict[str, Any]]:
    """Event and body of a golden message."""
    found = json.loads((HERE / name).read_text())
    return event_of(found["attributes"]["type"]), found["data"]


def read(event: str, data: dict[str, Any]) -> dict[str, Any]:
    """What today's struct makes of it."""
    return json.loads(msgspec.json.encode(msgspec.convert(data, BODIES[event])))


def added(old: Any, new: Any, place: str = "") -> dict[str, Any]:
    """What `new` has more; fails where anything of `old` is gone or changed."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = {f"{place}.{key}": new[key] for key in new.keys() - old.keys()}
        assert old.keys() <= new.keys(), place
        return found | {k: v for key in old for k, v in added(old[key], new[key], f"{place}.{key}").items()}
    if isinstance(old, list) and isinstance(new, list):
        assert len(old) == len(new), place
        return {k: v for a, b in zip(old, new, strict=True) for k, v in added(a, b, f"{place}[]").items()}
    assert old == new, place
    return {}


@pytest.mark.parametrize("name", PREVIOUS)
def test_a_message_of_a_previous_version_says_what_it_said_and_nothing_that_it_did_not(name):
    event, data = stored(name)
    more = added(data, read(event, data))
    assert more, "this is today's form: see previous/README.md"
    nothing = (None, False, 0, "", [], {}, "hold", "picture")
    assert all(value in nothing for value in more.values()), more


def test_what_a_previous_version_did_not_know_has_its_default():
    _, result = stored("previous/first/result.json")
    found = msgspec.convert(result, BODIES["result"])
    rule = found.rules["too_close"]
    assert (found.number, found.period_ns, found.scene, found.segments, found.words) == (0, 0, "", {}, {})
    assert (rule.asked_enter, rule.is_muted, rule.hold_seconds, rule.on_unknown) == ("", False, 0.0, "hold")
    start = msgspec.convert(stored("previous/first/alert_start.json")[1], BODIES["alert.start"])
    assert (start.muted, start.acknowledged, start.clip, start.preview) == (False, None, None, None)
    evidence = msgspec.convert(stored("previous/first/alert_evidence.json")[1], BODIES["alert.evidence"])
    assert (evidence.of, evidence.clip) == ("picture", None)


@pytest.mark.parametrize("name", TODAY)
def test_fields_of_a_later_minor_version_are_passed_over(name):
    event, data = stored(name)
    later = {**data, "of_tomorrow": {"any": [1, None]}}
    for part in ("times", "model", "placement", "depth", "picture", "subject"):
        if isinstance(data.get(part), dict):
            later[part] = {**data[part], "of_tomorrow": 1}
    for part in ("rules", "zones", "frame_label"):
        later |= {part: {key: {**each, "of_tomorrow": 1} for key, each in data[part].items()}} if part in data else {}
    assert read(event, later) == read(event, data)


def test_an_event_of_another_major_version_is_named_and_not_guessed_at():
    assert event_of("dinostream.alert.start.v1") == "alert.start"
    assert event_of("com.example.alert.v2") == ""
    with pytest.raises(ValueError, match=r"cannot read dinostream\.result\.v2: expected version v1, got v2\. Read it "):
        event_of("dinostream.result.v2")
