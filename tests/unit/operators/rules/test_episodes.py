import itertools
import json
import random

import pytest

from operators.rules.config import RuleConfig
from operators.rules.episodes import RuleState, step
from operators.rules.measures import Reading

S = 1_000_000_000
PERIOD = S // 5
FORKLIFT = {"measure": "distance_to(dock)", "enter": "< 3.0 m", "exit": "> 3.6 m"}


def rule(**more):
    return RuleConfig(**(FORKLIFT | more))


class Run:
    """Feeds one rule and keeps what comes out."""

    def __init__(self, config, period_ns=PERIOD):
        self.config = config
        self.period_ns = period_ns
        self.state = RuleState()
        self.out = []

    def at(self, seconds, value, **more):
        return self.read(seconds, Reading.nothing() if value is None else Reading.of(value), **more)

    def unknown(self, seconds, **more):
        return self.read(seconds, Reading.unknown("camera lost"), **more)

    def read(self, seconds, reading, **more):
        self.state, out = step(
            "near", self.config, self.state, reading, round(seconds * S), period_ns=self.period_ns, **more
        )
        self.out.extend(out)
        return [each.kind for each in out]

    @property
    def kinds(self):
        return [each.kind for each in self.out]


def stretch(run, start, seconds, value, fps=5):
    """Samples at `fps` over [start, start + seconds)."""
    for index in range(round(seconds * fps)):
        run.at(start + index / fps, value)
    return start + seconds


def test_flicker_at_the_edge_for_an_hour_is_at_most_one_alert():
    run, rng = Run(rule(hold="600ms", release="2s")), random.Random(1)
    for index in range(3600 * 5):
        run.at(index / 5, rng.gauss(3.0, 0.6))
    assert run.kinds.count("start") <= 1


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, []), (3.0, ["start", "end"])])
def test_hold_ignores_a_short_step_and_answers_a_long_one_once(seconds, expected):
    run = Run(rule(hold="2s", release="1s"))
    now = stretch(run, 0.0, 5.0, 8.0)
    now = stretch(run, now, seconds, 2.0)
    stretch(run, now, 5.0, 8.0)
    assert run.kinds == expected


def test_start_carries_when_it_began_and_the_end_belongs_to_it():
    run = Run(rule(hold="600ms", release="400ms"))
    stretch(run, 10.0, 1.0, 2.9)
    stretch(run, 11.0, 1.0, None)
    start, end = run.out
    assert (start.began_ns, start.rule_time_ns, start.value) == (10 * S, round(10.6 * S), 2.9)
    assert (end.began_ns, end.rule_time_ns, end.value) == (10 * S, round(11.4 * S), None)
    assert (start.episode, end.episode, start.rule) == (1, 1, "near")


def test_between_enter_and_exit_nothing_changes():
    run = Run(rule())
    assert run.at(0, 3.3) == []
    assert run.at(1, 2.9) == ["start"]
    assert run.at(2, 3.3) == []
    assert run.at(3, 3.7) == ["end"]
    assert run.at(4, 3.3) == []


def test_a_value_between_breaks_a_pending_hold_and_a_release():
    run = Run(rule(hold="400ms", release="400ms"))
    for second, value in [(0.0, 2.9), (0.2, 3.3), (0.4, 2.9), (0.6, 2.9)]:
        assert run.at(second, value) == []
    assert run.at(0.8, 2.9) == ["start"]
    for second, value in [(1.0, 3.7), (1.2, 3.3), (1.4, 3.7), (1.6, 3.7)]:
        assert run.at(second, value) == []
    assert run.at(1.8, 3.7) == ["end"]


def test_hold_needs_two_samples_without_a_gap():
    run = Run(rule(hold="1s"))
    assert run.at(0, 2.0) == []
    assert run.at(5, 2.0) == [], "5 s apart: the first supports nothing"
    assert run.at(6.9, 2.0) == ["start"]


def test_the_gap_grows_with_a_slow_camera():
    run = Run(rule(hold="4s"), period_ns=4 * S)
    assert run.at(0, 2.0) == []
    assert run.at(7, 2.0) == ["start"]


