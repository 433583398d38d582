"""From readings to episodes: one `start` and one `end`, with hysteresis, hold and release. Time is an argument.

A reading *enters* (satisfies `enter`), is *beyond* (satisfies `exit`, or there is no subject) or lies between.
`idle -> pending -> active -> releasing -> idle`; pending falls back to idle on a reading that does not enter, releasing
falls back to active on one that is not beyond. What comes out depends on readings, ticks and rule time alone, so the
same record gives the same episodes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from operators.rules.config import RuleConfig
from operators.rules.learnt import Tail
from operators.rules.measures import Reading
from operators.rules.verdicts import learnt_from, verdict_of

Phase = Literal["idle", "pending", "active", "releasing"]

MIN_GAP_NS = 2_000_000_000
"""Samples further apart than this, or than two sampling periods where that is longer, do not support each other."""


@dataclass(frozen=True, slots=True)
class RuleState:
    """What a rule remembers; stored in the same transaction as the events that follow from it."""

    phase: Phase = "idle"
    since_ns: int = 0
    """Rule time since when the phase holds; of `pending` and `releasing`: the first sample of the run."""
    time_ns: int = 0
    """The newest rule time seen."""
    sample_ns: int = 0
    """Newest sample of the run (`pending`: one that entered, `releasing`: one that was beyond)."""
    samples: int = 0
    """Samples in the run."""
    episode: int = 0
    """Number of the current or last episode; the first is 1."""
    began_ns: int = 0
    """First sample of the run that led to the current or last episode."""
    notified_ns: int | None = None
    """Rule time of the last start that notified people."""
    is_notified: bool = False
    """Whether the current or last episode notified people."""
    why: str = ""
    """What the first reading of the run said of itself, such as that a subject was lost below the picture."""
    tail: Tail | None = None
    """Of a rule whose threshold is learnt: what it has seen."""

    @property
    def is_engaged(self) -> bool:
        """Pending, active or releasing: the change gate stays open."""
        return self.phase != "idle"

    @property
    def is_alerting(self) -> bool:
        """Between `start` and `end`."""
        return self.phase in {"active", "releasing"}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        tail = None if self.tail is None else asdict(self.tail)
        return {name: getattr(self, name) for name in _FIELDS} | {"tail": tail}

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> RuleState:
        """Of `to_dict`, by this or an older version.

        Raises:
            ValueError: it holds a field that this version does not know.
        """
        if unknown := sorted(stored.keys() - _FIELDS):
            msg = (
                f"stored rule state has unknown fields {', '.join(unknown)}: expected only {', '.join(sorted(_FIELDS))}"
            )
            raise ValueError(msg)
        tail = stored.get("tail")
        values: dict[str, Any] = {**stored, "tail": None if tail is None else Tail.from_dict(tail)}
        return RuleState(**values)


_FIELDS = tuple(field.name for field in fields(RuleState))


@dataclass(frozen=True, slots=True)
class Transition:
    """The start or the end of an episode."""

    rule: str
    kind: Literal["start", "end"]
    episode: int
    rule_time_ns: int
    value: float | None
    """What was read; None: no subject, unknown, or the end of the armed hours."""
    notify: bool
    """Whether people are told: not within the cooldown, not while muted. The end follows its start."""
    began_ns: int
    """Rule time of the first sample of the run that led to the start."""
    reason: str = ""
    """Of an unknown reading, or `disarmed`; of an end also why there was nobody any more."""


def step(
    name: str,
    rule: RuleConfig,
    state: RuleState,
    reading: Reading | None,
    rule_time_ns: int,
    *,
    is_armed: bool = True,
    is_muted: bool = False,
    period_ns: int,
) -> tuple[RuleState, tuple[Transition, ...]]:
    """Advances one rule by one sample; pure.

    Args:
        name: Of the rule.
        rule: Its configuration.
        state: What the last call returned, or `RuleState()`.
        reading: None: a tick, time alone moves. A camera that is lost is an unknown reading, not None.
        rule_time_ns: A little out of order counts as the newest time so far; a fall by more than the gap (a file that
            starts again) begins every run anew.
        is_armed: Outside the armed hours the rule is idle; an episode that is on ends.
        is_muted: An episode that starts now tells nobody, and so begins no cooldown.
        period_ns: Between two samples of this camera.

    Returns:
        The next state, and at most one transition.
    """
    gap_ns = max(2 * period_ns, MIN_GAP_NS)
    if rule_time_ns < state.time_ns - gap_ns:
        state = replace(state, sample_ns=rule_time_ns, since_ns=rule_time_ns, samples=0)
        now = rule_time_ns
    else:
        now = max(rule_time_ns, state.time_ns)
    state = _drop_stale_run(replace(state, time_ns=now), gap_ns)
    if not is_armed:
        return _disarm(name, state)
    if reading is None:
        return state, ()
    verdict = verdict_of(rule, state.tail, reading)
    state = replace(state, tail=learnt_from(rule, state.tail, reading, state.time_ns, gap_ns))
    if verdict is None:
        return state, ()
    if state.is_alerting:
        return _step_alerting(name, rule, state, reading, is_beyond=verdict == "beyond")
    return _step_quiet(name, rule, state, reading, is_entered=verdict == "enter", is_muted=is_muted)


def _drop_stale_run(state: RuleState, gap_ns: int) -> RuleState:
    """A run whose newest sample lies further back than the gap supports nothing."""
    if state.phase not in {"pending", "releasing"} or (state.samples and state.time_ns - state.sample_ns <= gap_ns):
        return state
    phase = "idle" if state.phase == "pending" else "active"
    return replace(state, phase=phase, since_ns=state.time_ns, samples=0)


def _disarm(name: str, state: RuleState) -> tuple[RuleState, tuple[Transition, ...]]:
    idle = replace(state, phase="idle", since_ns=state.time_ns, samples=0) if state.is_engaged else state
    if not state.is_alerting:
        return idle, ()
    return idle, (_transition(name, "end", state, value=None, reason="disarmed"),)


def _step_quiet(
    name: str, rule: RuleConfig, state: RuleState, reading: Reading, *, is_entered: bool, is_muted: bool
) -> tuple[RuleState, tuple[Transition, ...]]:
    now = state.time_ns
    if not is_entered:
        return (replace(state, phase="idle", since_ns=now, samples=0) if state.phase == "pending" else state), ()
    run = _extend(state, "pending", reading)
    if not _spans(run, rule.hold):
        return run, ()
    cooldown_ns = round(rule.notify.cooldown * 1e9)
    is_cool = run.notified_ns is None or not 0 <= now - run.notified_ns < cooldown_ns
    notify = is_cool and not is_muted
    active = replace(
        run,
        phase="active",
        since_ns=now,
        samples=0,
        episode=run.episode + 1,
        began_ns=run.since_ns,
        notified_ns=now if notify else run.notified_ns,
        is_notified=notify,
    )
    why = "" if reading.is_known else reading.reason
    return active, (_transition(name, "start", active, value=reading.value, reason=why),)


def _step_alerting(
    name: str, rule: RuleConfig, state: RuleState, reading: Reading, *, is_beyond: bool
) -> tuple[RuleState, tuple[Transition, ...]]:
    now = state.time_ns
    if not is_beyond:
        return (replace(state, phase="active", since_ns=now, samples=0) if state.phase == "releasing" else state), ()
    run = _extend(state, "releasing", reading)
    if not _spans(run, rule.release):
        return run, ()
    idle = replace(run, phase="idle", since_ns=now, samples=0)
    return idle, (_transition(name, "end", idle, value=reading.value, reason=reading.reason or run.why),)


def _extend(state: RuleState, phase: Phase, reading: Reading) -> RuleState:
    """One more sample of the run; a new run begins where the phase changes."""
    now = state.time_ns
    if state.phase != phase:
        why = reading.reason if reading.is_known else ""
        return replace(state, phase=phase, since_ns=now, sample_ns=now, samples=1, why=why)
    return replace(state, sample_ns=now, samples=state.samples + 1)


def _spans(run: RuleState, seconds: float) -> bool:
    """Samples over at least `seconds`, so at least two; with nothing to span, one will do."""
    return run.sample_ns - run.since_ns >= round(seconds * 1e9)


def _transition(
    name: str, kind: Literal["start", "end"], state: RuleState, *, value: float | None, reason: str
) -> Transition:
    return Transition(
        rule=name,
        kind=kind,
        episode=state.episode,
        rule_time_ns=state.time_ns,
        value=value,
        notify=state.is_notified,
        began_ns=state.began_ns,
        reason=reason,
    )
