"""The rules of one camera over its readings: the one place that calls `operators.rules`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from operators.camera import CameraSpec
from operators.results import Analysis, Subject
from operators.rules.config import RuleConfig
from operators.rules.episodes import RuleState, Transition, step
from operators.rules.learnt import Tail
from operators.rules.margins import with_margin
from operators.rules.meaning import meaning_of
from operators.rules.measures import MEASURES, MeasureSpec, Reading, parse_measure, read_measure
from operators.rules.schedule import is_in_schedule
from operators.units import Threshold
from pipeline.frame_path.publisher.stored_actions import StoredActions
from pipeline.frame_path.publisher.stored_camera import RuleMemory
from pipeline.frame_path.publisher.wire import finite
from pipeline.frame_path.publisher.wire_result import WireRule
from pipeline.frame_path.publisher.wire_schema import HistoryPoint

MAX_HISTORY = 256
"""Points of a measure's history that an alert carries at most."""
UNSEEN = frozenset({"connecting", "stalled", "frozen", "backoff", "ended", "failed"})
"""States in which nothing is known of the scene."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All rules of a camera after one frame or tick."""

    memories: dict[str, RuleMemory]
    transitions: tuple[Transition, ...]
    rules: dict[str, WireRule]
    has_changed: bool
    """More than that time went on: whoever replays the rules must see it."""
    time_ns: int
    """Rule time at which they were judged."""


class Judge:
    """Reads measures and steps rules; remembers nothing itself."""

    def __init__(self, spec: CameraSpec, timezone: str) -> None:
        """Raises: zoneinfo.ZoneInfoNotFoundError, where a rule has hours and this machine lacks the time zone."""
        for rule in spec.rules.values():
            is_in_schedule(rule.armed, timezone, 0)
        self._spec = spec
        self._rules = {name: with_margin(rule, spec.metres) for name, rule in spec.rules.items()}
        self._timezone = timezone
        self._measures: dict[str, MeasureSpec] = {
            name: parse_measure(rule.measure) for name, rule in spec.rules.items()
        }
        self._meanings = {name: meaning_of(rule, spec) for name, rule in spec.rules.items()}

    def read(self, analysis: Analysis, held: Sequence[Subject], lost: Sequence[Subject] = ()) -> dict[str, Reading]:
        """The measure of each rule at one frame. `held`, `lost`: see `read_measure`."""
        return {
            name: read_measure(self._measures[name], rule, self._spec, analysis, held, lost=lost)
            for name, rule in self._spec.rules.items()
        }

    def unknown(self, reason: str) -> dict[str, Reading]:
        return dict.fromkeys(self._spec.rules, Reading.unknown(reason))

    def judge(
        self,
        memories: Mapping[str, RuleMemory],
        readings: Mapping[str, Reading] | None,
        time_ns: int,
        period_ns: int,
        actions: StoredActions | None = None,
    ) -> Judged:
        """Steps every rule; `readings` None: time alone moves. `actions`: what people say beside the rules' hours."""
        said = actions or StoredActions()
        after: dict[str, RuleMemory] = {}
        found: list[Transition] = []
        rules: dict[str, WireRule] = {}
        has_changed = False
        for name, rule in self._rules.items():
            before = memories.get(name) or RuleMemory()
            reading = readings[name] if readings is not None else None
            is_armed, is_muted = said.is_armed(name), said.is_muted(name)
            if is_armed is None:
                is_armed = is_in_schedule(rule.armed, self._timezone, time_ns)
            was = before.rule_state
            state, transitions = step(
                name,
                rule,
                was,
                reading,
                time_ns,
                is_armed=is_armed,
                is_muted=is_muted,
                period_ns=period_ns,
            )
            has_changed = has_changed or bool(transitions) or _is_changed(was, state)
            found.extend(transitions)
            after[name] = _remember(before, rule, was, state, reading)
            after[name].meaning = self._meanings[name]
            rules[name] = self._wire(name, was, state, reading, is_armed=is_armed, is_muted=is_muted)
        gone = {name: memory for name, memory in memories.items() if name not in self._spec.rules}
        return Judged({**after, **gone}, tuple(found), rules, has_changed, time_ns)

    def removed(self, memories: Mapping[str, RuleMemory]) -> set[str]:
        """Rules that are no longer in the configuration."""
        return memories.keys() - self._spec.rules.keys()

    def changed(self, memories: Mapping[str, RuleMemory]) -> set[str]:
        """Rules that watch something else now; thresholds are no such thing."""
        now = self._meanings
        return {name for name, each in memories.items() if name in now and each.meaning not in {"", now[name]}}

    def unit(self, name: str) -> str:
        return MEASURES[self._measures[name].name].unit

    def measure(self, name: str) -> MeasureSpec:
        return self._measures[name]

    def _wire(
        self, name: str, was: RuleState, state: RuleState, reading: Reading | None, *, is_armed: bool, is_muted: bool
    ) -> WireRule:
        """With all that decided this step, so that a replay needs nothing else."""
        rule = self._rules[name]
        said = reading or Reading.unknown("tick")
        enter, leave, learning = _thresholds(rule, was)
        return WireRule(
            measure=rule.measure,
            unit=self.unit(name),
            value=finite(said.value),
            sigma=finite(said.sigma),
            is_known=said.is_known and (not learning or said.value is None),
            reason=said.reason or learning,
            enter=enter,
            exit=leave,
            phase=state.phase,
            since_ns=state.since_ns,
            episode=state.episode,
            is_armed=is_armed,
            asked_enter=_asked(self._spec.rules[name].enter) or enter,
            asked_exit=_asked(self._spec.rules[name].exit) or leave,
            is_muted=is_muted,
            hold_seconds=rule.hold,
            release_seconds=rule.release,
            on_unknown=rule.on_unknown,
            cooldown_seconds=rule.notify.cooldown,
        )