def test_a_tick_moves_time_only_and_lets_a_pending_run_lapse():
    run = Run(rule(hold="1s"))
    run.at(0, 2.0)
    assert run.read(1.5, None) == []
    assert run.state.phase == "pending"
    assert run.read(2.1, None) == []
    assert run.state.phase == "idle"


def test_a_tick_alone_never_starts_or_ends():
    run = Run(rule(hold="1s", release="1s"))
    run.at(0, 2.0)
    for index in range(1, 8):
        assert run.read(index / 4, None) == []
    run.at(1.9, 2.0)
    assert run.kinds == ["start"]
    run.at(2.0, 9.0)
    for index in range(9, 60):
        run.read(index / 4, None)
    assert run.kinds == ["start"]
    assert run.state.phase == "active"


@pytest.mark.parametrize(("policy", "kinds"), [("hold", []), ("clear", ["end"]), ("alarm", [])])
def test_unknown_while_active(policy, kinds):
    run = Run(rule(release="500ms", on_unknown=policy))
    assert run.at(0, 2.0) == ["start"]
    for index in range(1, 40):
        run.unknown(index / 4)
    assert run.kinds[1:] == kinds


@pytest.mark.parametrize(("policy", "kinds"), [("hold", []), ("clear", []), ("alarm", ["start"])])
def test_unknown_while_idle(policy, kinds):
    run = Run(rule(hold="1s", on_unknown=policy))
    for index in range(20):
        run.unknown(index / 4)
    assert run.kinds == kinds
    if kinds:
        assert (run.out[0].value, run.out[0].reason) == (None, "camera lost")


def test_a_short_unknown_does_not_break_a_hold_and_a_long_one_does():
    run = Run(rule(hold="2s"))
    run.at(0, 2.0)
    run.unknown(1.0)
    assert run.at(2.0, 2.0) == ["start"]
    run = Run(rule(hold="2s"))
    run.at(0, 2.0)
    run.unknown(1.0)
    run.unknown(2.1)
    assert run.at(2.2, 2.0) == []


def test_cooldown_silences_people_but_not_the_episode():
    run = Run(rule(notify={"cooldown": "60s"}))
    for second, value in [(0, 2.0), (1, 9.0), (10, 2.0), (11, 9.0), (70, 2.0), (71, 9.0)]:
        run.at(second, value)
    assert [(each.kind, each.episode, each.notify) for each in run.out] == [
        ("start", 1, True),
        ("end", 1, True),
        ("start", 2, False),
        ("end", 2, False),
        ("start", 3, True),
        ("end", 3, True),
    ]


def test_a_cooldown_from_before_time_fell_silences_nobody():
    run = Run(rule(notify={"cooldown": "60s"}))
    for second, value in [(1000, 2.0), (1001, 9.0), (0, 9.0), (1, 2.0)]:
        run.at(second, value)
    assert run.out[-1].notify


def test_a_muted_start_tells_nobody_and_begins_no_cooldown():
    run = Run(rule(notify={"cooldown": "60s"}))
    run.at(0, 2.0, is_muted=True)
    run.at(1, 9.0)
    run.at(2, 2.0)
    assert [(each.kind, each.episode, each.notify) for each in run.out] == [
        ("start", 1, False),
        ("end", 1, False),
        ("start", 2, True),
    ]


def test_an_end_says_why_there_is_nobody_any_more_and_not_what_a_later_run_does_not_know():
    lost = Reading(None, None, is_known=True, reason="below the picture for 600 s, not seen again")
    run = Run(rule(release="1s"))
    run.at(0, 2.0)
    run.read(1, lost)
    assert run.at(2, None) == ["end"]
    assert run.out[-1].reason == lost.reason
    again = Run(rule(release="1s"))
    again.at(0, 2.0)
    again.read(1, lost)
    again.at(1.5, 2.0)
    again.at(2, None)
    assert again.at(3, None) == ["end"]
    assert again.out[-1].reason == "", "somebody came between: he then left in view"


