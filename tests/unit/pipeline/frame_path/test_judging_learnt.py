"""A rule whose threshold is learnt, as the publisher keeps and shows it."""

from __future__ import annotations

import numpy as np

from operators.camera import CameraSpec
from operators.rules.config import RuleConfig
from operators.rules.measures import Reading
from pipeline.frame_path.publisher.judging import Judge, Judged
from pipeline.frame_path.publisher.stored_camera import StoredCamera

S = 1_000_000_000
RULE = RuleConfig.model_validate({"measure": "similarity(wanted)", "enter": {"false_alarms": "2 per hour"}})


def judged(judge: Judge, before: Judged | None, value: float, seconds: int) -> Judged:
    """One reading; the state goes through the database's form on its way."""
    stored = StoredCamera(rules=dict(before.memories) if before else {})
    memories = StoredCamera.decode(stored.encode()).rules
    return judge.judge(memories, {"r": Reading.of(value)}, seconds * S, 5 * S)


def test_status_says_how_far_it_is_and_then_what_it_learnt() -> None:
    judge = Judge(CameraSpec("cam", (224, 392), ("wanted",), rules={"r": RULE}), "UTC")
    values = 0.6 + 0.02 * np.random.default_rng(1).standard_normal(3 * 3600)
    last = judged(judge, None, 0.6, 0)
    assert (last.rules["r"].is_known, last.rules["r"].value, last.rules["r"].enter) == (False, 0.6, "")
    assert last.rules["r"].reason == "learning its threshold: 0.0 of 0.8 h seen"
    for second in range(5, 3 * 3600, 5):
        if second == 1200:
            assert last.rules["r"].reason == "learning its threshold: 0.3 of 0.8 h seen"
        last = judged(judge, last, float(values[second]), second)
    assert last.rules["r"].is_known
    assert last.rules["r"].reason == ""
    enter, leave = last.rules["r"].enter, last.rules["r"].exit
    assert enter.startswith("> 0.6")
    assert leave.startswith("< 0.6")
    assert float(leave[2:]) < float(enter[2:])
    alarm = judged(judge, last, 0.9, 3 * 3600)
    assert [each.kind for each in alarm.transitions] == ["start"]
    assert alarm.rules["r"].phase == "active"