def _is_changed(was: RuleState, state: RuleState) -> bool:
    """Whether a replay without this sample would go another way. What is learnt stands in every result."""

    def lasting(each: RuleState) -> RuleState:
        return replace(each, time_ns=0, samples=min(each.samples, 1), tail=None)

    return lasting(was) != lasting(state) or state.time_ns < was.time_ns


def is_engaged(memories: Mapping[str, RuleMemory]) -> bool:
    """A rule is pending, active or releasing: the change gate stays open."""
    return any(memory.rule_state.is_engaged for memory in memories.values())


def ends(memories: Mapping[str, RuleMemory], names: Iterable[str], time_ns: int, reason: str) -> list[Transition]:
    """Ends of the episodes of these rules that are on."""
    states = {name: memories[name].rule_state for name in sorted(names)}
    return [
        Transition(name, "end", state.episode, time_ns, None, state.is_notified, state.began_ns, reason)
        for name, state in states.items()
        if state.is_alerting
    ]


def at_rest(memory: RuleMemory) -> RuleMemory:
    """Of a rule that was removed: idle, but its episodes go on counting if it comes back, so that ids stay unique."""
    return RuleMemory(replace(memory.rule_state, phase="idle", samples=0).to_dict(), meaning=memory.meaning)


def begun_anew(memory: RuleMemory) -> RuleMemory:
    """Of a rule that watches something else now: at rest, and what it had learnt does not count any more."""
    return RuleMemory(replace(memory.rule_state, phase="idle", samples=0, tail=None).to_dict())


def period_of(intervals_ns: Sequence[int]) -> int:
    """Between two frames of the camera, nanoseconds; 0 while unknown."""
    return int(median(intervals_ns)) if intervals_ns else 0


def _remember(
    before: RuleMemory, rule: RuleConfig, was: RuleState, state: RuleState, reading: Reading | None
) -> RuleMemory:
    history = before.history
    if reading is not None and rule.evidence is not None and rule.evidence.history > 0:
        oldest = state.time_ns - round(rule.evidence.history * 1e9)
        point = HistoryPoint(state.time_ns, finite(reading.value), finite(reading.sigma))
        history = [each for each in history if oldest <= each.rule_time_ns <= state.time_ns][-MAX_HISTORY + 1 :]
        history.append(point)
    extreme = before.extreme if was.is_engaged else None
    if state.is_engaged and reading is not None and reading.value is not None:
        extreme = _further(rule, extreme, float(reading.value))
    return RuleMemory(state.to_dict(), history, extreme, before.opened)


def _further(rule: RuleConfig, extreme: float | None, value: float) -> float:
    if extreme is None:
        return value
    points_down = isinstance(rule.enter, Threshold) and rule.enter.points_down
    return min(extreme, value) if points_down else max(extreme, value)


def _asked(threshold: object) -> str:
    return str(threshold) if isinstance(threshold, Threshold) else ""


def _thresholds(rule: RuleConfig, state: RuleState) -> tuple[str, str, str]:
    """(enter, exit, what is still to be learnt), for people; learnt ones as they are now."""
    leave = "" if rule.exit is None else str(rule.exit)
    if isinstance(rule.enter, Threshold):
        return str(rule.enter), leave, ""
    tail, rate = state.tail or Tail(), rule.enter.false_alarms
    level = tail.level(rate)
    if level is None:
        return "", leave, tail.progress(rate)
    return f"> {level.enter:.4f}", leave or f"< {level.exit:.4f}", ""
