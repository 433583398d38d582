from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from operators.rules.config import RuleConfig
from operators.rules.episodes import RuleState, Transition, step
from operators.rules.learnt import KEPT_BLOCKS, MIN_BLOCKS, PERIODS_NS, Tail, between_alarms_ns, block_ns
from operators.rules.measures import Reading

S = 1_000_000_000
PERIOD = 5 * S
RATE = "1 per hour"  # blocks of 37.5 s, an hour until it knows
BLOCK = block_ns(RATE)
RULE = RuleConfig.model_validate({"measure": "similarity(wanted)", "enter": {"false_alarms": RATE}})


def run(
    values: Iterable[float | None], state: RuleState, *, start_ns: int = 0, rule: RuleConfig = RULE
) -> tuple[RuleState, list[Transition]]:
    """One reading every five seconds; None: unknown."""
    found: list[Transition] = []
    for number, value in enumerate(values):
        reading = Reading.unknown("lost") if value is None else Reading.of(value)
        state, more = step("r", rule, state, reading, start_ns + number * PERIOD, period_ns=PERIOD)
        found.extend(more)
    return state, found


def noise(seconds: int, seed: int = 0) -> list[float]:
    return (0.6 + 0.03 * np.random.default_rng(seed).standard_normal(seconds // 5)).tolist()


def test_blocks_and_rates() -> None:
    assert between_alarms_ns("1 per day") == PERIODS_NS["day"]
    assert between_alarms_ns("2 per week") == PERIODS_NS["week"] // 2
    assert block_ns("1 per day") == 900 * S
    assert block_ns("1 per week") == 3600 * S
    assert block_ns("600 per hour") == 30 * S
    with pytest.raises(ValueError, match="1 per day"):
        between_alarms_ns("daily")


def test_nothing_is_known_until_enough_was_seen() -> None:
    state, found = run([*noise(3500), 0.99, 0.99], RuleState())
    assert found == []
    assert state.tail is not None
    assert state.tail.level(RATE) is None
    assert state.tail.progress(RATE) == "learning its threshold: 1.0 of 1.0 h seen"


def test_then_what_is_far_above_the_usual_starts_and_ends() -> None:
    state, found = run(noise(4 * 3600), RuleState())
    assert state.tail is not None
    level = state.tail.level(RATE)
    assert level is not None
    assert 0.66 < level.enter < 0.78
    assert level.exit < level.enter
    assert len(found) <= 2 * 6  # an alarm an hour in the three hours after the first, give or take
    _, found = run([0.9, 0.9, level.enter - 1e-3, 0.5], state, start_ns=4 * 3600 * S)
    kinds = [each.kind for each in found]
    assert kinds[-2:] == ["start", "end"]


def test_the_rate_is_about_what_was_asked_for() -> None:
    """Maxima of blocks of Gaussian values, learnt over two days and asked over thirty, many times."""
    rng = np.random.default_rng(2)

    def maxima(blocks: int) -> np.ndarray:
        return 0.6 + 0.03 * np.sqrt(2 * np.log(900)) + 0.008 * rng.gumbel(size=blocks)

    rates = []
    for _ in range(60):
        level = Tail(tuple(maxima(KEPT_BLOCKS).tolist())).level("1 per day")
        assert level is not None
        rates.append(float((maxima(96 * 30) > level.enter).sum()) / 30)
    assert 0.7 < float(np.mean(rates)) < 1.5


def test_what_was_wanted_and_came_does_not_raise_the_threshold() -> None:
    rng = np.random.default_rng(3)
    usual = (0.65 + 0.01 * rng.gumbel(size=KEPT_BLOCKS)).round(5)
    with_events = usual.copy()
    with_events[rng.random(KEPT_BLOCKS) < 0.1] = 0.97
    clean, mixed = (Tail(tuple(each.tolist())).level("1 per day") for each in (usual, with_events))
    assert clean is not None
    assert mixed is not None
    assert mixed.enter < clean.enter + 0.03
    assert mixed.enter < 0.9


def test_time_that_was_not_seen_does_not_count() -> None:
    half = noise(1800)
    lost: list[float | None] = [*half, *[None] * 1440, *half]
    state, _ = run(lost, RuleState())
    other, _ = run(noise(3600), RuleState())
    assert state.tail is not None
    assert other.tail is not None
    seen, whole = (len(each.maxima) * BLOCK + each.observed_ns for each in (state.tail, other.tail))
    assert whole - 3 * PERIOD <= seen <= whole
    state, _ = run([0.5, None] * 10, RuleState())  # each known value is alone, however short the pause
    assert state.tail is not None
    assert state.tail.observed_ns == 0
    tail = Tail().seen(RATE, 0.5, 0, 2 * S).seen(RATE, 0.5, 3600 * S, 2 * S)  # a gap without a word
    assert tail.observed_ns == 0
    assert tail.seen(RATE, 0.5, 0, 2 * S).observed_ns == 0  # a file that starts again


def test_unknown_follows_its_policy_while_it_learns() -> None:
    rule = RULE.model_copy(update={"on_unknown": "alarm"})
    _, found = run(noise(5), RuleState(), rule=rule)
    assert [each.kind for each in found] == ["start"]


def test_outside_the_armed_hours_nothing_is_learnt() -> None:
    state = RuleState()
    for number in range(100):
        state, _ = step("r", RULE, state, Reading.of(0.5), number * S, is_armed=False, period_ns=S)
    assert state.tail is None


def test_a_written_exit_holds() -> None:
    rule = RuleConfig.model_validate({"measure": "similarity(w)", "enter": {"false_alarms": RATE}, "exit": "< 0.5"})
    state, _ = run(noise(4 * 3600), RuleState(), rule=rule)
    state, found = run([0.95, 0.6, 0.6], replace(state, phase="idle"), start_ns=5 * 3600 * S, rule=rule)
    assert [each.kind for each in found] == ["start"]
    _, found = run([0.4], state, start_ns=5 * 3600 * S + 3 * PERIOD, rule=rule)
    assert [each.kind for each in found] == ["end"]


def test_it_survives_storage_and_stays_small() -> None:
    state, _ = run(noise(12 * 3600), RuleState())
    stored = json.loads(json.dumps(state.to_dict()))
    assert RuleState.from_dict(stored) == state
    assert state.tail is not None
    assert len(state.tail.maxima) == KEPT_BLOCKS
    assert len(json.dumps(stored)) < 3000
    older = {name: value for name, value in stored.items() if name != "tail"}
    assert RuleState.from_dict(older).tail is None


def test_a_camera_that_never_changes_has_a_threshold_too() -> None:
    level = Tail((0.5,) * MIN_BLOCKS).level(RATE)
    assert level is not None
    assert 0.5 < level.enter < 0.502