def test_a_start_gives_no_reason_but_that_of_an_unknown_reading():
    run = Run(rule())
    run.read(0, Reading(2.0, 0.1, is_known=True, reason="below the picture for 600 s, not seen again"))
    assert (run.kinds, run.out[0].reason) == (["start"], "")
    alarmed = Run(rule(on_unknown="alarm"))
    alarmed.unknown(0)
    assert (alarmed.kinds, alarmed.out[0].reason) == (["start"], "camera lost")


def test_disarming_ends_an_episode_and_forgets_a_pending_one():
    run = Run(rule())
    run.at(0, 2.0)
    assert run.read(1, None, is_armed=False) == ["end"]
    assert run.out[-1].reason == "disarmed"
    assert run.at(2, 2.0, is_armed=False) == []
    assert run.at(3, 2.0) == ["start"]
    pending = Run(rule(hold="1s"))
    pending.at(0, 2.0)
    pending.at(0.5, 2.0, is_armed=False)
    assert pending.at(1.0, 2.0) == []


def test_time_that_falls_begins_runs_anew_and_a_little_disorder_does_not():
    run = Run(rule(hold="1s"))
    run.at(100.0, 2.0)
    run.at(99.9, 2.0)
    assert run.at(101.0, 2.0) == ["start"]
    run = Run(rule(hold="1s"))
    run.at(100.0, 2.0)
    assert run.at(0.0, 2.0) == []
    assert run.at(0.5, 2.0) == []
    assert run.at(1.0, 2.0) == ["start"]


def test_a_start_survives_a_restart_in_the_middle_of_an_episode():
    run = Run(rule(hold="400ms"))
    stretch(run, 0.0, 1.0, 2.0)
    stored = json.loads(json.dumps(run.state.to_dict()))
    again = Run(rule(hold="400ms"))
    again.state = RuleState.from_dict(stored)
    assert again.state == run.state
    stretch(again, 1.0, 1.0, 2.0)
    stretch(again, 2.0, 1.0, 9.0)
    assert [(each.kind, each.episode) for each in again.out] == [("end", 1)]


def test_a_stored_state_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="unknown fields colour"):
        RuleState.from_dict({"colour": 1})


def random_record(rng):
    now = 0
    for _ in range(rng.randrange(50, 400)):
        now += rng.choice([S // 20, S // 5, S, 3 * S, -S // 10])
        kind = rng.random()
        if kind < 0.15:
            reading = None
        elif kind < 0.3:
            reading = Reading.unknown("lost")
        elif kind < 0.4:
            reading = Reading.nothing()
        else:
            reading = Reading.of(rng.uniform(1.0, 6.0))
        yield now, reading, rng.random() > 0.05


def random_rule(rng):
    seconds = ["0s", "200ms", "1s", "4s"]
    return rule(
        hold=rng.choice(seconds),
        release=rng.choice(seconds),
        on_unknown=rng.choice(["hold", "clear", "alarm"]),
        notify={"cooldown": rng.choice(["0s", "30s"])},
    )


def play(config, record):
    state, out = RuleState(), []
    for now, reading, is_armed in record:
        state, more = step("near", config, state, reading, now, is_armed=is_armed, period_ns=PERIOD)
        out.extend(more)
        assert len(more) <= 1
    return state, out


@pytest.mark.parametrize("seed", range(200))
def test_starts_and_ends_alternate_and_replay_is_exact(seed):
    rng = random.Random(seed)
    config, record = random_rule(rng), list(random_record(rng))
    state, out = play(config, record)
    kinds = [each.kind for each in out]
    assert kinds == ["start", "end"] * (len(kinds) // 2) + ["start"] * (len(kinds) % 2)
    assert state.is_alerting == (len(kinds) % 2 == 1)
    assert [each.episode for each in out] == [1 + index // 2 for index in range(len(out))]
    assert all(b.rule_time_ns >= a.rule_time_ns for a, b in itertools.pairwise(out))
    assert play(config, record) == (state, out)


def test_the_property_test_sees_episodes():
    counts = [
        len(play(random_rule(random.Random(seed)), list(random_record(random.Random(seed))))[1]) for seed in range(50)
    ]
    assert sum(counts) > 200
